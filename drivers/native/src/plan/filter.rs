//! The filter of system calls: whether init can work under it, and where it stands in the plan.
//!
//! It is loaded last of all, with or without no_new_privs: init keeps the right to it until then, and under the filter
//! calls little more than `execve(2)`. An init that stays above the program never has the program's filter, which might
//! not let it live, but a narrower one of its own.

use super::steps::Steps;
use super::{PlanError, RunInput};
use crate::seccomp::Filter;
use crate::wire::{CAPS_UNTIL_FILTER, FILTER_NEW_LISTENER, Op};
use execdriver_core::Spec;
use execdriver_core::spec::SeccompChoice;

const FIELD: &str = "seccomp_profile";

/// What `Caps` has to keep for the filter.
pub(super) fn rights(input: &RunInput, no_new_privileges: bool) -> u32 {
    match input.filter {
        Some(_) if !no_new_privileges => CAPS_UNTIL_FILTER,
        _ => 0,
    }
}

/// The init that stays gets its own, before it starts the program.
pub(super) fn guard(input: &RunInput, steps: &mut Steps) {
    if let Some(filter) = &input.filter {
        let program = &filter.guard;
        steps.push(&Op::Guard { program }, "confine init");
    }
}

/// The program's.
pub(super) fn plan(
    input: &RunInput,
    no_new_privileges: bool,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    let Some(filter) = &input.filter else {
        return Ok(());
    };
    check(filter, input, no_new_privileges)?;
    let listener = match filter.notifies {
        true => FILTER_NEW_LISTENER,
        false => 0,
    };
    steps.push(
        &Op::Filter {
            flags: filter.flags | listener,
            program: &filter.program,
        },
        "filter system calls",
    );
    Ok(())
}

/// What would end or stop init is said before anything is started.
fn check(filter: &Filter, input: &RunInput, no_new_privileges: bool) -> Result<(), PlanError> {
    let refuse = |reason: String| Err(PlanError::invalid(FIELD, reason));
    if filter.denies("execve") {
        return refuse("it denies execve, without which no program is started".to_owned());
    }
    if !no_new_privileges && filter.denies("capset") {
        let reason = "it denies capset, by which init gives up the right to load it before the \
                      program is executed (allow it, or set no_new_privileges)";
        return refuse(reason.to_owned());
    }
    if !filter.notifies {
        return Ok(());
    }
    if !input.listener {
        let reason = "it asks a listener (SCMP_ACT_NOTIFY), and nobody takes it \
                      (Hooks::on_seccomp_listener)";
        return refuse(reason.to_owned());
    }
    // The one who would answer has not got the listener yet.
    let calls = ["sendmsg", "read", "capset"];
    let needed = calls.get(..2 + usize::from(!no_new_privileges));
    for call in needed.unwrap_or_default() {
        if !filter.lets_through(call) {
            return refuse(format!(
                "it asks a listener, and does not allow {call}, by which init hands the listener over"
            ));
        }
    }
    Ok(())
}

/// A sentence for each part of the filter that is not in force.
pub(super) fn unenforced(spec: &Spec, input: &RunInput) -> Vec<String> {
    let document = spec.oci.linux().as_ref();
    let own = document.is_some_and(|linux| linux.seccomp().is_some());
    let default = matches!(spec.seccomp, SeccompChoice::Default | SeccompChoice::Strict) && !own;
    match &input.filter {
        None if default => vec![
            "the default seccomp filter: the kernel has none (CONFIG_SECCOMP_FILTER)".to_owned(),
        ],
        Some(filter) if !filter.unknown.is_empty() => {
            let names = filter.unknown.join(", ");
            vec![format!(
                "rules of the seccomp profile: no machine has the system calls {names}"
            )]
        }
        _ => Vec::new(),
    }
}
