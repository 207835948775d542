//! `run` in a big and busy host against a small one.

use crate::Result;
use crate::host::Remote;
use crate::pairs::Pairs;
use crate::peers;
use crate::place::Place;
use crate::report::{Row, Unit};
use std::path::Path;

pub(crate) fn measure(place: &Place, runs: usize) -> Result<Vec<Row>> {
    let (mut big, mut small) = hosts(place, &[])?;
    let resting = Pairs::take(runs, || big.run(), || small.run())?;
    big.busy(true)?;
    let beside = Pairs::take(runs, || big.run(), || small.run())?;
    let unlike = Pairs::take(runs.min(200), || big.run_other(), || small.run_other())?;
    let alone = Pairs::take(
        runs.min(200),
        || {
            big.busy(true)?;
            let time = big.run()?;
            big.busy(false)?;
            Ok(time)
        },
        || small.run(),
    )?;
    drop((big, small));
    let mut rows = vec![
        Row {
            name: "`run` in a big host against a small one, both on the machine that the big one keeps busy".into(),
            unit: Unit::Millis,
            target: Some(1.15),
            pairs: beside,
            did: "A: a host process with 4 GiB resident and 64 threads that allocate and free without a pause. B: the same \
                  program without them, while A's threads go on: both share the processors with these, so what differs \
                  is the size and the threads of the host. A failed or a hanging run (60 s) ends these rows; they are \
                  measured once more then, which is said below the table. Output and errors are captured by pipes."
                .into(),
        },
        Row {
            name: "the same, each of its runs unlike all before in more than id, root and words".into(),
            unit: Unit::Millis,
            target: None,
            pairs: unlike,
            did: "As the first of these rows, each command with a host name of its own: no document of an earlier start becomes it, and it \
                  is translated anew, under the C library's locks."
                .into(),
        },
        Row {
            name: "`run` in a big host against a small one, the threads resting".into(),
            unit: Unit::Millis,
            target: Some(1.15),
            pairs: resting,
            did: "A: the big host, its 64 threads asleep. B: the small host.".into(),
        },
        Row {
            name: "`run` in a big busy host against a small one on an idle machine".into(),
            unit: Unit::Millis,
            target: None,
            pairs: alone,
            did: "As row 1 of the big host, but A's threads rest while B runs. It shows what the machine's scheduler makes \
                  of more threads than processors rather than what the host's size costs."
                .into(),
        },
    ];
    if let Some(allocator) = peers::allocator() {
        rows.insert(1, without_locks(place, runs, &allocator)?);
    }
    Ok(rows)
}

/// The first row where the host's threads share no allocator's lock with the one that calls `run`.
fn without_locks(place: &Place, runs: usize, allocator: &Path) -> Result<Row> {
    let allocator = allocator.to_str().ok_or("an allocator's path is no text")?;
    let (mut big, mut small) = hosts(place, &[("LD_PRELOAD", allocator)])?;
    big.busy(true)?;
    Ok(Row {
        name: "the same, both hosts with jemalloc in place of the C library's allocator".into(),
        unit: Unit::Millis,
        target: Some(1.15),
        pairs: Pairs::take(runs, || big.run(), || small.run())?,
        did: "As before, with Debian's libjemalloc2 preloaded, whose threads have their own stores and share no lock: what is left is \
              the driver's and the kernel's."
            .into(),
    })
}

fn hosts(place: &Place, env: &[(&str, &str)]) -> Result<(Remote, Remote)> {
    let big = Remote::start("big", &place.state("big"), &place.rootfs(), env)?;
    let small = Remote::start("small", &place.state("small"), &place.rootfs(), env)?;
    Ok((big, small))
}
