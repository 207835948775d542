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
use std::time::Duration;

/// The container of the other runtimes.
const ID: &str = "execdriver-bench-in-process";

/// What can be made ahead, and what A does with it.
const POOLS: [(&str, &str); 2] = [
    (
        "native.netns_pool",
        "As above, but A takes its network namespace from those that a thread of the driver has made meanwhile, and makes \
         none itself; B makes its own. Between all runs are 5 ms in which nothing is timed.",
    ),
    (
        "native.sandbox_pool",
        "As above, but A also takes from what was made meanwhile: what is on `/dev` and `/sys`, its IPC namespace, its cgroups, and a \
         first process that waits in them. Its cgroups are removed by the driver's thread when it has ended, in those 5 ms; B removes \
         its own within its time.",
    ),
];

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
    for (option, did) in POOLS {
        rows.push(with_pool(place, &floor, option, did, pairs)?);
    }
    rows.extend(version_one::within(&[ID], || against_peers(place, pairs))?);
    rows.extend(against_bubblewrap(place, &floor, pairs)?);
    Ok(rows)
}

/// What is made ahead is made between the starts: as long as these are apart.
const APART: Duration = Duration::from_millis(5);

/// The first row with things that are made while nobody waits.
fn with_pool(place: &Place, floor: &Floor, option: &str, did: &str, pairs: usize) -> Result<Row> {
    let state = place.state(&format!("in-process-{option}"));
    let host = Host::with_options(&state, &place.rootfs(), &[format!("{option}=4")])?;
    let pairs = Pairs::take(
        pairs,
        || apart(|| time(|| host.run_captured())),
        || apart(|| time(|| Ok(floor.run("execdriver-bench-floor")?))),
    )?;
    Ok(Row {
        name: format!("the same with `{option}=4`, 5 ms apart"),
        unit: Unit::Millis,
        target: Some(1.4),
        pairs,
        did: did.into(),
    })
}

/// What is timed, and a rest that is not.
fn apart(timed: impl FnOnce() -> Result<Duration>) -> Result<Duration> {
    let time = timed();
    std::thread::sleep(APART);
    time
}

fn against_peers(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let host = Host::open(&place.state("in-process-v1"), &place.rootfs())?;
    let own = || apart(|| time(|| host.run_captured()));
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
            let other = || apart(|| cold::oci(place, program, flags, ID));
            let name = format!("`run` in process against `{}` as a process", version.trim());
            let pairs = Pairs::take(pairs, own, other)?;
            let did = "A: as against the floor. B: `run` of a bundle as in the cold rows, with the same filter's document. Between all \
                 runs are 5 ms in which nothing is timed, so that what one leaves to the kernel's workers is not the other's.";
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
    let own = || apart(|| time(|| host.run_captured()));
    let state = place.state("in-process-bubblewrap-pool");
    let pooled = Host::with_options(&state, &place.rootfs(), &["native.sandbox_pool=4"])?;
    let pooled = || apart(|| time(|| pooled.run_captured()));
    let bare = || apart(|| time(|| Ok(floor.run("execdriver-bench-floor")?)));
    let nearest = || apart(|| bubblewrap::nearest(place, floor));
    let alone = || apart(|| bubblewrap::alone(place));
    let least = || apart(|| bubblewrap::least(place));
    let row = |name: &str, target, pairs, did: String| Row {
        name: name.replace("bwrap", &format!("`{version}`")),
        unit: Unit::Millis,
        target,
        pairs,
        did,
    };
    let as_above = "A: as against the floor. B: ";
    Ok(vec![
        row(
            "`run` in process against bwrap as a process, 5 ms apart",
            Some(1.0 / 3.0),
            Pairs::take(pairs, own, nearest)?,
            format!("{as_above}{}", bubblewrap::NEAREST),
        ),
        row(
            "the same with `native.sandbox_pool=4`",
            Some(1.0 / 3.0),
            Pairs::take(pairs, pooled, nearest)?,
            "A: with what `native.sandbox_pool` makes ahead, and removes behind, as against the floor. B: as in the row before.".into(),
        ),
        row(
            "the floor against bwrap, likewise",
            None,
            Pairs::take(pairs, bare, nearest)?,
            "A: as in the first of these rows its B, in this process. It shows what can be reached by who makes all when asked.".into(),
        ),
        row(
            "`run` in process against bwrap without cgroups",
            None,
            Pairs::take(pairs, own, alone)?,
            format!("{as_above}{}", bubblewrap::ALONE),
        ),
        row(
            "the same with `native.sandbox_pool=4`, against bwrap without cgroups",
            None,
            Pairs::take(pairs, pooled, alone)?,
            "A: with what `native.sandbox_pool` makes ahead, and removes behind, as against the floor. B: as in the row before.".into(),
        ),
        row(
            "`run` in process against the least that bwrap does",
            None,
            Pairs::take(pairs, own, least)?,
            format!("{as_above}{}", bubblewrap::LEAST),
        ),
    ])
}
