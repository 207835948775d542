//! Whether something in a container's pid namespace may have CAP_SYS_PTRACE, which decides how an exec enters it.

use super::Containers;
use crate::plan::{FdSlot, JoinFrom};
use crate::state::{Entry, LOCK_PATIENCE, Record};
use execdriver_core::Result;
use oci_spec::runtime::{Capability, LinuxNamespaceType as Kind, Process};

/// Whether a program of the container, or one beside it, may have the capability.
pub(super) fn is_traced(record: &Record) -> bool {
    let mut namespaces = record.namespaces.iter();
    // Whoever else joins that one is none of ours to know.
    let shares = namespaces.any(|one| one.kind == Kind::Pid && !one.own);
    shares || record.traced
}

/// Before an exec that has the capability: later ones are to know.
pub(super) fn note_exec(entry: &Entry, record: &Record, exec: &Process) -> Result<()> {
    if traces(exec) && !is_traced(record) {
        let locked = entry.lock(LOCK_PATIENCE)?;
        locked.modify(|record| record.traced = true)?;
    }
    Ok(())
}

/// The same for the containers whose pid namespace a new one joins.
pub(super) fn note_joined(
    containers: &Containers,
    process: Option<&Process>,
    wanted: &[FdSlot],
) -> Result<()> {
    if !process.is_none_or(traces) {
        return Ok(());
    }
    for slot in wanted {
        let FdSlot::Namespace {
            kind: Kind::Pid,
            from: JoinFrom::Container(id),
        } = slot
        else {
            continue;
        };
        // One that does not run is an error of the descriptor's.
        if let Ok((entry, _)) = containers.live(id) {
            let locked = entry.lock(LOCK_PATIENCE)?;
            locked.modify(|record| record.traced = true)?;
        }
    }
    Ok(())
}

/// What the kernel would let the process have at most; unknown counts as everything.
pub(super) fn traces(process: &Process) -> bool {
    let sets = process.capabilities().as_ref();
    let bounding = sets.and_then(|sets| sets.bounding().as_ref());
    bounding.is_none_or(|bounding| bounding.contains(&Capability::SysPtrace))
}
