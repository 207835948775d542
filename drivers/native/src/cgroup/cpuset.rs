//! Cpusets of version 1: a new one takes no process before it has processors and memory nodes, those of its parent.

use super::create::Place;
use super::error::CgroupError;
use crate::at;
use std::ffi::OsStr;
use std::os::fd::AsFd;

/// The files without which a cpuset of version 1 takes no process.
const FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// A new version 1 cpuset has no cpus and no memory nodes, and takes no process until it has.
pub(super) fn inherit(parent: &Place, child: &Place) -> Result<(), CgroupError> {
    for file in FILES {
        if of(child, file)?.trim_ascii().is_empty() {
            let value = of(parent, file)?;
            at::write(child.dir.as_fd(), OsStr::new(file), value.trim_ascii())
                .map_err(CgroupError::io("write the cpuset of", &child.path))?;
        }
    }
    Ok(())
}

/// Lets the kernel fill what is made in one of our own parents. To write the same there compares the new cpuset with each of its
/// siblings (`validate_change`), 0.4 ms beside a thousand; who has no such file is filled by [`inherit`].
pub(super) fn hand_down(parent: &Place) {
    let file = OsStr::new("cgroup.clone_children");
    let _ = at::write(parent.dir.as_fd(), file, b"1");
}

fn of(place: &Place, file: &str) -> Result<Vec<u8>, CgroupError> {
    at::read_record(place.dir.as_fd(), OsStr::new(file), 1 << 16)
        .map_err(CgroupError::io("read the cpuset of", &place.path))
}

/// Whether it has what its children are to have.
pub(super) fn is_filled(place: &Place) -> bool {
    FILES
        .into_iter()
        .all(|file| of(place, file).is_ok_and(|value| !value.trim_ascii().is_empty()))
}
