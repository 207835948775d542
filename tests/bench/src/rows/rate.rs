//! Starts by several callers at once: more callers must not make it slower, whoever else is.

use crate::Result;
use crate::host::Host;
use crate::pairs::Pairs;
use crate::peers::version;
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::version_one;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Containers in each measurement.
const STARTS: usize = 64;
/// The same where the callers themselves are 64: with one run each, all of them begin and end at the same time.
const MANY_STARTS: usize = 256;

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let state = place.state("rate");
    let hosts: Result<Vec<Host>> = (0..MANY_STARTS)
        .map(|number| Host::numbered(&state, &place.rootfs(), number))
        .collect();
    let hosts = hosts?;
    let own = |starts, callers| shared(starts, callers, |number| hosts[number].run());
    let mut rows = Vec::new();
    for (starts, more, fewer) in [(STARTS, 8, 1), (MANY_STARTS, 64, 8), (STARTS, 64, 8)] {
        rows.push(Row {
            name: format!("{starts} runs by {more} callers against by {fewer}"),
            unit: Unit::Millis,
            target: Some(1.0),
            pairs: Pairs::take(pairs, || own(starts, more), || own(starts, fewer))?,
            did: format!(
                "{starts} runs of a static `true`, docker profile, in one host program, from when all its threads are there and each \
                 has made a run until the last of the {starts} ends. A: by {more} threads, B: by {fewer}."
            ),
        });
    }
    if let Some(crun) = version("crun") {
        let ids: Vec<String> = (0..STARTS)
            .map(|number| format!("execdriver-bench-rate-{number}"))
            .collect();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let pairs = version_one::within(&names, || {
            let peer = || shared(STARTS, 8, |number| oci(place, &ids[number]));
            Pairs::take(pairs, || own(STARTS, 8), peer)
        })?;
        rows.push(Row {
            name: format!("{STARTS} runs by 8 callers against `crun run` by 8 ({crun})"),
            unit: Unit::Millis,
            target: Some(1.0 / 3.0),
            pairs,
            did: "A: as above, by 8 threads. B: `crun run` as a process, 8 at once, bundle and flags as in the cold row.".into(),
        });
    }
    Ok(rows)
}

/// Hands the numbers out to `callers` threads: the time from when each of them has worked once until all is done. A caller's own
/// beginning is no start of a container.
fn shared(
    starts: usize,
    callers: usize,
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<Duration> {
    let next = AtomicUsize::new(0);
    let ready = Barrier::new(callers + 1);
    let caller = |own: usize| -> Result<()> {
        let warm = work(own);
        ready.wait();
        warm?;
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                number if number < starts => work(number)?,
                _ => return Ok(()),
            }
        }
    };
    std::thread::scope(|scope| {
        let caller = &caller;
        let threads: Vec<_> = (0..callers)
            .map(|own| scope.spawn(move || caller(own)))
            .collect();
        ready.wait();
        let begin = Instant::now();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a caller panicked")?)?;
        Ok(begin.elapsed())
    })
}

fn oci(place: &Place, id: &str) -> Result<()> {
    let mut command = Command::new("crun");
    command.arg("--root").arg(place.state("crun"));
    command.args(["--cgroup-manager=cgroupfs", "run", "--bundle"]);
    command.arg(place.bundle("true")).arg(id);
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{status}: {command:?}").into()),
    }
}
