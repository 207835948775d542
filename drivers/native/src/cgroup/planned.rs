//! The cgroups that a start is about to make, written down before: a host program may be killed in between.

use super::create::is_made;
use super::delegation;
use super::detect::{Hierarchies, Hierarchy, Version, is_cgroup};
use super::path::CgroupPath;
use crate::at;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The directories that creating `place` makes, parents first. Parents that stay, or that no start
/// made, are not among them.
pub(super) fn planned(host: &Hierarchies, place: &CgroupPath) -> Vec<String> {
    let mut dirs = Vec::with_capacity(host.list.len());
    for hierarchy in &host.list {
        note_missing(hierarchy, place, &mut dirs);
    }
    dirs
}

fn note_missing(hierarchy: &Hierarchy, place: &CgroupPath, dirs: &mut Vec<String>) {
    let Some(own) = &hierarchy.own else {
        return;
    };
    let handed = place.is_delegated().then(|| delegation::top(hierarchy));
    let handed = handed.flatten();
    let mut last = place.above(&hierarchy.mount, handed.as_deref().unwrap_or(own));
    if !place.keeps_parents() {
        let parents = last.ancestors().take(place.parents().len());
        let start = dirs.len();
        dirs.extend(
            parents
                .filter(|path| !path.exists() || is_made(path))
                .map(|path| text(path.to_owned())),
        );
        // Outermost first.
        dirs.get_mut(start..).unwrap_or_default().reverse();
    }
    last.push(place.leaf());
    dirs.push(text(last));
}

fn text(path: PathBuf) -> String {
    let text = path.into_os_string().into_string();
    text.unwrap_or_else(|path| path.to_string_lossy().into_owned())
}

/// Removes what a start that was killed made of its plan. Nothing was placed there yet, and `rmdir(2)` spares a cgroup that
/// anybody uses.
pub(crate) fn remove_planned(dirs: &[String]) {
    for dir in dirs.iter().rev().map(Path::new) {
        let is = |dir: &OwnedFd, version| is_cgroup(dir.as_fd(), version);
        let found = at::open_root(dir);
        if found.is_ok_and(|dir| is(&dir, Version::V1) || is(&dir, Version::V2)) {
            let _ = std::fs::remove_dir(dir);
        }
    }
}
