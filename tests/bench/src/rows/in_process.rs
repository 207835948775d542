//! `run` inside this process: against the straight-line program that makes the same container, and against other runtimes,
//! which have to be started as processes.

use crate::Result;
use crate::host::Host;
use crate::pairs::{Pairs, time};
use crate::peers;
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::rows::{bubblewrap, cold};
use crate::version_one;
use floor::Floor;

/// The container of the other runtimes.
const ID: &str = "execdriver-bench-in-process";

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let host = Host::open(&place.state("in-process"), &place.rootfs())?;
    let floor = Floor::new(&place.rootfs())?;
    let against_floor = Pairs::take(
        pairs,
        || time(|| host.run_captured()),
        || time(|| Ok(floor.run("execdriver-bench-floor")?)),
    )?;
    let mut rows = vec![Row {
        name: "`run` in process against the floor".into(),
        unit: Unit::Millis,
        target: Some(1.4),
        pairs: against_floor,
        did: "A: `Driver::run` of a static `true` from a root file system, docker profile with its filter of system calls, \
              output and errors captured by pipes, state on a tmpfs. B: the straight-line calls of `tests/bench/floor` and \
              `tests/bench/freestanding/child.rs` for the same container: a cgroup in every hierarchy with device rules, \
              vfork-style clone3 into mnt, uts, ipc, pid and net namespaces, a sealed static child, cgroup namespace, clone \
              of the root, proc, tmpfs, sysfs, devpts, mqueue, shm and cgroup mounts, nodes, links, masks, read-only paths, \
              pivot, host name, loopback, session keyring, capabilities, the very same filter, exec, both pipes read to \
              their ends, wait, removal; no state, no locks, no counters, no plan, no reset of what a host hands down."
            .into(),
    }];
    drop(host);
    rows.push(with_pool(place, &floor, pairs)?);
    rows.extend(version_one::within(&[ID], || against_peers(place, pairs))?);
    rows.extend(against_bubblewrap(place, &floor, pairs)?);
    Ok(rows)
}

/// The first row with network namespaces that are made while nobody waits.
fn with_pool(place: &Place, floor: &Floor, pairs: usize) -> Result<Row> {
    let options = ["native.netns_pool=4"];
    let host = Host::with_options(&place.state("in-process-pool"), &place.rootfs(), &options)?;
    let pairs = Pairs::take(
        pairs,
        || time(|| host.run_captured()),
        || time(|| Ok(floor.run("execdriver-bench-floor")?)),
    )?;
    Ok(Row {
        name: "the same with `native.netns_pool=4`".into(),
        unit: Unit::Millis,
        target: Some(1.4),
        pairs,
        did: "As above, but A takes its network namespace from those that a thread of the driver has made meanwhile, and makes \
              none itself; B makes its own."
            .into(),
    })
}

fn against_peers(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let host = Host::open(&place.state("in-process-v1"), &place.rootfs())?;
    let own = || time(|| host.run_captured());
    let mut rows = Vec::new();
    let mut row = |name: String, target, pairs, did: &str| {
        rows.push(Row {
            name,
            unit: Unit::Millis,
            target: Some(target),
            pairs,
            did: did.into(),
        });
    };
    let youki = peers::youki(&place.workspace);
    let others = [
        (Some("crun"), 0.25, pairs, cold::CGROUPFS),
        (Some("runc"), 0.1, pairs, &[]),
        (youki.as_deref(), 0.1, pairs, &[]),
    ];
    for (program, target, pairs, flags) in others {
        if let Some(program) = program
            && let Some(version) = peers::version(program)
        {
            let other = || cold::oci(place, program, flags, ID);
            let name = format!("`run` in process against `{}` as a process", version.trim());
            let pairs = Pairs::take(pairs, own, other)?;
            let did = "A: as against the floor. B: `run` of a bundle as in the cold rows, with the same filter's document.";
            row(name, target, pairs, did);
        }
    }
    Ok(rows)
}

fn against_bubblewrap(place: &Place, floor: &Floor, pairs: usize) -> Result<Vec<Row>> {
    let Some(version) = peers::version("bwrap") else {
        return Ok(Vec::new());
    };
    let state = place.state("in-process-bubblewrap");
    let host = Host::open(&state, &place.rootfs())?;
    let own = || time(|| host.run_captured());
    let nearest = || bubblewrap::nearest(place);
    let least = || bubblewrap::least(place);
    Ok(vec![
        Row {
            name: format!("`run` in process against `{version}` as a process"),
            unit: Unit::Millis,
            target: Some(0.34),
            pairs: Pairs::take(pairs, own, nearest)?,
            did: format!("A: as against the floor. B: {}", bubblewrap::NEAREST),
        },
        Row {
            name: format!("the floor against `{version}` as a process"),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(pairs, || time(|| Ok(floor.run("execdriver-bench-floor")?)), nearest)?,
            did: "A: as in the first of these rows its B, in this process. B: as in the row before. It shows what can be reached.".into(),
        },
        Row {
            name: format!("`run` in process against the least that `{version}` does"),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(pairs, own, least)?,
            did: format!("A: as against the floor. B: {}", bubblewrap::LEAST),
        },
    ])
}
