//! The containers that live, by id.

use crate::process::Process;
use execdriver_core::{Command, ContainerState, Error, Result, Target};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A container that lives.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) command: Command,
    pub(crate) process: Arc<Process>,
    pub(crate) execs: BTreeMap<String, Arc<Process>>,
    pub(crate) state: ContainerState,
    pub(crate) started_unix_ms: u64,
}

impl Live {
    /// The process that `target` means.
    pub(crate) fn target(&self, target: &Target) -> Result<&Process> {
        match target {
            Target::Container(_) => Ok(&self.process),
            Target::Exec { exec, .. } => match self.execs.get(exec) {
                Some(process) => Ok(process),
                None => Err(Error::NotFound { id: exec.clone() }),
            },
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    live: Mutex<BTreeMap<String, Live>>,
}

impl Table {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a container that starts.
    pub(crate) fn insert(&self, command: &Command, process: &Arc<Process>) -> Result<()> {
        let mut live = self.lock();
        let id = command.id.clone();
        if live.contains_key(&id) {
            return Err(Error::AlreadyExists { id });
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let entry = Live {
            command: command.clone(),
            process: Arc::clone(process),
            execs: BTreeMap::new(),
            state: ContainerState::Starting,
            started_unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        };
        live.insert(id, entry);
        Ok(())
    }

    /// Applies `act` to the container `id`.
    pub(crate) fn with<T>(&self, id: &str, act: impl FnOnce(&mut Live) -> Result<T>) -> Result<T> {
        execdriver_core::ContainerId::parse(id)?;
        match self.lock().get_mut(id) {
            Some(live) => act(live),
            None => Err(Error::NotFound { id: id.to_owned() }),
        }
    }
}
