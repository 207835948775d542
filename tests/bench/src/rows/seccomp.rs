//! What it costs to load the default filter of system calls: ours against libseccomp's of the same profile.

use crate::Result;
use crate::pairs::Pairs;
use crate::report::{Row, Unit};

/// The most that a load may cost, seconds.
const MOST: f64 = 200e-6;

/// What libseccomp 2.5 makes of the profile for the same three machines; a test of the driver writes it.
#[cfg(target_arch = "x86_64")]
const OTHER: Option<&[u8]> = Some(include_bytes!(
    "../../../../fixtures/seccomp/docker-x86_64.libseccomp.bpf"
));
#[cfg(not(target_arch = "x86_64"))]
const OTHER: Option<&[u8]> = None;

pub(crate) fn measure(pairs: usize) -> Result<Vec<Row>> {
    let load = |program: &[u8]| Ok(floor::time_of_load(program)?);
    let own = || load(floor::FILTER);
    let mut rows = Vec::new();
    if let Some(other) = OTHER {
        let instructions = |program: &[u8]| program.len() / 8;
        rows.push(Row {
            name: "load of the default filter against libseccomp's program".into(),
            unit: Unit::Micros,
            target: Some(1.0),
            pairs: Pairs::take(pairs, own, || load(other))?,
            did: format!(
                "A: seccomp(2) with the docker profile's program as containers get it ({} instructions), in a thread that \
                 ends afterwards. B: the program that libseccomp 2.5.4 makes of the same document ({} instructions).",
                instructions(floor::FILTER),
                instructions(other)
            ),
        });
    }
    let times = Pairs::take(pairs, own, own)?;
    rows.push(Row {
        name: "load of the default filter against 200 us".into(),
        unit: Unit::Micros,
        target: Some(1.0),
        pairs: times.against(MOST),
        did: "A: as above. B: the target.".into(),
    });
    Ok(rows)
}
