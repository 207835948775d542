//! `run` inside this process against the straight-line program that makes the same container.

use crate::Result;
use crate::host::Host;
use crate::pairs::{Pairs, time};
use crate::place::Place;
use crate::report::{Row, Unit};
use floor::Floor;

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let host = Host::open(&place.state("in-process"), &place.rootfs())?;
    let floor = Floor::new(&place.rootfs())?;
    let pairs = Pairs::take(
        pairs,
        || time(|| host.run()),
        || time(|| Ok(floor.run("execdriver-bench-floor")?)),
    )?;
    Ok(vec![Row {
        name: "`run` in process against the floor".into(),
        unit: Unit::Millis,
        target: Some(2.0),
        pairs,
        did: "A: `Driver::run` of a static `true` from a root file system, docker profile, all streams null, state on a \
              tmpfs. B: the straight-line calls of `tests/bench/floor` and `tests/bench/freestanding/child.rs` for the \
              same container: a cgroup in every hierarchy with device rules, vfork-style clone3 into mnt, uts, ipc, pid \
              and net namespaces, a sealed static child, cgroup namespace, clone of the root, proc, tmpfs, sysfs, devpts, \
              mqueue, shm and cgroup mounts, nodes, links, masks, read-only paths, pivot, host name, loopback, \
              capabilities, exec, wait, removal; no state, no streams, no locks, no counters, no plan."
            .into(),
    }])
}
