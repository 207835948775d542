//! `delete`: the end of a container, and of whatever a crash has left of one.

use super::{OciError, OciResult, Runtime, Status, hooks, lock, named, state};
use crate::cgroup::{Cgroup, remove_planned};
use crate::container::made::KILL_PATIENCE;
use crate::container::stop::kill_first;
use crate::state::{Record, StateError};
use execdriver_core::Error;

impl Runtime {
    /// Removes a container that is stopped, or was never started; with `force` any, and one that is not there is fine.
    /// Gives a sentence for each `poststop` hook that failed, which changes nothing (runtime.md).
    ///
    /// # Errors
    /// There is none, it runs, or something of it stays.
    pub fn delete(&self, id: &str, force: bool) -> OciResult<Vec<String>> {
        let store = &self.containers.store;
        let (entry, record) = match store.load(id) {
            Ok(found) => found,
            // A creation that was killed before it wrote its record, perhaps.
            Err(StateError::NotFound { .. }) => {
                let removed = store
                    .remove_unrecorded(id)
                    .map_err(|error| named(id, error))?;
                return match removed || force {
                    true => Ok(Vec::new()),
                    false => Err(OciError::NotFound { id: id.to_owned() }),
                };
            }
            // Nobody can read it and nobody waits for it.
            Err(error) if error.is_damage() => {
                let removed = store.remove_untrusted(id);
                return removed
                    .map(|()| Vec::new())
                    .map_err(|error| named(id, error));
            }
            Err(error) => return Err(named(id, error)),
        };
        let status = state::status(&record);
        if !force && !matches!(status, Status::Stopped | Status::Created) {
            return Err(OciError::NotStopped {
                id: id.to_owned(),
                status,
            });
        }
        if status == Status::Creating {
            // Whoever makes it gives up, and removes what there is when it sees that its process was killed.
            self.containers.terminate(id)?;
        }
        let locked = match lock(&entry) {
            // Somebody was faster.
            Err(OciError::NotFound { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let record = locked.read().unwrap_or(record);
        end(&record)?;
        locked.remove().map_err(|error| named(id, error))?;
        let bundle = record.bundle.as_deref().cloned().unwrap_or_default();
        let poststop = bundle
            .hooks
            .as_ref()
            .and_then(|all| all.poststop().as_deref());
        let mut state = state::state(&record);
        (state.status, state.pid) = (Status::Stopped, 0);
        Ok(hooks::run_all("poststop", poststop, &state))
    }
}

/// Kills what runs and removes the cgroup.
fn end(record: &Record) -> OciResult<()> {
    let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
    let cgroup = cgroup.map_err(Error::from)?;
    kill_first(record, cgroup.as_ref())?;
    if let Some(cgroup) = cgroup {
        cgroup.destroy(KILL_PATIENCE).map_err(Error::from)?;
    }
    remove_planned(&record.planned_cgroups);
    let bundle = record.bundle.as_deref();
    match bundle.and_then(|bundle| bundle.class.as_ref()) {
        Some(class) => Ok(class.remove()?),
        None => Ok(()),
    }
}
