//! A container that is no virtual machine, paused: its processes are processes of the host, and are suspended one by one.
//!
//! The service itself pauses virtual machines alone. With process isolation the pids of its process list are the host's
//! ("Isolation modes" of Microsoft's documentation of containers); a guest's pids are not. So a process counts as the
//! host's only if it was made at the very time that the list tells (in 100 ns), and what is not told is not suspended.

use super::document;
use super::system::System;
use super::{HcsError, Service, properties};
use crate::NAME;
use crate::backend::ProcessIdentity;
use execdriver_core::{Error, Result};
use std::time::{Duration, Instant};

/// How long new processes may keep appearing while all are being suspended.
const PAUSE: Duration = Duration::from_secs(10);

/// The processes of a container.
///
/// # Errors
/// What the service said; `Timeout`.
pub(super) fn processes(system: &System) -> Result<Vec<ProcessIdentity>, HcsError> {
    let document = system.properties(&document::properties("ProcessList"))?;
    properties::processes(&document).map_err(|source| HcsError::Document {
        call: "HcsGetComputeSystemProperties",
        object: system.object().to_owned(),
        source,
    })
}

/// Suspends every process, until a look finds no new one; `None` when they are not the host's.
///
/// # Errors
/// What the system said; `Unsupported` when only some are the host's; `Timeout`. Then nothing stays suspended.
pub(super) fn suspend(system: &System, id: &str) -> Result<Option<Vec<ProcessIdentity>>> {
    let mut suspended = Vec::new();
    let outcome = suspend_all(system, id, &mut suspended);
    if !matches!(outcome, Ok(true)) {
        // The error of the pause is the one to tell.
        let _ = resume(system, &suspended);
    }
    Ok(outcome?.then_some(suspended))
}

/// Lets these go on.
///
/// # Errors
/// The first one; the others go on all the same.
pub(super) fn resume(system: &System, suspended: &[ProcessIdentity]) -> Result<()> {
    let mut first = Ok(());
    for process in suspended.iter().copied() {
        let object = object(process, system);
        let act = move |service: &dyn Service| service.resume_process(process);
        let resumed = system.host().ask("NtResumeProcess", &object, act);
        first = first.and(resumed.map(drop));
    }
    Ok(first?)
}

fn suspend_all(system: &System, id: &str, suspended: &mut Vec<ProcessIdentity>) -> Result<bool> {
    let end = Instant::now() + PAUSE;
    // What was listed and is no process of the host's: it has ended, or it never was one.
    let mut foreign: Vec<ProcessIdentity> = Vec::new();
    loop {
        let listed = processes(system)?;
        let (known, fresh): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .partition(|process| suspended.contains(process));
        let stays = fresh.iter().find(|process| foreign.contains(process));
        if let Some(process) = stays.filter(|_| !known.is_empty()) {
            let what = format!(
                "pausing {id:?}, whose process {} is none of this host's",
                process.pid
            );
            return Err(Error::unsupported(NAME, what));
        }
        if fresh.is_empty() || stays.is_some() {
            return Ok(!known.is_empty());
        }
        if Instant::now() > end {
            return Err(Error::Timeout {
                operation: format!("pause {id:?}: new processes appear ({PAUSE:?})"),
            });
        }
        for process in fresh {
            // 0: the service does not tell when it was made.
            if process.created != 0 && suspend_one(system, process)? {
                suspended.push(process);
            } else {
                foreign.push(process);
            }
        }
    }
}

fn suspend_one(system: &System, process: ProcessIdentity) -> Result<bool, HcsError> {
    let act = move |service: &dyn Service| service.suspend_process(process);
    let object = object(process, system);
    let reply = system.host().ask("NtSuspendProcess", &object, act)?;
    Ok(reply.value)
}

fn object(process: ProcessIdentity, system: &System) -> String {
    format!("process {} of {}", process.pid, system.object())
}
