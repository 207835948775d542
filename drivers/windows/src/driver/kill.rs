//! Signals to a container and to an exec, from whichever process.

use super::Shared;
use crate::NAME;
use crate::backend::{ComputeSystem, Process};
use crate::exit::KILLED;
use crate::state::{Status, bit, host};
use execdriver_core::{ContainerId, Error, Result, Signal, Target};
use std::time::Duration;

/// Signals that mean nothing to a process that does not ask for them (signal(7): ignored by default).
const HARMLESS: [i32; 4] = [17, 18, 23, 28];
/// Signals that are a console event on Windows.
const EVENTS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];

impl Shared {
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
        if shuts_down && self.settings.force_kill {
            return system.terminate(KILLED);
        }
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
