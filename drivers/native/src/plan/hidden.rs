//! An exec in a container that may look into every process: set up in the host's pid namespace to the end, and shown last.
//!
//! CAP_SYS_PTRACE gets around dumpability (ptrace(2)), so in a container that has it, and no user namespace of its own, a
//! process that is still the host's would be the container's to steer (CVE-2016-9962). A process of another pid namespace
//! has no number there: nothing of the container can name it. What enters the pid namespace in the end has the container's
//! own rights, and no descriptor but its streams and the socket.

use super::process::Wanted;
use super::steps::Steps;
use super::{PlanError, filter};
use crate::wire::Op;
use oci_spec::runtime::{LinuxSchedulerFlag, LinuxSchedulerPolicy};

/// Enters the pid namespace with nothing left that the container has not.
pub(super) fn show(
    wanted: &Wanted<'_>,
    no_new_privileges: bool,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    let refuse = |what: &str| {
        let where_ = "for an exec in a container with CAP_SYS_PTRACE";
        Err(PlanError::unsupported(format!("{what} {where_}")))
    };
    // sched(7): neither would be the child's.
    let lost = wanted
        .process
        .scheduler()
        .as_ref()
        .is_some_and(|scheduler| {
            let flags = scheduler.flags().as_deref().unwrap_or_default();
            *scheduler.policy() == LinuxSchedulerPolicy::SchedDeadline
                || flags.contains(&LinuxSchedulerFlag::SchedResetOnFork)
        });
    if lost {
        return refuse("a deadline or a reset on fork (scheduler)");
    }
    // The listener is told which process it is about, and that is not there yet when the filter is loaded.
    let notifies = wanted
        .input
        .filter
        .as_ref()
        .is_some_and(|filter| filter.notifies);
    if notifies && !no_new_privileges {
        return refuse("a listener (SCMP_ACT_NOTIFY) without no_new_privileges");
    }
    filter::plan(wanted.input, no_new_privileges, steps)?;
    steps.push(&Op::Bare {}, "give up what the container may not see");
    steps.push(&Op::Fork {}, "enter the pid namespace");
    wanted.session(steps);
    Ok(())
}
