//! The time namespace: whether there is one, and the text of its offsets.

use super::namespaces::Namespaces;
use super::steps::Steps;
use super::{Host, PlanError};
use crate::wire::Op;
use execdriver_core::Spec;
use oci_spec::runtime::LinuxNamespaceType as Kind;

const CLOCKS: [&str; 2] = ["boottime", "monotonic"];

/// Judges the document's clocks.
pub(super) fn check(
    spec: &Spec,
    namespaces: &Namespaces,
    host: &Host,
) -> Result<String, PlanError> {
    if !namespaces.is_host(Kind::Time) && !host.time_namespaces {
        return Err(PlanError::unsupported(
            "time_offsets: the kernel has no time namespaces",
        ));
    }
    let offsets = offsets(spec)?;
    if !offsets.is_empty() && !namespaces.creates(Kind::Time) {
        let reason = "got offsets, but linux.namespaces has no new time namespace";
        return Err(PlanError::invalid("linux.timeOffsets", reason));
    }
    Ok(offsets)
}

/// Enters it while init may still write its own files, and before the container's first process
/// is cloned into a pid namespace.
pub(super) fn enter(offsets: &str, steps: &mut Steps) {
    let offsets = offsets.as_bytes();
    let words = "create the time namespace (time_offsets)";
    steps.push(&Op::TimeOffsets { offsets }, words);
}

/// The lines of `/proc/PID/timens_offsets`: clock, seconds, nanoseconds (time_namespaces(7)).
fn offsets(spec: &Spec) -> Result<String, PlanError> {
    let linux = spec.oci.linux().as_ref();
    let Some(given) = linux.and_then(|linux| linux.time_offsets().as_ref()) else {
        return Ok(String::new());
    };
    if let Some(clock) = given.keys().find(|clock| !CLOCKS.contains(&clock.as_str())) {
        let reason = format!("got the clock {clock:?}, expected monotonic and boottime");
        return Err(PlanError::invalid("linux.timeOffsets", reason));
    }
    let mut lines = String::new();
    for clock in CLOCKS {
        let Some(offset) = given.get(clock) else {
            continue;
        };
        let (secs, nanosecs) = (offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
        if nanosecs >= 1_000_000_000 {
            let reason = format!("got {nanosecs}, expected less than a second");
            let field = format!("linux.timeOffsets.{clock}.nanosecs");
            return Err(PlanError::invalid(field, reason));
        }
        lines.push_str(&format!("{clock} {secs} {nanosecs}\n"));
    }
    Ok(lines)
}
