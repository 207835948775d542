//! Finds and ends the processes of a container by its pid namespace, where it has no cgroup.
//!
//! Works for a container with a pid namespace of its own: all its processes die with its init.
//! A process in a namespace below it is found as a descendant.

use super::Pids;
use crate::{at, sys};
use nix::errno::Errno;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The processes in init's pid namespace and below it, as we see them. `init` must not have been
/// waited for meanwhile (or be checked to live after this returned).
///
/// # Errors
/// `ESRCH` when init is gone; `ENOTSUP` when it shares our pid namespace, so that nothing tells
/// its processes from others.
pub(crate) fn pids(init: u32) -> nix::Result<Pids> {
    let namespace = namespace(init).ok_or(Errno::ESRCH)?;
    if namespace == own_namespace()? {
        return Err(Errno::ENOTSUP);
    }
    let mut parents = HashMap::new();
    let mut members = HashSet::new();
    for pid in processes()? {
        if self::namespace(pid) == Some(namespace) {
            members.insert(pid);
        } else if let Some(parent) = parent(pid) {
            parents.insert(pid, parent);
        }
    }
    let mut found: Vec<u32> = members.iter().copied().collect();
    found.extend(
        parents
            .keys()
            .filter(|pid| descends(**pid, &parents, &members)),
    );
    found.sort_unstable();
    Ok(Pids {
        pids: found,
        foreign: 0,
    })
}

/// Kills a container through its init and waits until that is dead: the kernel kills the whole
/// pid namespace before it lets PID 1 go (pid_namespaces(7)).
///
/// # Errors
/// `ETIMEDOUT` when it still lives after `patience`.
pub(crate) fn kill_init(pidfd: BorrowedFd<'_>, patience: Duration) -> nix::Result<()> {
    match sys::pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL) {
        Ok(()) => {}
        Err(Errno::ESRCH) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    wait_exit(pidfd, patience)
}

/// A pidfd is readable once its process has exited, whoever reaps it.
fn wait_exit(pidfd: BorrowedFd<'_>, patience: Duration) -> nix::Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(pidfd, PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(0) if left.is_zero() => return Err(Errno::ETIMEDOUT),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether a chain of parents leads into the container; bounded, since the table changes while it
/// is read and could show a circle.
fn descends(pid: u32, parents: &HashMap<u32, u32>, members: &HashSet<u32>) -> bool {
    let mut at = pid;
    for _ in 0..parents.len() {
        match parents.get(&at) {
            Some(parent) if members.contains(parent) => return true,
            Some(parent) => at = *parent,
            None => return false,
        }
    }
    false
}

fn processes() -> nix::Result<Vec<u32>> {
    let names = std::fs::read_dir("/proc").map_err(at::errno)?;
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Ok(names.filter_map(Result::ok).filter_map(pid).collect())
}

fn own_namespace() -> nix::Result<(u64, u64)> {
    let metadata = std::fs::metadata("/proc/thread-self/ns/pid").map_err(at::errno)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// `None` when it is gone or not ours to look at.
fn namespace(pid: u32) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(Path::new(&format!("/proc/{pid}/ns/pid"))).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Field 4 of `/proc/<pid>/stat`, counted after the name, which may hold anything.
fn parent(pid: u32) -> Option<u32> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}
