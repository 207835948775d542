//! The processors on which an exec begins: `process.execCPUAffinity.initial`.
//!
//! They are those of the thread that starts it, which it has until it is in the container's cgroup; `final` is a step of
//! its plan.

use execdriver_core::spec::number_ranges;
use execdriver_core::{Error, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use oci_spec::runtime::Process;

const FIELD: &str = "process.execCPUAffinity.initial";

/// Gives the thread its processors back.
pub(super) struct Moved(Option<CpuSet>);

impl Drop for Moved {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // It had them a moment ago; without them it is slower, and nothing else.
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}

/// Has the calling thread run where `process` is to begin, until the result goes.
///
/// # Errors
/// It is no list, or the thread may use none of them.
pub(super) fn begin(process: &Process) -> Result<Moved> {
    let affinity = process.exec_cpu_affinity().as_ref();
    let list = affinity.and_then(|affinity| affinity.initial().as_deref());
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        return Ok(Moved(None));
    };
    let invalid = |reason: String| Error::invalid(FIELD, format!("got {list:?}, {reason}"));
    let wrong = || invalid("expected a list of processors like 0-2,4".to_owned());
    let mut wanted = CpuSet::new();
    for number in number_ranges(list)
        .ok_or_else(wrong)?
        .into_iter()
        .flat_map(|(first, last)| first..=last)
    {
        let number = usize::try_from(number).map_err(|_| wrong())?;
        wanted
            .set(number)
            .map_err(|errno| invalid(errno.desc().to_lowercase()))?;
    }
    let me = Pid::from_raw(0);
    let before = sched_getaffinity(me).map_err(|errno| invalid(errno.desc().to_lowercase()))?;
    sched_setaffinity(me, &wanted).map_err(|errno| invalid(errno.desc().to_lowercase()))?;
    Ok(Moved(Some(before)))
}
