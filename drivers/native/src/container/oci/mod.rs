//! Containers as an OCI runtime has them: made by one process, started by another, deleted by a third.
//!
//! ```text
//! create:  document -> (state, cgroup) -> Plan -> launch up to the hold -> the creator ends
//! start:   record -> the socket on which init waits -> the program runs
//! delete:  record -> cgroup and state removed
//! ```
//!
//! What the record says is where the container got; whether it lives is asked of the kernel each time.

mod affinity;
mod checkpoint;
mod class;
mod create;
mod delete;
mod document;
mod error;
mod exec;
mod features;
mod hooks;
mod images;
mod interfaces;
mod launched;
mod limits;
mod listener;
mod masters;
mod notify;
mod place;
mod points;
mod restore;
mod signal;
mod sources;
mod start;
mod state;
mod words;

pub use checkpoint::Checkpoint;
pub use create::Create;
pub use error::{OciError, OciResult};
pub use exec::Exec;
pub use features::features;
pub use images::{CgroupMode, Criued};
pub use launched::{Launched, Outcome};
pub use limits::{Watch, Watched};
pub use restore::Restore;
pub use state::{SPEC_VERSION, State, Status};

use super::Containers;
use crate::cgroup::Manager;
use crate::cgroup::kept::Kept;
use crate::ready::Stock;
use crate::state::{Entry, LOCK_PATIENCE, Locked, Record, StateError};
use std::path::Path;

/// The containers of an OCI runtime below one root.
#[derive(Debug)]
pub struct Runtime {
    containers: Containers,
}

impl Runtime {
    /// Opens the root, making what is missing of it. With `systemd` cgroups are made by systemd.
    ///
    /// # Errors
    /// The root cannot be used, or systemd does not answer.
    pub fn open(root: &Path, systemd: bool) -> OciResult<Self> {
        let name = Manager::NAMES[usize::from(systemd)];
        let manager = Manager::named(name).unwrap_or_default();
        manager.check().map_err(execdriver_core::Error::from)?;
        let containers = Containers::open(root, manager, Stock::Nothing, Kept::new(0))?;
        Ok(Self { containers })
    }

    /// The directory and the record of a container.
    fn load(&self, id: &str) -> OciResult<(Entry, Record)> {
        let found = self.containers.store.load(id);
        found.map_err(|error| named(id, error))
    }
}

/// Transitions of one container are one at a time.
fn lock(entry: &Entry) -> OciResult<Locked> {
    let locked = entry.lock(LOCK_PATIENCE);
    locked.map_err(|error| named(entry.id(), error))
}

fn named(id: &str, error: StateError) -> OciError {
    match error {
        StateError::NotFound { .. } => OciError::NotFound { id: id.to_owned() },
        StateError::AlreadyExists { .. } => OciError::Exists { id: id.to_owned() },
        StateError::InvalidId { .. } => OciError::InvalidId { id: id.to_owned() },
        other => OciError::Driver(other.into()),
    }
}
