//! A process that cannot be mistaken for another: pid, start time, boot and pid namespace.

use crate::{at, sys};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process as recorded on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// The pid as seen from `pid_namespace`.
    pub(crate) pid: u32,
    /// Clock ticks between boot and the process's start (field 22 of proc_pid_stat(5)).
    pub(crate) start: u64,
    /// `/proc/sys/kernel/random/boot_id`: ticks and pids of another boot say nothing.
    pub(crate) boot: String,
    /// The inode of the pid namespace in which `pid` was taken.
    pub(crate) pid_namespace: u64,
}

/// What is known about a recorded process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// It exists and has not exited.
    Alive,
    /// It exited; its parent has not collected it.
    Zombie,
    /// It is gone, or its pid belongs to another process now.
    Gone,
    /// It was recorded in another pid namespace: nothing can be said, nothing may be signalled.
    Foreign,
}

impl ProcessId {
    /// Identifies a process that cannot be reused meanwhile: a child not waited for, or ourselves.
    ///
    /// # Errors
    /// `ESRCH` when there is none.
    pub(crate) fn of(pid: u32) -> nix::Result<Self> {
        let (start, _) = start_and_state(pid)?;
        Ok(Self {
            pid,
            start,
            boot: boot_id()?,
            pid_namespace: own_pid_namespace()?,
        })
    }

    /// Identifies the calling process.
    pub(crate) fn own() -> nix::Result<Self> {
        Self::of(std::process::id())
    }

    /// Whether the process still runs. To signal it, open its pidfd **first** and ask this
    /// **after**: `Alive` then says that the descriptor is that very process (its pid cannot have
    /// been reused before the start time was read).
    pub(crate) fn liveness(&self) -> Liveness {
        if !boot_id().is_ok_and(|boot| boot == self.boot) {
            return Liveness::Gone;
        }
        if !own_pid_namespace().is_ok_and(|own| own == self.pid_namespace) {
            return Liveness::Foreign;
        }
        match start_and_state(self.pid) {
            Ok((start, _)) if start != self.start => Liveness::Gone,
            Ok((_, b'Z' | b'X')) => Liveness::Zombie,
            Ok(_) => Liveness::Alive,
            Err(_) => Liveness::Gone,
        }
    }

    /// A pidfd of this very process; `None` when it does not run (any more). A recorded pid is
    /// signalled through this and in no other way.
    ///
    /// # Errors
    /// The errno of `pidfd_open(2)`, when it is not `ESRCH`; `EXDEV` for a process that was
    /// recorded in another pid namespace.
    pub(crate) fn open(&self) -> nix::Result<Option<OwnedFd>> {
        let pid = i32::try_from(self.pid).ok().filter(|pid| *pid > 0);
        let pidfd = match sys::pidfd::open(pid.ok_or(Errno::EINVAL)?) {
            Ok(pidfd) => pidfd,
            Err(Errno::ESRCH) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        match self.liveness() {
            Liveness::Alive => Ok(Some(pidfd)),
            Liveness::Zombie | Liveness::Gone => Ok(None),
            Liveness::Foreign => Err(Errno::EXDEV),
        }
    }
}

/// The identity of this boot.
pub(crate) fn boot_id() -> nix::Result<String> {
    let file = File::open("/proc/sys/kernel/random/boot_id").map_err(at::errno)?;
    let text = at::read_all(file, 64)?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

fn own_pid_namespace() -> nix::Result<u64> {
    let metadata = std::fs::metadata("/proc/self/ns/pid").map_err(at::errno)?;
    Ok(metadata.ino())
}

/// Field 22 and field 3 of `/proc/<pid>/stat`.
fn start_and_state(pid: u32) -> nix::Result<(u64, u8)> {
    if pid == 0 {
        return Err(Errno::ESRCH);
    }
    let dir = at::open_root(Path::new(&format!("/proc/{pid}"))).map_err(|_| Errno::ESRCH)?;
    let text = at::read(dir.as_fd(), OsStr::new("stat"), 4096).map_err(|_| Errno::ESRCH)?;
    parse_stat(&text).ok_or(Errno::EIO)
}

/// The name in parentheses may hold spaces and parentheses: fields are counted after the last one.
fn parse_stat(text: &[u8]) -> Option<(u64, u8)> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    // `state` was field 3, so 18 more are skipped to reach field 22.
    let start = fields.nth(18)?.parse().ok()?;
    Some((start, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = b"42 (a) R 1 (b c) S 1 42 42 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n";
        assert_eq!(parse_stat(text), Some((98765, b'S')));
        assert_eq!(parse_stat(b"42 (short) S 1"), None);
        assert_eq!(parse_stat(b"nothing"), None);
    }

    #[test]
    fn this_process_is_alive_and_another_start_time_boot_or_namespace_is_not_it() {
        let own = ProcessId::own().unwrap();
        assert_eq!(own.liveness(), Liveness::Alive);
        let mut other = own.clone();
        other.start += 1;
        assert_eq!(other.liveness(), Liveness::Gone);
        let mut other = own.clone();
        other.boot = "another".into();
        assert_eq!(other.liveness(), Liveness::Gone);
        let mut other = own;
        other.pid_namespace += 1;
        assert_eq!(other.liveness(), Liveness::Foreign);
    }

    #[test]
    fn a_child_is_alive_then_a_zombie_then_gone() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        assert_eq!(id.liveness(), Liveness::Alive);
        assert!(id.open().unwrap().is_some());
        child.kill().unwrap();
        while id.liveness() == Liveness::Alive {
            std::thread::yield_now();
        }
        assert_eq!(id.liveness(), Liveness::Zombie);
        assert!(id.open().unwrap().is_none());
        child.wait().unwrap();
        assert_eq!(id.liveness(), Liveness::Gone);
        assert!(id.open().unwrap().is_none());
    }

    #[test]
    fn pid_zero_is_nobody() {
        assert_eq!(ProcessId::of(0), Err(Errno::ESRCH));
        let mut nobody = ProcessId::own().unwrap();
        nobody.pid = 0;
        assert_eq!(nobody.open().unwrap_err(), Errno::EINVAL);
    }
}
