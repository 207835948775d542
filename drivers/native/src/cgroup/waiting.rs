//! Cgroups that were made for no container yet: called after who made them, so that what a host program left is found and removed.

use super::detect::is_cgroup;
use super::manager::Place;
use super::planned::leaves;
use super::{CgroupError, CgroupPath, Hierarchies};
use crate::at;
use crate::state::{Liveness, ProcessId, boot_id};
use std::ffi::OsStr;
use std::os::fd::AsFd;

/// What their names begin with.
pub(super) const PREFIX: &str = "ready-";

/// The name of the n-th that this thread of a process makes.
fn name(host: &ProcessId, thread: i32, count: u64) -> String {
    let ProcessId {
        pid,
        start,
        pid_namespace,
        ..
    } = host;
    format!("{PREFIX}{pid_namespace}-{pid}-{start}-{thread}-{count}")
}

/// Where it is: in the driver's own parent.
///
/// # Errors
/// None for these names.
pub(crate) fn place(host: &ProcessId, thread: i32, count: u64) -> Result<Place, CgroupError> {
    let path = CgroupPath::new("/execdriver", &name(host, thread, count))?;
    Ok(Place::Directory(path.keeping_parents()))
}

/// Removes those at this place whose maker is gone. `rmdir(2)` spares what anybody is in: a container that has outlived its host
/// program. An empty one of a maker that may live could be that of a container whose counters are about to be read.
pub(crate) fn sweep(host: &Hierarchies, place: &Place) {
    let Place::Directory(place) = place else {
        return;
    };
    for (hierarchy, leaf) in host.list.iter().zip(leaves(host, place)) {
        let parent = leaf.and_then(|leaf| leaf.parent());
        let open = parent.map(|parent| at::open_straight(parent.as_path()));
        let Some(Ok(dir)) = open else {
            continue;
        };
        if is_cgroup(dir.as_fd(), hierarchy.version) {
            let names = at::subdirectories(dir.as_fd()).unwrap_or_default();
            for name in names.iter().filter(|name| is_abandoned(name)) {
                let _ = at::remove_dir(dir.as_fd(), name);
            }
        }
    }
}

/// Of makers in other pid namespaces nothing is known.
fn is_abandoned(name: &OsStr) -> bool {
    let maker = name.to_str().and_then(maker);
    maker.is_some_and(|maker| maker.liveness() == Liveness::Gone)
}

/// Who made a cgroup of this name. They are gone when the machine starts anew, so it was in this boot.
fn maker(name: &str) -> Option<ProcessId> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let mut next = || parts.next()?.parse::<u64>().ok();
    let (pid_namespace, pid, start) = (next()?, next()?, next()?);
    let (_thread, _count) = (next()?, next()?);
    let pid = u32::try_from(pid).ok()?;
    parts.next().is_none().then_some(ProcessId {
        pid,
        start,
        boot: boot_id().ok()?,
        pid_namespace,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_maker_and_no_other_name_does() {
        let own = ProcessId::own().unwrap();
        let name = name(&own, 7, 3);
        assert_eq!(maker(&name), Some(own.clone()));
        let abandoned = |maker: &ProcessId| is_abandoned(super::name(maker, 7, 3).as_ref());
        assert!(!abandoned(&own), "we live");
        let mut other = own;
        other.start += 1;
        assert!(abandoned(&other));
        other.pid_namespace += 1;
        assert!(!abandoned(&other), "nobody knows");
        for odd in [
            "ready",
            "ready-",
            "ready-1-2-3-4",
            "ready-1-2-3-4-5-6",
            "ready-1--3-4-5",
            "ready-1-x-3-4-5",
            "ready-1-99999999999-3-4-5",
            "web",
        ] {
            assert_eq!(maker(odd), None, "{odd}");
        }
    }
}
