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

/// Signals that mean nothing to a process that does not ask for them (signal(7): ignored by default).
const HARMLESS: [i32; 4] = [17, 18, 23, 28];
/// Signals that are a console event on Windows.
const EVENTS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];

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

    pub(super) fn kill(&self, target: &Target, signal: Signal) -> Result<()> {
        match target {
            Target::Container(id) => self.kill_container(id, signal),
            Target::Exec { container, exec } => self.kill_exec(container, exec, signal),
        }
    }

    fn kill_container(&self, id: &str, signal: Signal) -> Result<()> {
        let entry = self.root.lock(id)?;
        let mut record = entry.read()?;
        if record.status == Status::Starting {
            if !host::is_alive(record.host) {
                return Err(Error::NotRunning { id: id.to_owned() });
            }
            // Its start asks for this before it goes on.
            if ends(signal)? {
                record.signals |= bit(signal);
                entry.write(&record)?;
            }
            return Ok(());
        }
        let name = entry.name.clone();
        drop(entry);
        let (system, process) = self.alive(&name, &record)?;
        if !ends(signal)? {
            return Ok(());
        }
        let entry = self.root.lock(id)?;
        let mut now = entry.read()?;
        if now.run != record.run {
            return Err(Error::NotRunning { id: id.to_owned() });
        }
        now.signals |= bit(signal);
        entry.write(&now)?;
        drop(entry);
        match signal {
            Signal::KILL => system.terminate(KILLED),
            _ => self.ask_to_end(&*system, &*process, signal),
        }
    }

    /// A service that sends no console events is asked for the end of the container, which is what TERM is sent for.
    fn ask_to_end(
        &self,
        system: &dyn ComputeSystem,
        process: &dyn Process,
        signal: Signal,
    ) -> Result<()> {
        let shuts_down = self.backend.traits().shuts_down;
        match process.signal(signal) {
            Err(Error::Unsupported { .. }) if signal == Signal::TERM && shuts_down => {
                system.shutdown(Duration::ZERO).map(drop)
            }
            answer => answer,
        }
    }

    fn kill_exec(&self, id: &str, exec: &str, signal: Signal) -> Result<()> {
        let exec = ContainerId::parse(exec)?;
        loop {
            let entry = self.root.lock(id)?;
            let (name, record) = (entry.name.clone(), entry.read()?);
            let before = entry.read_exec(&exec)?;
            drop(entry);
            let (system, _) = self.alive(&name, &record)?;
            let process = self.exec_process(&*system, before.process, &exec)?;
            if !ends(signal)? {
                return Ok(());
            }
            let entry = self.root.lock(id)?;
            let mut now = entry.read_exec(&exec)?;
            if now.process != before.process {
                // It has begun meanwhile.
                continue;
            }
            now.signals |= bit(signal);
            entry.write_exec(&exec, &now)?;
            drop(entry);
            return match (process, signal) {
                // Its start asks for the signal before it goes on.
                (None, _) => Ok(()),
                (Some(process), Signal::KILL) => process.terminate(KILLED),
                (Some(process), _) => process.signal(signal),
            };
        }
    }

    fn exec_process(
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

    pub(super) fn terminate(&self, id: &str) -> Result<()> {
        let entry = self.root.lock(id)?;
        let mut record = match entry.read() {
            Ok(record) => record,
            // A host that died before it wrote anything down.
            Err(Error::NotFound { .. }) if entry.is_taken() => return entry.remove(),
            Err(error) => return Err(error),
        };
        record.signals |= bit(Signal::KILL);
        entry.write(&record)?;
        let name = entry.name.of_run(record.run);
        drop(entry);
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

/// Whether the signal asks a process to end; the others are harmless.
///
/// # Errors
/// `Unsupported` for what Windows knows nothing like.
fn ends(signal: Signal) -> Result<bool> {
    if signal == Signal::PROBE || HARMLESS.contains(&signal.number()) {
        return Ok(false);
    }
    if signal == Signal::KILL || EVENTS.contains(&signal) {
        return Ok(true);
    }
    let what = format!("signal {signal}: Windows knows KILL, TERM, INT, HUP and QUIT");
    Err(Error::unsupported(NAME, what))
}

fn key(id: &str, exec: Option<&str>) -> String {
    // An id has no dots.
    format!("{id}.{}", exec.unwrap_or_default())
}
