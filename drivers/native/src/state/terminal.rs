//! The terminal of a running process, reached from a process that does not hold its master.
//!
//! The container is hostile: its `/dev` may hold links, FIFOs, nodes of other devices, or another
//! terminal. So the slave is looked up without opening it (`O_PATH`), one name at a time and never
//! through a link, and only a file that is the very one that was recorded at the start (device,
//! inode and number, on a devpts) is opened. The path is never believed, only found. A devpts uses
//! the number of a closed terminal again: that is then another one of the same container.

use super::process::{Liveness, ProcessId};
use super::record::TerminalRecord;
use crate::{at, sys};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};
use nix::sys::statfs::{DEVPTS_SUPER_MAGIC, fstatfs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The majors of Unix 98 slaves (the kernel's `Documentation/admin-guide/devices.txt`).
const SLAVES: std::ops::RangeInclusive<u64> = 136..=143;

impl TerminalRecord {
    /// Identifies the slave of an unlocked master.
    pub(crate) fn of_master(master: BorrowedFd<'_>) -> nix::Result<Self> {
        let slave = sys::tty::open_peer(master).map_err(at::errno)?;
        identify(slave.as_fd())
    }

    /// Opens the slave as the container of `init` sees it.
    ///
    /// # Errors
    /// `ESRCH` when init is gone, `ENXIO` when the terminal cannot be found (any more).
    pub(crate) fn open(&self, init: &ProcessId) -> nix::Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = format!("/proc/{}/root", init.pid);
        let root = open(root.as_str(), flags, Mode::empty())?;
        // Asked after the root was opened: then it is the root of that very process.
        if init.liveness() != Liveness::Alive {
            return Err(Errno::ESRCH);
        }
        let number = self.number().ok_or(Errno::ENXIO)?.to_string();
        let places = [vec!["dev", "console"], vec!["dev", "pts", &number]];
        let found = places
            .iter()
            .find_map(|names| self.look(root.as_fd(), names));
        found
            .ok_or(Errno::ENXIO)
            .and_then(|file| reopened(file.as_fd()))
    }

    fn look(&self, root: BorrowedFd<'_>, names: &[&str]) -> Option<OwnedFd> {
        let mut file = root.try_clone_to_owned().ok()?;
        for name in names {
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            file = openat(&file, *name, flags, Mode::empty()).ok()?;
        }
        identify(file.as_fd())
            .is_ok_and(|found| found == *self)
            .then_some(file)
    }

    /// Its name in `/dev/pts`: each major has 256 minors.
    fn number(&self) -> Option<u64> {
        let block = major(self.rdev).checked_sub(*SLAVES.start())?;
        Some(block * 256 + minor(self.rdev))
    }
}

fn identify(file: BorrowedFd<'_>) -> nix::Result<TerminalRecord> {
    let stat = fstat(file)?;
    let slave = at::is(&stat, SFlag::S_IFCHR) && SLAVES.contains(&major(stat.st_rdev));
    if !slave || fstatfs(file)?.filesystem_type() != DEVPTS_SUPER_MAGIC {
        return Err(Errno::ENXIO);
    }
    Ok(TerminalRecord {
        dev: stat.st_dev,
        ino: stat.st_ino,
        rdev: stat.st_rdev,
    })
}

/// The same file for use: through our own descriptor, so no name is looked up again.
fn reopened(file: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    open(path.as_str(), flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::{PtyMaster, grantpt, posix_openpt, unlockpt};
    use std::process::Command;

    fn master() -> PtyMaster {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        master
    }

    #[test]
    fn a_terminal_is_resized_by_who_knows_only_its_record_and_its_process() {
        let (master, own) = (master(), ProcessId::own().unwrap());
        let record = TerminalRecord::of_master(master.as_fd()).unwrap();
        let slave = record.open(&own).unwrap();
        sys::tty::set_window_size(slave.as_fd(), 33, 77).unwrap();
        let peer = sys::tty::open_peer(master.as_fd()).unwrap();
        let stty = Command::new("stty")
            .arg("size")
            .stdin(peer)
            .output()
            .unwrap();
        assert_eq!(stty.stdout, b"33 77\n");
    }

    #[test]
    fn another_terminal_a_closed_one_and_another_process_are_refused() {
        let (first, second) = (master(), master());
        let own = ProcessId::own().unwrap();
        let mut wrong = TerminalRecord::of_master(first.as_fd()).unwrap();
        let other = TerminalRecord::of_master(second.as_fd()).unwrap();
        wrong.ino = other.ino; // The number of the one, the inode of the other.
        assert_eq!(wrong.open(&own).unwrap_err(), Errno::ENXIO);
        let mut stale = own.clone();
        stale.start += 1;
        assert_eq!(other.open(&stale).unwrap_err(), Errno::ESRCH);
        let null = TerminalRecord {
            dev: 0,
            ino: 0,
            rdev: 259,
        };
        assert_eq!(null.open(&own).unwrap_err(), Errno::ENXIO);
    }

    #[test]
    fn what_is_not_a_slave_has_no_record() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(identify(null.as_fd()).unwrap_err(), Errno::ENXIO);
        assert!(TerminalRecord::of_master(null.as_fd()).is_err());
    }
}
