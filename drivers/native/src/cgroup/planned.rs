//! Where a container's cgroups will be, and those that a start is about to make, written down before: a host program may be
//! killed in between.

use super::create::is_made;
use super::delegation;
use super::detect::{Hierarchies, Version, is_cgroup};
use super::path::CgroupPath;
use crate::at;
use crate::shared_text::SharedText;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

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

/// How long a first process may take to see that its host program is gone, and to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Removes what a start that was killed made of its plan. Only its first process can have been there, which ends by itself, and
/// `rmdir(2)` spares a cgroup that anybody uses.
pub(crate) fn remove_planned(dirs: &[SharedText]) {
    let deadline = Instant::now() + PATIENCE;
    for dir in dirs.iter().rev() {
        let Ok(open) = at::open_root(dir.as_path()) else {
            continue;
        };
        if is_cgroup(open.as_fd(), Version::V1) || is_cgroup(open.as_fd(), Version::V2) {
            while is_busy(&std::fs::remove_dir(dir))
                && has_processes(&open)
                && Instant::now() < deadline
            {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Of its own: those of cgroups below it stay as long as these do.
fn has_processes(dir: &OwnedFd) -> bool {
    let procs = at::read(dir.as_fd(), OsStr::new("cgroup.procs"), 1 << 16);
    procs.is_ok_and(|procs| !procs.is_empty())
}

fn is_busy(removed: &std::io::Result<()>) -> bool {
    let error = removed.as_ref().err();
    error.is_some_and(|error| error.kind() == ErrorKind::ResourceBusy)
}
