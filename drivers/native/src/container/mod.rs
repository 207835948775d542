//! Containers of one driver root: from their command to their end, and what others do meanwhile.
//!
//! ```text
//! run:   Command -> Spec -> (state, cgroup) -> Plan -> launch -> watch -> clean -> ExitStatus
//! exec:  ExecRequest -> record -> ExecSpec -> Plan -> launch -> watch -> ExitStatus
//! else:  record on disk -> the process by its pidfd, the cgroup by its descriptors
//! ```
//!
//! What is made is held by values that remove it when they are dropped ([`made::Made`],
//! [`entered::Entered`]), so that an error, or a panic in a hook, leaves nothing behind.

mod covered;
mod descriptors;
mod drafts;
mod entered;
mod error;
mod exec;
mod filter;
mod gate;
mod host;
mod life;
mod list;
mod made;
mod mapped;
mod members;
pub(crate) mod oci;
mod oom;
mod pause;
mod run;
mod signal;
mod starved;
mod stats;
mod stop;
mod taken;
mod terminals;
mod traced;
mod update;
mod waiting;
mod watch;

use crate::cgroup::Manager;
use crate::cgroup::devices::DevicePrograms;
use crate::cgroup::kept::Kept;
use crate::facts::{HostFacts, Known, Status as ThreadStatus};
use crate::launch::Process;
use crate::ready::Stock;
use crate::seccomp::Filters;
use crate::shelf::Shelf;
use crate::state::{Entry, Liveness, ProcessId, Record, StateError, Store};
use execdriver_core::spec::Draft;
use execdriver_core::{Error, Result};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use terminals::Terminals;

/// The containers below one driver root.
#[derive(Debug)]
pub(crate) struct Containers {
    store: Store,
    manager: Manager,
    terminals: Terminals,
    device_programs: DevicePrograms,
    filters: Filters,
    drafts: Shelf<Draft>,
    /// Read by the first start: the other verbs need none.
    facts: OnceLock<Known>,
    /// Of the host's huge pages, read by the first `stats`: they are the same until it reboots.
    page_sizes: OnceLock<Vec<String>>,
    /// Open files of those that are read, and those in which something is executed, again and again.
    kept: Kept,
    stock: Stock,
}

impl Containers {
    /// Opens the root, making what is missing of it.
    pub(crate) fn open(root: &Path, manager: Manager, stock: Stock, kept: Kept) -> Result<Self> {
        Ok(Self {
            store: Store::open(root)?,
            manager,
            terminals: Terminals::default(),
            device_programs: DevicePrograms::default(),
            filters: Filters::default(),
            drafts: Shelf::new(),
            facts: OnceLock::new(),
            page_sizes: OnceLock::new(),
            kept,
            stock,
        })
    }

    /// Who makes the cgroups.
    pub(crate) fn manager(&self) -> &Manager {
        &self.manager
    }

    /// The facts of the host, as a start needs them.
    fn facts(&self) -> Arc<HostFacts> {
        self.facts_with(None)
    }

    /// The same, and what was read for them of the calling thread's standing, where somebody wants it.
    fn facts_with(&self, status: Option<&mut Option<ThreadStatus>>) -> Arc<HostFacts> {
        self.facts.get_or_init(Known::read).now_with(status)
    }

    /// The same for who makes no cgroup.
    fn facts_but_cgroups(&self) -> Arc<HostFacts> {
        self.facts.get_or_init(Known::read).but_cgroups()
    }

    /// The record of a container that lives.
    fn live(&self, id: &str) -> Result<(Entry, Record)> {
        let (entry, record) = self.store.load(id)?;
        Self::check_alive(&entry, &record)?;
        Ok((entry, record))
    }

    /// The same with its first process, by a descriptor that is surely its own: opened first, and its identity asked after.
    fn live_process(&self, id: &str) -> Result<(Entry, Record, Option<Process>)> {
        let (entry, record) = self.store.load(id)?;
        let pid = record.init.as_ref().map(|init| i32::try_from(init.pid));
        let process = pid.and_then(|pid| Process::open(pid.ok()?).ok());
        Self::check_alive(&entry, &record)?;
        Ok((entry, record, process))
    }

    fn check_alive(entry: &Entry, record: &Record) -> Result<()> {
        let id = entry.id();
        match record.liveness() {
            Liveness::Alive => Ok(()),
            Liveness::Zombie | Liveness::Gone => Err(Error::NotRunning { id: id.to_owned() }),
            Liveness::Foreign => Err(StateError::ForeignPidNamespace { path: entry.path() }.into()),
            Liveness::Unknown(errno) => Err(StateError::unidentified(entry.path(), errno).into()),
        }
    }
}

/// What failed in a container that has ended meanwhile failed because of that, whatever step it
/// was; what a hook returned is the hook's.
fn unless_ended(record: &Record, error: Error) -> Error {
    match error {
        hook @ Error::Hook { .. } => hook,
        _ if record.init.as_ref().is_none_or(ProcessId::is_ending) => {
            let id = record.id.to_string();
            Error::NotRunning { id }
        }
        other => other,
    }
}
