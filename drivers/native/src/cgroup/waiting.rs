//! Cgroups that were made for no container yet: called after who made them, so that what a host program left is found and removed.

use super::detect::is_cgroup;
use super::manager::Place;
use super::planned::leaves;
use super::{CgroupError, CgroupPath, Hierarchies};
use crate::at;
use crate::state::{Liveness, ProcessId, boot_id};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime};

/// What their names begin with.
pub(super) const PREFIX: &str = "ready-";

/// No start takes as long from a cgroup to its first process.
const YOUNG: Duration = Duration::from_secs(60);

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

/// Removes those at this place whose maker is gone, or that are old and empty. `rmdir(2)` spares what anybody is in: what waits,
/// and a container that has outlived its host program.
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
            for name in names.iter() {
                if is_abandoned(name, || is_old(dir.as_fd(), name)) {
                    let _ = at::remove_dir(dir.as_fd(), name);
                }
            }
        }
    }
}

/// Of makers in other pid namespaces nothing is known, and one may have executed another program.
fn is_abandoned(name: &OsStr, is_old: impl FnOnce() -> bool) -> bool {
    let maker = name.to_str().and_then(maker);
    maker.is_some_and(|maker| maker.liveness() == Liveness::Gone || is_old())
}

fn is_old(dir: BorrowedFd<'_>, name: &OsStr) -> bool {
    let made = at::stat(dir, name).map(|stat| u64::try_from(stat.st_mtime).unwrap_or(u64::MAX));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let age = |made| Some(now.ok()?.as_secs().saturating_sub(made));
    made.ok()
        .and_then(age)
        .is_some_and(|age| age > YOUNG.as_secs())
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
        let abandoned =
            |maker: &ProcessId, old| is_abandoned(super::name(maker, 7, 3).as_ref(), || old);
        assert!(!abandoned(&own, false), "we live");
        assert!(abandoned(&own, true), "nobody takes as long");
        let mut other = own;
        other.start += 1;
        assert!(abandoned(&other, false));
        other.pid_namespace += 1;
        assert!(!abandoned(&other, false), "nobody knows");
        assert!(!is_abandoned("web".as_ref(), || true));
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
