//! What is done to a container by its id, from whichever process.

use super::Shared;
use crate::NAME;
use crate::backend::{ComputeSystem, Process, ProcessIdentity};
use crate::exit::KILLED;
use crate::limits::{Change, Limits};
use crate::names::SystemName;
use crate::state::{Entry, Record, Status, bit, host};
use execdriver_core::{
    ContainerId, ContainerInfo, ContainerState, Error, ResourceStats, Resources, Result, Signal,
    Target, Terminal, WindowSize,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a termination waits for a transition of another's.
const HURRY: Duration = Duration::from_secs(2);

/// How long what was terminated may take to be gone.
const DEATH: Duration = Duration::from_secs(10);

impl Shared {
    /// The container, which somebody made.
    pub(super) fn system(&self, name: &SystemName) -> Result<Arc<dyn ComputeSystem>> {
        let gone = || Error::NotRunning {
            id: name.id.clone(),
        };
        self.backend.open(name)?.ok_or_else(gone)
    }

    /// Puts a terminal in reach of `resize`, or takes it out again.
    pub(super) fn reach(&self, id: &str, exec: Option<&str>, terminal: Option<Arc<dyn Terminal>>) {
        let key = key(id, exec);
        let mut terminals = self.terminals();
        match terminal {
            Some(terminal) => terminals.insert(key, terminal),
            None => terminals.remove(&key),
        };
    }

    /// Refuses a container of which only the record is left.
    pub(super) fn alive(
        &self,
        name: &SystemName,
        record: &Record,
    ) -> Result<(Arc<dyn ComputeSystem>, Arc<dyn Process>)> {
        let gone = || Error::NotRunning {
            id: name.id.clone(),
        };
        let system = self.system(&name.of_run(record.run))?;
        let init = record.init.ok_or_else(gone)?;
        let process = system.open_process(init)?.ok_or_else(gone)?;
        Ok((system, process))
    }

    /// Whether the container is there; what does not answer is not taken for gone.
    fn is_alive(&self, name: &SystemName, record: &Record) -> Result<bool> {
        match self.alive(name, record) {
            Ok(_) => Ok(true),
            Err(Error::NotRunning { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A container whose program has begun, locked: for changes of its state.
    fn running(&self, id: &str) -> Result<(Entry, Record, Arc<dyn ComputeSystem>)> {
        let entry = self.root.lock(id)?;
        let record = begun(id, &entry)?;
        let (system, _) = self.alive(&entry.name, &record)?;
        Ok((entry, record, system))
    }

    /// The same to be looked at: no lock is held while it is asked, which may take long.
    fn seen(&self, id: &str) -> Result<(Record, Arc<dyn ComputeSystem>)> {
        let entry = self.root.lock(id)?;
        let (name, record) = (entry.name.clone(), begun(id, &entry)?);
        drop(entry);
        let (system, _) = self.alive(&name, &record)?;
        Ok((record, system))
    }

    pub(super) fn exec_process(
        &self,
        system: &dyn ComputeSystem,
        identity: Option<ProcessIdentity>,
        exec: &ContainerId,
    ) -> Result<Option<Arc<dyn Process>>> {
        let Some(identity) = identity else {
            return Ok(None);
        };
        let gone = || Error::NotRunning {
            id: exec.to_string(),
        };
        Ok(Some(system.open_process(identity)?.ok_or_else(gone)?))
    }

    pub(super) fn resize(&self, target: &Target, size: WindowSize) -> Result<()> {
        let id = target.container();
        let entry = self.root.lock(id)?;
        let (name, record) = (entry.name.clone(), entry.read()?);
        let of_exec = match target {
            Target::Container(_) => None,
            Target::Exec { exec, .. } => {
                let parsed = ContainerId::parse(exec)?;
                let record = entry.read_exec(&parsed)?;
                Some((exec.as_str(), parsed, record))
            }
        };
        drop(entry);
        let (system, init) = self.alive(&name, &record)?;
        let (tty, exec, process) = match of_exec {
            None => (record.tty, None, Some(init)),
            Some((exec, parsed, of_exec)) => {
                let process = self.exec_process(&*system, of_exec.process, &parsed)?;
                (of_exec.tty, Some(exec), process)
            }
        };
        if !tty {
            return Ok(());
        }
        let own = self.terminals().get(&key(id, exec)).cloned();
        match (own, process) {
            (Some(terminal), _) => terminal.resize(size),
            // Another program's, or another handle's.
            (None, Some(process)) => process.resize(size),
            (None, None) => Err(Error::NotRunning { id: id.to_owned() }),
        }
    }

    pub(super) fn pause(&self, id: &str) -> Result<()> {
        let (entry, mut record, system) = self.running(id)?;
        if record.status == Status::Paused {
            return Ok(());
        }
        let suspended = system.pause()?;
        record.suspended = suspended;
        record.status = Status::Paused;
        let written = entry.write(&record);
        if written.is_err() {
            // Nobody would know what to let go on.
            let _ = system.resume(&record.suspended);
        }
        written
    }

    pub(super) fn unpause(&self, id: &str) -> Result<()> {
        let (entry, mut record, system) = self.running(id)?;
        if record.status == Status::Running {
            return Ok(());
        }
        system.resume(&record.suspended)?;
        record.suspended.clear();
        record.status = Status::Running;
        entry.write(&record)
    }

    pub(super) fn pids(&self, id: &str) -> Result<Vec<u32>> {
        let (record, system) = self.seen(id)?;
        let mut pids = system.processes()?;
        let first = record.init.map(|init| init.pid);
        pids.sort_by_key(|pid| Some(*pid) != first);
        Ok(pids)
    }

    /// Whoever has the lock may wait for a system that does not answer; this must not wait for both.
    pub(super) fn terminate(&self, id: &str) -> Result<()> {
        let (name, record) = match self.doomed(id) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(()),
            Err(Error::Timeout { .. }) => self.root.peek(id)?,
            Err(error) => return Err(error),
        };
        let name = name.of_run(record.run);
        if let Some(system) = self.backend.open(&name)? {
            system.terminate(KILLED)?;
            self.await_death(&name, &*system)?;
        }
        // The program in `run` removes the rest.
        if host::is_alive(record.host) {
            return Ok(());
        }
        self.root.lock(id)?.remove_run(record.run)
    }

    /// Writes down that the container is being killed; `None` when nothing was written down of it.
    fn doomed(&self, id: &str) -> Result<Option<(SystemName, Record)>> {
        let entry = self.root.lock_within(id, HURRY)?;
        let mut record = match entry.read() {
            Ok(record) => record,
            // A host that died before it wrote anything down.
            Err(Error::NotFound { .. }) if entry.is_taken() => {
                return entry.remove().map(|()| None);
            }
            Err(error) => return Err(error),
        };
        record.signals |= bit(Signal::KILL);
        entry.write(&record)?;
        Ok(Some((entry.name.clone(), record)))
    }

    fn await_death(&self, name: &SystemName, system: &dyn ComputeSystem) -> Result<()> {
        let end = Instant::now() + DEATH;
        loop {
            let left = system.processes().unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(Error::Driver {
                    driver: NAME.to_owned(),
                    operation: format!("terminate {:?}: {left:?} survive", name.id),
                    source: None,
                });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn clean(&self, id: &str) -> Result<()> {
        let entry = self.root.lock(id)?;
        let record = match entry.read() {
            Ok(record) => record,
            Err(Error::NotFound { .. }) => return entry.remove(),
            Err(error) => return Err(error),
        };
        let starts = record.status == Status::Starting && host::is_alive(record.host);
        if starts || self.is_alive(&entry.name, &record)? {
            return Err(Error::Running { id: id.to_owned() });
        }
        entry.remove()
    }

    pub(super) fn stats(&self, id: &str) -> Result<ResourceStats> {
        let (record, system) = self.seen(id)?;
        let mut stats = system.stats()?;
        if stats.memory_limit == 0 {
            let limit = match record.limits.memory {
                Change::Set(limit) => limit,
                Change::Keep | Change::Remove => self.backend.machine_memory(),
            };
            stats.memory_limit = i64::try_from(limit).unwrap_or(i64::MAX);
        }
        Ok(stats)
    }

    pub(super) fn update(&self, id: &str, resources: &Resources) -> Result<()> {
        let changes = Limits::of(resources)?;
        self.check_limits(&changes)?;
        let (entry, mut record, system) = self.running(id)?;
        if changes.is_empty() {
            return Ok(());
        }
        system.modify(&record.limits, &changes)?;
        let before = record.limits;
        record.limits = before.then(changes);
        entry.write(&record).inspect_err(|_| {
            // All or nothing: what holds has to be what is written.
            let _ = system.modify(&Limits::default(), &before);
        })
    }

    pub(super) fn list(&self) -> Result<Vec<ContainerInfo>> {
        let mut list = Vec::new();
        for id in self.root.ids()? {
            let entry = self.root.lock(&id)?;
            let record = match entry.read() {
                Ok(record) => record,
                Err(Error::NotFound { .. }) if !entry.is_taken() => continue,
                Err(_) => {
                    list.push(ContainerInfo::new(id, ContainerState::Stopped));
                    continue;
                }
            };
            let name = entry.name.clone();
            drop(entry);
            let alive = self.is_alive(&name, &record)?;
            let starts = record.status == Status::Starting && host::is_alive(record.host);
            let state = match alive || starts {
                true => record.status.into(),
                false => ContainerState::Stopped,
            };
            let mut info = ContainerInfo::new(id, state);
            info.pid = record.init.filter(|_| alive).map(|init| init.pid);
            info.command = record.command;
            info.started_unix_ms = record.started_unix_ms;
            list.push(info);
        }
        Ok(list)
    }
}

/// What is written down of a container whose program has begun.
fn begun(id: &str, entry: &Entry) -> Result<Record> {
    let record = entry.read()?;
    match record.status {
        Status::Starting => Err(Error::NotRunning { id: id.to_owned() }),
        _ => Ok(record),
    }
}

fn key(id: &str, exec: Option<&str>) -> String {
    // An id has no dots.
    format!("{id}.{}", exec.unwrap_or_default())
}
