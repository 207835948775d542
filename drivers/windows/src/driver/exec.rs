//! `exec`: one more process in a container, whoever runs that.

use super::Shared;
use super::life::{Course, Life, request};
use super::run::check_size;
use super::streams::Plan;
use crate::NAME;
use crate::backend::{Process, ProcessIdentity};
use crate::exit::{self, KILLED};
use crate::limits::Limits;
use crate::names::SystemName;
use crate::state::{self, ExecRecord, Record, Status, host};
use execdriver_core::{
    ContainerId, Error, ExecRequest, ExitStatus, HookStage, Hooks, Pipes, Result, Terminal,
};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

impl Shared {
    pub(super) fn exec(
        &self,
        id: &str,
        asked: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        let began = Instant::now();
        let exec_id = refuse(asked, &pipes)?;
        self.backend.check_exec(&asked.process)?;
        let limits = self.exec_limits(asked)?;
        let record = self.enter(id, &exec_id, asked)?;
        let name = self.root.name(id)?.of_run(record.run);
        let entered = Entered {
            shared: self,
            name: &name,
            exec_id: &exec_id,
            sent: Cell::new(0),
        };
        let system = self.system(&name)?;
        let life = Life {
            id,
            exec_id: Some(exec_id.as_str()),
            config: &asked.process,
            options: &asked.options,
            hooks,
            traits: self.backend.traits(),
            began,
        };
        let outcome = Plan::new(pipes, asked.process.tty, self.backend.traits()).and_then(|plan| {
            let (mut request, copied) = request(&asked.process, plan);
            if asked.process.env.is_empty() {
                request.environment = &record.environment;
            }
            request.limits = limits;
            request.working_dir = asked.cwd.as_deref().unwrap_or(&record.working_dir);
            life.live(system, request, copied, &entered)
        });
        let outcome = outcome.map(|ended| {
            let mut status = exit::status(ended.code, ended.timed_out, entered.sent.get());
            status.wall = ended.wall;
            (status.cpu_user, status.cpu_system) = ended.times.unzip();
            status.output_truncated = ended.finished.truncated;
            status.stream_errors = ended.finished.errors.into_iter().map(Arc::new).collect();
            status
        });
        drop(entered);
        let errors = hooks.run_post_stop(&life.context(HookStage::PostStop, 0));
        let mut status = outcome?;
        status.post_stop_errors = errors;
        Ok(status)
    }

    /// Its own limits, judged before anything is made.
    fn exec_limits(&self, asked: &ExecRequest) -> Result<Option<Limits>> {
        let Some(resources) = &asked.resources else {
            return Ok(None);
        };
        let limits = Limits::of(resources)?;
        if !self.backend.limits_as_jobs() {
            let what = "limits of an exec (windows.backend=job has them)";
            return Err(Error::unsupported(NAME, what));
        }
        self.check_limits(&limits)?;
        Ok(Some(limits))
    }

    /// Takes the exec's id in a container that runs.
    fn enter(&self, id: &str, exec_id: &ContainerId, asked: &ExecRequest) -> Result<Record> {
        let entry = self.root.lock(id)?;
        let record = entry.read()?;
        runs(id, &record)?;
        // A host that died has left the record alone.
        self.alive(&entry.name, &record)?;
        let own = ExecRecord {
            version: state::VERSION,
            host: host::own(),
            process: None,
            command: state::words(&asked.process),
            tty: asked.process.tty,
            signals: 0,
        };
        entry.create_exec(exec_id, &own)?;
        Ok(record)
    }
}

/// What can be refused before anything is made.
fn refuse(asked: &ExecRequest, pipes: &Pipes) -> Result<ContainerId> {
    pipes.check()?;
    asked.process.validate()?;
    check_size(&asked.process)?;
    let lacks = |what: &str| Err(Error::unsupported(NAME, format!("{what} of an exec")));
    if asked.process.privileged || !asked.process.user.is_empty() {
        return lacks("another user");
    }
    if asked.capabilities.is_some() {
        return lacks("capabilities");
    }
    let made_up = || format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    ContainerId::parse(&asked.exec_id.clone().unwrap_or_else(made_up))
}

/// Refuses a container in which nothing can begin.
fn runs(id: &str, record: &Record) -> Result<()> {
    let id = id.to_owned();
    match record.status {
        Status::Running => Ok(()),
        Status::Paused => Err(Error::Paused { id }),
        Status::Starting => Err(Error::NotRunning { id }),
    }
}

/// An exec that was written down; dropped, it is forgotten.
struct Entered<'a> {
    shared: &'a Shared,
    name: &'a SystemName,
    exec_id: &'a ContainerId,
    /// The signals that it, or its container, was sent by its end.
    sent: Cell<u64>,
}

impl Entered<'_> {
    fn modify<T>(&self, change: impl FnOnce(&mut ExecRecord) -> Result<T>) -> Result<T> {
        let entry = self.shared.root.lock(&self.name.id)?;
        runs(&self.name.id, &entry.read()?)?;
        let mut record = entry.read_exec(self.exec_id)?;
        self.aborted_by(&record)?;
        let value = change(&mut record)?;
        entry.write_exec(self.exec_id, &record)?;
        Ok(value)
    }

    fn aborted_by(&self, record: &ExecRecord) -> Result<()> {
        if record.signals == 0 {
            return Ok(());
        }
        let id = self.exec_id.to_string();
        Err(Error::Aborted { id })
    }
}

impl Course for Entered<'_> {
    fn made(&self, identity: ProcessIdentity) -> Result<()> {
        self.modify(|record| {
            record.process = Some(identity);
            Ok(())
        })
    }

    fn begin(&self, release: &dyn Fn() -> Result<()>) -> Result<()> {
        self.modify(|_| release())
    }

    fn aborted(&self) -> Result<()> {
        self.modify(|_| Ok(()))
    }

    fn terminal(&self, terminal: Option<Arc<dyn Terminal>>) {
        let exec_id = Some(self.exec_id.as_str());
        self.shared.reach(&self.name.id, exec_id, terminal);
    }

    fn kill(&self, process: &dyn Process) -> Result<()> {
        process.terminate(KILLED)
    }

    fn ended(&self) {
        let entry = self.shared.root.lock(&self.name.id);
        let sent = entry.and_then(|entry| {
            let own = entry.read_exec(self.exec_id)?.signals;
            Ok(own | entry.read()?.signals)
        });
        // Without a record its container is gone, by a kill or by its end.
        self.sent.set(sent.unwrap_or(0));
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // What stays goes with the container.
        if let Ok(entry) = self.shared.root.lock(&self.name.id) {
            let _ = entry.remove_exec(self.exec_id);
        }
    }
}
