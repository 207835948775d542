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
    let dirs = host
        .list
        .iter()
        .flat_map(|hierarchy| missing(hierarchy, place));
    dirs.map(|dir| dir.to_string_lossy().into_owned()).collect()
}

fn missing(hierarchy: &Hierarchy, place: &CgroupPath) -> Vec<PathBuf> {
    let Some(own) = &hierarchy.own else {
        return Vec::new();
    };
    let handed = place.is_delegated().then(|| delegation::top(hierarchy));
    let own = handed.flatten().unwrap_or_else(|| own.clone());
    let mut path = hierarchy.mount.clone();
    path.extend(place.base(&own));
    let mut dirs = Vec::new();
    for name in place.parents() {
        path.push(name);
        if !place.keeps_parents() && (!path.exists() || is_made(&path)) {
            dirs.push(path.clone());
        }
    }
    dirs.push(path.join(place.leaf()));
    dirs
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
