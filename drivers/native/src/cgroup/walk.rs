//! Walks over a cgroup and those below it, with two descriptors however deep they go.
//!
//! A container that may write its cgroups can nest them by the thousand; a walk that holds one
//! descriptor a level would run out of them. Directories of cgroup file systems cannot be moved
//! to another parent, so `..` leads back where we came from.

use super::Pids;
use crate::at;
use nix::errno::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// `cgroup.procs` of one cgroup: the kernel's limit on pids is 4 million, of 8 bytes each.
const MAX_PROCS: usize = 32 << 20;

/// Visits `top` and everything below it, parents first. What vanishes meanwhile is skipped.
pub(super) fn visit(
    top: BorrowedFd<'_>,
    mut visitor: impl FnMut(BorrowedFd<'_>) -> nix::Result<()>,
) -> nix::Result<()> {
    visitor(top)?;
    let names = below(top)?;
    if names.is_empty() {
        return Ok(());
    }
    let mut current = at::reopen(top)?;
    let mut levels = vec![names];
    while let Some(names) = levels.last_mut() {
        let Some(name) = names.pop() else {
            levels.pop();
            if !levels.is_empty() {
                current = at::open_parent(current.as_fd())?;
            }
            continue;
        };
        let Some((below, names)) = entered(current.as_fd(), &name)? else {
            continue;
        };
        visitor(below.as_fd())?;
        levels.push(names);
        current = below;
    }
    Ok(())
}

/// The processes in `top` and below it.
pub(super) fn pids(top: BorrowedFd<'_>) -> nix::Result<Pids> {
    let mut found = Pids::default();
    let visited = visit(top, |dir| {
        let text = match at::read(dir, OsStr::new("cgroup.procs"), MAX_PROCS) {
            Ok(text) => text,
            // Gone meanwhile; or a threaded cgroup, whose processes its domain lists.
            Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        for line in text.split(|byte| *byte == b'\n') {
            match std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.parse().ok())
            {
                Some(0) => found.foreign += 1,
                Some(pid) => found.pids.push(pid),
                None => {}
            }
        }
        Ok(())
    });
    gone_is_empty(visited)?;
    found.pids.sort_unstable();
    found.pids.dedup();
    Ok(found)
}

/// A top that was removed has nothing below it.
pub(super) fn gone_is_empty(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ENOENT | Errno::ENODEV) => Ok(()),
        other => other,
    }
}

fn entered(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<Option<(OwnedFd, Vec<OsString>)>> {
    let below = match at::open_dir(dir, name) {
        Ok(below) => below,
        Err(Errno::ENOENT | Errno::ENODEV) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    match self::below(below.as_fd()) {
        Ok(names) => Ok(Some((below, names))),
        Err(Errno::ENOENT | Errno::ENODEV) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The names of the cgroups in one, which has none as a rule: its count of links tells that in one call.
fn below(dir: BorrowedFd<'_>) -> nix::Result<Vec<OsString>> {
    match at::has_no_directory(dir) {
        true => Ok(Vec::new()),
        false => at::subdirectories(dir),
    }
}
