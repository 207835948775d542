//! Where a container's cgroups will be, and those that a start is about to make, written down before: a host program may be
//! killed in between.

use super::create::is_made;
use super::delegation;
use super::detect::{Hierarchies, Version, is_cgroup};
use super::path::CgroupPath;
use crate::at;
use crate::shared_text::SharedText;
use std::os::fd::{AsFd, OwnedFd};

/// The container's own directory in each hierarchy of the host, in one block; `None` where we see nothing of it.
pub(super) fn leaves(host: &Hierarchies, place: &CgroupPath) -> Vec<Option<SharedText>> {
    let seen = || host.list.iter().map(|one| (one, one.own.as_deref()));
    let room = seen().map(|(one, own)| place.room(one, own.unwrap_or_default()));
    let mut whole = String::with_capacity(room.sum());
    let mut ranges = Vec::with_capacity(host.list.len());
    for (hierarchy, own) in seen() {
        let start = whole.len();
        let handed = place.is_delegated().then(|| delegation::top(hierarchy));
        let handed = handed.flatten();
        ranges.push(own.map(|own| {
            place.write(hierarchy, handed.as_deref().unwrap_or(own), &mut whole);
            start..whole.len()
        }));
    }
    let whole = SharedText::from(whole);
    let leaves = ranges.into_iter();
    leaves.map(|range| Some(whole.slice(range?))).collect()
}

/// The directories that creating `place` makes, parents first. Parents that stay, or that no start
/// made, are not among them.
pub(super) fn planned(host: &Hierarchies, place: &CgroupPath) -> Vec<SharedText> {
    let parents = match place.keeps_parents() {
        true => 0,
        false => place.parents().count(),
    };
    let mut dirs = Vec::with_capacity(host.list.len());
    for leaf in leaves(host, place).into_iter().flatten() {
        let start = dirs.len();
        let parents = above(&leaf).take(parents);
        let missing = |dir: &SharedText| !dir.as_path().exists() || is_made(dir.as_path());
        dirs.extend(parents.filter(missing));
        // Outermost first.
        dirs.get_mut(start..).unwrap_or_default().reverse();
        dirs.push(leaf);
    }
    dirs
}

/// The directories above one, the next first.
pub(super) fn above(dir: &SharedText) -> impl Iterator<Item = SharedText> + use<> {
    std::iter::successors(dir.parent(), SharedText::parent)
}

/// Removes what a start that was killed made of its plan. Nothing was placed there yet, and `rmdir(2)` spares a cgroup that
/// anybody uses.
pub(crate) fn remove_planned(dirs: &[SharedText]) {
    for dir in dirs.iter().rev() {
        let is = |dir: &OwnedFd, version| is_cgroup(dir.as_fd(), version);
        let found = at::open_root(dir.as_path());
        if found.is_ok_and(|dir| is(&dir, Version::V1) || is(&dir, Version::V2)) {
            let _ = std::fs::remove_dir(dir);
        }
    }
}
