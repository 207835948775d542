//! Ends every process of a container, fork bombs included.
//!
//! Version 2 has one file for it (`cgroup.kill`, Linux 5.14). Elsewhere the cgroup is frozen
//! first, so that nothing can fork while the list is read and signalled, and thawed after, because
//! a version 1 task dies only then. Every signal goes through a pidfd that was checked to be of a
//! process in the cgroup, so a pid that is reused meanwhile hits nobody.

use super::error::CgroupError;
use super::{Cgroup, Member, walk};
use crate::{at, sys};
use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a freezer may take before the kill goes on without it: a task in uninterruptible
/// sleep keeps it from ever being complete, and all others stand still by then.
const FREEZE_PATIENCE: Duration = Duration::from_millis(200);

/// So many pidfds are open at a time: far below any limit on descriptors.
const BATCH: usize = 128;

impl Cgroup {
    /// Sends SIGKILL to every process in the cgroups and waits until none is left; a frozen
    /// container is thawed by it.
    ///
    /// # Errors
    /// `Survivors` when some are still there after `patience`.
    pub(crate) fn kill_all(&self, patience: Duration) -> Result<(), CgroupError> {
        let started = Instant::now();
        let mut nap = Duration::from_micros(100);
        let mut frozen = false;
        loop {
            let alive: Vec<&Member> = self.inhabited()?;
            let Some(first) = alive.first() else {
                break;
            };
            if started.elapsed() >= patience {
                let count = walk::pids(first.dir.as_fd()).map_or(0, |p| p.pids.len() + p.foreign);
                self.thaw();
                return Err(CgroupError::Survivors {
                    path: PathBuf::from(&first.path),
                    count,
                    waited: patience,
                });
            }
            let whole = self.unified().is_some_and(kill_file);
            // Where everything is in version 2 nothing is left to do but wait.
            if !(whole && alive.iter().all(|member| self.is_unified(member))) {
                self.freeze();
                for member in &alive {
                    signal_all(member)?;
                }
            }
            self.thaw();
            frozen = true;
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(10));
        }
        if !frozen && self.is_frozen() {
            self.thaw();
        }
        Ok(())
    }

    /// The members that still have processes.
    pub(super) fn inhabited(&self) -> Result<Vec<&Member>, CgroupError> {
        let mut found = Vec::new();
        for member in &self.members {
            let pids = walk::pids(member.dir.as_fd())
                .map_err(CgroupError::io("list the processes of", &member.path))?;
            if !pids.pids.is_empty() || pids.foreign > 0 {
                found.push(member);
            }
        }
        Ok(found)
    }

    fn is_unified(&self, member: &Member) -> bool {
        self.unified()
            .is_some_and(|unified| std::ptr::eq(unified, member))
    }

    /// Best effort: without a freezer, no new process may be made (`pids.max`), and without that
    /// the loop simply runs faster than most bombs fork.
    pub(super) fn freeze(&self) {
        if let Some(freezer) = self.controller("freezer") {
            let _ = at::write(freezer.dir.as_fd(), OsStr::new("freezer.state"), b"FROZEN");
            wait_frozen(freezer.dir.as_fd());
        } else if let Some(pids) = self.controller("pids") {
            let _ = at::write(pids.dir.as_fd(), OsStr::new("pids.max"), b"0");
        }
        if let Some(unified) = self.unified() {
            let _ = at::write(unified.dir.as_fd(), OsStr::new("cgroup.freeze"), b"1");
        }
    }

    /// Sub-cgroups may have been frozen on their own, by the container itself.
    pub(super) fn thaw(&self) {
        if let Some(freezer) = self.controller("freezer") {
            let _ = walk::visit(freezer.dir.as_fd(), |dir| {
                let _ = at::write(dir, OsStr::new("freezer.state"), b"THAWED");
                Ok(())
            });
        }
        if let Some(unified) = self.unified() {
            let _ = at::write(unified.dir.as_fd(), OsStr::new("cgroup.freeze"), b"0");
        }
    }
}

/// Kills the whole tree at once, atomically against forks; false before Linux 5.14.
fn kill_file(unified: &Member) -> bool {
    at::write(unified.dir.as_fd(), OsStr::new("cgroup.kill"), b"1").is_ok()
}

fn wait_frozen(dir: BorrowedFd<'_>) {
    let deadline = Instant::now() + FREEZE_PATIENCE;
    while Instant::now() < deadline {
        let state = at::read(dir, OsStr::new("freezer.state"), 64);
        if !state.is_ok_and(|state| state.starts_with(b"FREEZING")) {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Signals every process of a member. A pid is listed, opened, and listed again: if it is there
/// both times, the descriptor is of a process of this cgroup, or of one that is gone.
pub(super) fn signal_all(member: &Member) -> Result<(), CgroupError> {
    let list = || {
        walk::pids(member.dir.as_fd())
            .map(|found| found.pids)
            .map_err(CgroupError::io("list the processes of", &member.path))
    };
    for batch in list()?.chunks(BATCH) {
        let opened: Vec<(u32, OwnedFd)> = batch.iter().filter_map(|pid| open(*pid)).collect();
        let now = list()?;
        for (pid, pidfd) in &opened {
            if now.binary_search(pid).is_ok() {
                signal(pidfd.as_fd()).map_err(CgroupError::io("kill in", &member.path))?;
            }
        }
    }
    Ok(())
}

fn open(pid: u32) -> Option<(u32, OwnedFd)> {
    let number = i32::try_from(pid).ok()?;
    sys::pidfd::open(number).ok().map(|pidfd| (pid, pidfd))
}

fn signal(pidfd: BorrowedFd<'_>) -> nix::Result<()> {
    match sys::pidfd::send_signal(pidfd, libc::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno),
    }
}
