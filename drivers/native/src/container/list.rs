//! Which containers there are, and which processes are in them.

use super::{Containers, error, unless_ended};
use crate::cgroup::{Cgroup, pidns};
use crate::state::{Record, StateError};
use execdriver_core::{ContainerInfo, ContainerState, Error, Result};
use nix::errno::Errno;

impl Containers {
    /// Every id that has a state directory, sorted; a damaged one counts as stopped.
    pub(crate) fn list(&self) -> Result<Vec<ContainerInfo>> {
        let mut list = Vec::new();
        for id in self.store.list()? {
            match self.store.load(&id) {
                Ok((_, record)) => list.push(info(&record)),
                Err(error) if error.is_damage() => {
                    list.push(ContainerInfo::new(id, ContainerState::Stopped));
                }
                Err(StateError::NotFound { .. }) if self.store.is_unrecorded(&id)? => {
                    list.push(ContainerInfo::new(id, ContainerState::Stopped));
                }
                // Removed since we looked, or about to begin.
                Err(StateError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(list)
    }

    /// The processes of a container, the first one first.
    pub(crate) fn pids(&self, id: &str) -> Result<Vec<u32>> {
        let (_, record) = self.live(id)?;
        let not_running = || Error::NotRunning { id: id.to_owned() };
        let init = record.init.as_ref().ok_or_else(not_running)?.pid;
        let found = match &record.cgroup {
            Some(recorded) => Cgroup::open(recorded)
                .and_then(|cgroup| cgroup.pids())
                .map_err(|error| unless_ended(&record, error.into()))?,
            None => match pidns::pids(init) {
                Ok(pids) => pids,
                Err(Errno::ESRCH) => return Err(not_running()),
                Err(Errno::ENOTSUP) => {
                    let what = "pids of a container with neither a cgroup nor a pid namespace";
                    return Err(Error::unsupported(crate::NativeDriver::NAME, what));
                }
                Err(errno) => return Err(error::driver(format!("list the pids of {id}"), errno)),
            },
        };
        let mut pids = found.pids;
        pids.sort_by_key(|pid| (*pid != init, *pid));
        Ok(pids)
    }
}

fn info(record: &Record) -> ContainerInfo {
    let mut state = record.state();
    let frozen = |recorded| Cgroup::open(recorded).is_ok_and(|cgroup| cgroup.is_frozen());
    if state == ContainerState::Running && record.cgroup.as_ref().is_some_and(frozen) {
        state = ContainerState::Paused;
    }
    let mut info = ContainerInfo::new(record.id.to_string(), state);
    if state != ContainerState::Stopped {
        info.pid = record.init.as_ref().map(|init| init.pid);
    }
    info.command = record.command.iter().map(str::to_owned).collect();
    info.started_unix_ms = record.started_unix_ms;
    info
}
