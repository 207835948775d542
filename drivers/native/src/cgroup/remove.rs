//! Removes a container's cgroups, deepest first, and waits only for what is still dying.

use super::error::CgroupError;
use super::{Cgroup, Member, systemd};
use crate::at;
use nix::errno::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

impl Cgroup {
    /// Ends whatever is still in the cgroups and removes them. The usual case, where the last
    /// process is gone already, costs one `rmdir` for each hierarchy.
    ///
    /// # Errors
    /// `Survivors` or `Io` when something could not be ended or removed in `patience`; the rest
    /// was removed all the same.
    pub(crate) fn destroy(self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        if self
            .members
            .iter()
            .all(|member| matches!(remove_leaf(member), Ok(true)))
        {
            return self.let_go();
        }
        let killed = self.kill_all(patience);
        let left = deadline.saturating_duration_since(Instant::now());
        let removed = self.remove(left.max(Duration::from_millis(10)));
        killed.and(removed)
    }

    /// Removes the cgroups; nothing may run in them any more. A process that was just killed
    /// counts until it is off its processor, so `EBUSY` is tried again for at most `patience`.
    /// What is gone already is fine.
    pub(crate) fn remove(self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        let mut first = Ok(());
        for member in &self.members {
            let removed = remove_member(member, deadline);
            if first.is_ok() {
                first = removed;
            }
        }
        first.and(self.let_go())
    }

    /// The placeholder, the parents and the scope: whatever is not the cgroup itself.
    fn let_go(mut self) -> Result<(), CgroupError> {
        self.placeholder = None;
        self.remove_parents();
        match &self.unit {
            Some(unit) => systemd::stop(unit),
            None => Ok(()),
        }
    }

    /// Parents that starts made go when nothing else is in them; others' use of them just keeps them.
    fn remove_parents(&self) {
        for path in self.made_parents.iter().rev() {
            // By path: they are ours, hold no data, and `rmdir` spares what is used.
            let _ = std::fs::remove_dir(path);
        }
    }
}

fn remove_member(member: &Member, deadline: Instant) -> Result<(), CgroupError> {
    let mut nap = Duration::from_micros(50);
    loop {
        match remove_leaf(member) {
            Ok(true) => return Ok(()),
            Ok(false) if Instant::now() < deadline => {
                // Sub-cgroups are `EBUSY` too: theirs, so they go with the container.
                let _ = remove_below(member.dir.as_fd(), deadline);
                std::thread::sleep(nap);
                nap = (nap * 2).min(Duration::from_millis(10));
            }
            Ok(false) => return Err(CgroupError::io("remove", &member.path)(Errno::EBUSY)),
            Err(errno) => return Err(CgroupError::io("remove", &member.path)(errno)),
        }
    }
}

/// Removes the container's own directory; false while something is in it.
fn remove_leaf(member: &Member) -> nix::Result<bool> {
    let Some(name) = member.path.as_path().file_name() else {
        return Err(Errno::EINVAL);
    };
    match at::stat_sibling(member.dir.as_fd(), name) {
        Ok(stat) if (stat.st_dev, stat.st_ino) == member.identity => {}
        // Gone, or made anew by somebody else: not ours to remove.
        Ok(_) | Err(Errno::ENOENT | Errno::ENODEV) => return Ok(true),
        Err(errno) => return Err(errno),
    }
    match at::remove_sibling(member.dir.as_fd(), name) {
        Ok(()) | Err(Errno::ENOENT) => Ok(true),
        Err(Errno::EBUSY | Errno::ENOTEMPTY) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Removes every cgroup below `top`, deepest first, with two descriptors however deep they are.
fn remove_below(top: BorrowedFd<'_>, deadline: Instant) -> nix::Result<()> {
    let mut current = at::reopen(top)?;
    // The name of `current` in its parent, from the top down, and what is left to do in each.
    let mut levels: Vec<(OsString, Vec<OsString>)> =
        vec![(OsString::new(), at::subdirectories(current.as_fd())?)];
    while let Some((_, names)) = levels.last_mut() {
        if Instant::now() >= deadline {
            return Err(Errno::ETIMEDOUT);
        }
        if let Some(name) = names.pop() {
            if matches!(removed(current.as_fd(), &name)?, Removed::Gone) {
                continue;
            }
            let below = at::open_dir(current.as_fd(), &name)?;
            let names = at::subdirectories(below.as_fd())?;
            if names.is_empty() {
                continue; // Processes are in it: the caller tries again.
            }
            levels.push((name, names));
            current = below;
        } else if let Some((name, _)) = levels.pop() {
            if levels.is_empty() {
                break;
            }
            current = at::open_parent(current.as_fd())?;
            removed(current.as_fd(), &name)?;
        }
    }
    Ok(())
}

enum Removed {
    Gone,
    Busy,
}

fn removed(parent: BorrowedFd<'_>, name: &OsStr) -> nix::Result<Removed> {
    match at::remove_dir(parent, name) {
        Ok(()) | Err(Errno::ENOENT) => Ok(Removed::Gone),
        Err(Errno::EBUSY | Errno::ENOTEMPTY) => Ok(Removed::Busy),
        Err(errno) => Err(errno),
    }
}
