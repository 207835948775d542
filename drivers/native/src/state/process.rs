//! A process that cannot be mistaken for another: pid, start time, boot and pid namespace.

use crate::at;
use crate::shared_text::SharedText;
use crate::sys::link;
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

/// A process as recorded on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// The pid as seen from `pid_namespace`.
    pub(crate) pid: u32,
    /// Clock ticks between boot and the process's start (field 22 of proc_pid_stat(5)).
    pub(crate) start: u64,
    /// `/proc/sys/kernel/random/boot_id`: ticks and pids of another boot say nothing.
    #[serde(deserialize_with = "boot")]
    pub(crate) boot: SharedText,
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
    /// `/proc` could not be asked (no descriptors left, say): it counts neither as gone nor as alive.
    Unknown(Errno),
}

impl ProcessId {
    /// Identifies a process that cannot be reused meanwhile: a child not waited for, or ourselves.
    ///
    /// # Errors
    /// `ESRCH` when there is none.
    pub(crate) fn of(pid: u32) -> nix::Result<Self> {
        Ok(Self {
            pid,
            start: stat(pid)?.start,
            boot: boot_id()?,
            pid_namespace: own_pid_namespace()?,
        })
    }

    /// Identifies a child of the calling process, of which `own` is the identity.
    ///
    /// # Errors
    /// `ESRCH` when there is none.
    pub(crate) fn child(own: &Self, pid: u32) -> nix::Result<Self> {
        Ok(Self {
            pid,
            start: stat(pid)?.start,
            boot: own.boot.clone(),
            pid_namespace: own.pid_namespace,
        })
    }

    /// Identifies the calling process. Found once; a fork has another pid, or another namespace.
    pub(crate) fn own() -> nix::Result<Self> {
        static OWN: OnceLock<ProcessId> = OnceLock::new();
        let pid = std::process::id();
        match OWN.get() {
            Some(own) if own.pid == pid && own.pid_namespace == own_pid_namespace()? => {
                Ok(own.clone())
            }
            Some(_) => Self::of(pid),
            None => {
                let own = Self::of(pid)?;
                Ok(OWN.get_or_init(|| own).clone())
            }
        }
    }

    /// Whether the process still runs. To signal it, open its pidfd **first** and ask this
    /// **after**: `Alive` then says that the descriptor is that very process (its pid cannot have
    /// been reused before the start time was read).
    pub(crate) fn liveness(&self) -> Liveness {
        match boot_id() {
            Err(errno) => return Liveness::Unknown(errno),
            Ok(boot) if boot != self.boot => return Liveness::Gone,
            Ok(_) => {}
        }
        match own_pid_namespace() {
            Err(errno) => return Liveness::Unknown(errno),
            Ok(own) if own != self.pid_namespace => return Liveness::Foreign,
            Ok(_) => {}
        }
        match stat(self.pid) {
            Ok(stat) if stat.start != self.start => Liveness::Gone,
            Ok(stat) if matches!(stat.state, b'Z' | b'X') => Liveness::Zombie,
            Ok(_) => Liveness::Alive,
            Err(Errno::ESRCH) => Liveness::Gone,
            Err(errno) => Liveness::Unknown(errno),
        }
    }

    /// Whether it no longer executes anything. The first process of a pid namespace counts as alive
    /// while the kernel ends all others there for it: by then nobody can join its namespaces.
    pub(crate) fn is_ending(&self) -> bool {
        /// `include/linux/sched.h`, the same since Linux 2.6.
        const PF_EXITING: u64 = 4;
        match self.liveness() {
            // It may be gone since.
            Liveness::Alive => match stat(self.pid) {
                Ok(stat) => stat.flags & PF_EXITING != 0,
                Err(errno) => errno == Errno::ESRCH,
            },
            Liveness::Zombie | Liveness::Gone => true,
            Liveness::Foreign | Liveness::Unknown(_) => false,
        }
    }
}

