//! Terminate and clean: the end of a container, whoever started it.

use super::descriptors::first_process;
use super::made::{KILL_PATIENCE, signal_bit};
use super::{Containers, error};
use crate::cgroup::{Cgroup, pidns, remove_planned};
use crate::state::{Entry, LOCK_PATIENCE, Liveness, Record, StateError};
use execdriver_core::{Error, Result};
use nix::errno::Errno;
use std::os::fd::AsFd;
use std::time::Duration;

/// How long the first process may take to end before the others of its cgroup are killed for it.
const ALONE_PATIENCE: Duration = Duration::from_secs(1);

impl Containers {
    /// Kills everything of a container. What it left is removed by the host that waits for it, or
    /// here when that host is gone.
    pub(crate) fn terminate(&self, id: &str) -> Result<()> {
        let _closed_at_last = self.kept.forgetting(id);
        let (entry, record) = match self.store.load(id) {
            Ok(found) => found,
            // A start that was killed before it wrote its record, perhaps.
            Err(StateError::NotFound { .. }) if self.store.remove_unrecorded(id)? => return Ok(()),
            // Nobody can read it and nobody waits for it.
            Err(error) if error.is_damage() => return Ok(self.store.remove_untrusted(id)?),
            Err(error) => return Err(error.into()),
        };
        match record.liveness() {
            Liveness::Foreign => {
                return Err(StateError::ForeignPidNamespace { path: entry.path() }.into());
            }
            Liveness::Unknown(errno) => {
                return Err(StateError::unidentified(entry.path(), errno).into());
            }
            Liveness::Alive | Liveness::Zombie | Liveness::Gone => {}
        }
        let record = mark(&entry)?.unwrap_or(record);
        kill(&record)?;
        match record.parent.liveness() {
            Liveness::Alive => Ok(()),
            Liveness::Unknown(errno) => Err(StateError::unidentified(entry.path(), errno).into()),
            _ => remove(&entry, &record),
        }
    }

    /// Removes what a container that is no more has left.
    pub(crate) fn clean(&self, id: &str) -> Result<()> {
        let _closed_at_last = self.kept.forgetting(id);
        let (entry, record) = match self.store.load(id) {
            Ok(found) => found,
            Err(StateError::NotFound { .. }) => {
                return Ok(self.store.remove_unrecorded(id).map(drop)?);
            }
            Err(error) if error.is_damage() => return Ok(self.store.remove_untrusted(id)?),
            Err(error) => return Err(error.into()),
        };
        match record.liveness() {
            Liveness::Alive => Err(Error::Running { id: id.to_owned() }),
            Liveness::Foreign => Err(StateError::ForeignPidNamespace { path: entry.path() }.into()),
            Liveness::Zombie | Liveness::Gone => remove(&entry, &record),
            Liveness::Unknown(errno) => Err(StateError::unidentified(entry.path(), errno).into()),
        }
    }
}

/// Notes the kill, so that a start is given up and the exit status can tell who did it.
fn mark(entry: &Entry) -> Result<Option<Record>> {
    let locked = match entry.lock(LOCK_PATIENCE) {
        Ok(locked) => locked,
        Err(StateError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let change = |record: &mut Record| {
        record.aborted = true;
        record.signals |= signal_bit(libc::SIGKILL);
    };
    Ok(Some(locked.modify(change)?))
}

fn kill(record: &Record) -> Result<()> {
    let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose()?;
    kill_first(record, cgroup.as_ref())?;
    match cgroup {
        Some(cgroup) => Ok(cgroup.kill_all(KILL_PATIENCE)?),
        None => Ok(()),
    }
}

/// Kills the first process, whose namespace goes with it, and waits for its end.
///
/// A tracer outside of the pid namespace keeps it from that end as long as it looks at nothing (ptrace(2): a traced child is
/// a zombie for its tracer first). One that is in the cgroup, such as what a killed restore has left, is killed too.
pub(super) fn kill_first(record: &Record, cgroup: Option<&Cgroup>) -> Result<()> {
    if let Some(frozen) = cgroup.filter(|cgroup| cgroup.is_frozen_anywhere()) {
        // Whoever is frozen does not die of the kill of the first process.
        frozen.kill_all(KILL_PATIENCE)?;
    }
    let Some(process) = first_process(record) else {
        return Ok(());
    };
    let failed = |errno| error::driver("kill the first process", errno);
    let patience = cgroup.map_or(KILL_PATIENCE, |_| ALONE_PATIENCE);
    match (pidns::kill_init(process.as_fd(), patience), cgroup) {
        (Err(Errno::ETIMEDOUT), Some(cgroup)) => {
            cgroup.kill_all(KILL_PATIENCE)?;
            pidns::kill_init(process.as_fd(), KILL_PATIENCE).map_err(failed)
        }
        (done, _) => done.map_err(failed),
    }
}

fn remove(entry: &Entry, record: &Record) -> Result<()> {
    if let Some(recorded) = &record.cgroup {
        Cgroup::open(recorded)?.destroy(KILL_PATIENCE)?;
    }
    remove_planned(&record.planned_cgroups);
    match entry.lock(LOCK_PATIENCE) {
        Ok(locked) => Ok(locked.remove()?),
        // Somebody was faster.
        Err(StateError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