/// The identity of this boot, which no process outlives.
pub(crate) fn boot_id() -> nix::Result<SharedText> {
    static BOOT: OnceLock<SharedText> = OnceLock::new();
    if let Some(boot) = BOOT.get() {
        return Ok(boot.clone());
    }
    let file = File::open("/proc/sys/kernel/random/boot_id").map_err(at::errno)?;
    let text = at::record_of(&OwnedFd::from(file), 64)?;
    let boot = SharedText::from(String::from_utf8_lossy(&text).trim());
    Ok(BOOT.get_or_init(|| boot).clone())
}

/// The text is that of [`boot_id`], as a rule: then no other is made of it.
fn boot<'de, D: Deserializer<'de>>(from: D) -> Result<SharedText, D::Error> {
    struct Boot;
    impl Visitor<'_> for Boot {
        type Value = SharedText;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("the id of a boot")
        }

        fn visit_str<E>(self, text: &str) -> Result<SharedText, E> {
            let own = boot_id().ok().filter(|own| **own == *text);
            Ok(own.unwrap_or_else(|| text.into()))
        }
    }
    from.deserialize_str(Boot)
}

/// Its inode, from the text of the link: to follow that makes an inode in memory each time, in twice the time.
fn own_pid_namespace() -> nix::Result<u64> {
    let mut room = [0; 32];
    let text = link::read(AT_FDCWD, c"/proc/self/ns/pid", &mut room)?;
    namespace_inode(text).ok_or(Errno::EIO)
}

/// `pid:[4026531836]`, namespaces(7).
fn namespace_inode(link: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(b"pid:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// What is read of proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Field 3.
    state: u8,
    /// Field 9: `PF_*` of the kernel.
    flags: u64,
    /// Field 22.
    start: u64,
}

fn stat(pid: u32) -> nix::Result<Stat> {
    if pid == 0 {
        return Err(Errno::ESRCH);
    }
    let gone = |errno| match errno {
        Errno::ENOENT => Errno::ESRCH,
        errno => errno,
    };
    let file = at::open_process_file(pid, "stat").map_err(gone)?;
    let mut page = [0; 4096];
    let text = at::record_in(&file, &mut page, 4096).map_err(gone)?;
    parse_stat(&text).ok_or(Errno::EIO)
}

/// The name in parentheses may hold spaces and parentheses: fields are counted after the last one.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    Some(Stat {
        state: *fields.next()?.as_bytes().first()?,
        // Five between fields 3 and 9, twelve between 9 and 22.
        flags: fields.nth(5)?.parse().ok()?,
        start: fields.nth(12)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = b"42 (a) R 1 (b c) S 1 42 42 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.state, stat.flags, stat.start), (b'S', 4, 98765));
        assert_eq!(parse_stat(b"42 (short) S 1"), None);
        assert_eq!(parse_stat(b"nothing"), None);
    }

    #[test]
    fn the_link_of_a_namespace_says_its_inode() {
        use std::os::unix::fs::MetadataExt;
        let followed = std::fs::metadata("/proc/self/ns/pid").unwrap();
        assert_eq!(own_pid_namespace(), Ok(followed.ino()));
        for odd in ["", "pid:[", "pid:[]", "pid:[1", "net:[1]", "pid:[-1]"] {
            assert_eq!(namespace_inode(odd.as_bytes()), None, "{odd}");
        }
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
        child.kill().unwrap();
        assert!(!ProcessId::own().unwrap().is_ending());
        while id.liveness() == Liveness::Alive {
            std::thread::yield_now();
        }
        assert_eq!(id.liveness(), Liveness::Zombie);
        assert!(id.is_ending());
        child.wait().unwrap();
        assert_eq!(id.liveness(), Liveness::Gone);
    }

    #[test]
    fn pid_zero_is_nobody() {
        assert_eq!(ProcessId::of(0), Err(Errno::ESRCH));
    }
}
