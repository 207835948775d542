//! `run`: a container from its creation to the removal of its last trace.

use super::Shared;
use super::life::{Course, Ended, Life, request};
use super::streams::Plan;
use crate::NAME;
use crate::backend::{ComputeSystem, Process, ProcessIdentity};
use crate::exit::{self, KILLED};
use crate::limits::Limits;
use crate::names::SystemName;
use crate::state::{self, Entry, Record, Status, host};
use execdriver_core::{
    Command, Error, ExitStatus, HookStage, Hooks, Pipes, ProcessConfig, Result, RunOptions, Signal,
    Terminal,
};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a container may take to shut down before it is terminated: what Docker grants it.
const SHUTDOWN: Duration = Duration::from_secs(5 * 60);

impl Shared {
    pub(super) fn run(
        &self,
        command: &Command,
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        let began = Instant::now();
        let limits = self.refuse(command, &pipes, hooks)?;
        let run = RandomState::new().hash_one(std::process::id());
        let name = self.root.name(&command.id)?.of_run(run);
        let record = self.record(command, limits, run);
        self.root.lock(&command.id)?.create(&record)?;
        let mut made = Made {
            shared: self,
            name: &name,
            run,
            system: None,
            removed: Cell::new(false),
        };
        let life = Life {
            id: &command.id,
            exec_id: None,
            config: &command.process,
            options,
            hooks,
            traits: self.backend.traits(),
            began,
        };
        let outcome = made.live(&life, command, &limits, pipes);
        let removed = made.remove();
        // Whatever PreStart has done is undone, also where the start failed before it.
        let errors = hooks.run_post_stop(&life.context(HookStage::PostStop, 0));
        let mut status = outcome?;
        status.post_stop_errors = errors;
        status.cleanup_error = removed.err().map(Arc::new);
        Ok(status)
    }

    /// What can be refused before anything is made.
    fn refuse(&self, command: &Command, pipes: &Pipes, hooks: &Hooks<'_>) -> Result<Limits> {
        command.require_windows(NAME)?;
        command.validate()?;
        check_size(&command.process)?;
        pipes.check()?;
        if hooks.seccomp_listener.is_some() {
            return Err(Error::unsupported(NAME, "listeners of system calls"));
        }
        let limits = match &command.resources {
            Some(resources) => Limits::of(resources)?,
            None => Limits::default(),
        };
        self.backend.check(command)?;
        self.check_limits(&limits)?;
        Ok(limits)
    }

    /// Refuses limits that the back-end does not have.
    pub(super) fn check_limits(&self, limits: &Limits) -> Result<()> {
        if limits.wants_job() && !self.backend.limits_as_jobs() {
            let what = "an affinity or a number of processes (windows.backend=job has them)";
            return Err(Error::unsupported(NAME, what));
        }
        self.backend.check_limits(limits)
    }

    fn record(&self, command: &Command, limits: Limits, run: u64) -> Record {
        Record {
            version: state::VERSION,
            backend: self.backend.name().to_owned(),
            run,
            status: Status::Starting,
            host: host::own(),
            init: None,
            command: state::words(&command.process),
            environment: command.process.env.clone(),
            working_dir: command.working_dir.clone(),
            tty: command.process.tty,
            started_unix_ms: state::now_unix_ms(),
            limits,
            suspended: Vec::new(),
            signals: 0,
        }
    }
}

/// Refuses a size that no console has.
pub(super) fn check_size(process: &ProcessConfig) -> Result<()> {
    let fits = |number: u16| (1..=i16::MAX.unsigned_abs()).contains(&number);
    match process.console_size.filter(|_| process.tty) {
        Some(size) if !fits(size.rows) || !fits(size.columns) => {
            let reason = format!("got {size}, expected 1 to 32767 rows and columns");
            Err(Error::invalid("process_config.console_size", reason))
        }
        _ => Ok(()),
    }
}

/// A container that was written down; dropped, nothing of it is left.
struct Made<'a> {
    shared: &'a Shared,
    name: &'a SystemName,
    run: u64,
    system: Option<Arc<dyn ComputeSystem>>,
    removed: Cell<bool>,
}

impl Made<'_> {
    fn live(
        &mut self,
        life: &Life<'_>,
        command: &Command,
        limits: &Limits,
        pipes: Pipes,
    ) -> Result<ExitStatus> {
        let backend = &self.shared.backend;
        let plan = Plan::new(pipes, command.process.tty, backend.traits())?;
        let system = backend.create(self.name, command, limits)?;
        self.system = Some(Arc::clone(&system));
        system.start()?;
        let (mut request, copied) = request(&command.process, plan);
        request.working_dir = &command.working_dir;
        request.args_escaped = command.as_windows().is_some_and(|w| w.args_escaped);
        let course = OfRun {
            made: self,
            system: &*system,
            sent: Cell::new(0),
        };
        let ended = life.live(Arc::clone(&system), request, copied, &course)?;
        Ok(course.status(ended))
    }

    fn entry(&self) -> Result<Entry> {
        self.shared.root.lock(&self.name.id)
    }

    /// Changes the record, if it still is this run's.
    fn modify<T>(&self, change: impl FnOnce(&mut Record) -> Result<T>) -> Result<T> {
        let entry = self.entry()?;
        let mut record = entry.read()?;
        if record.run != self.run {
            let id = self.name.id.clone();
            return Err(Error::Aborted { id });
        }
        let value = change(&mut record)?;
        entry.write(&record)?;
        Ok(value)
    }

    /// Ends whatever is left in the container and forgets it.
    fn remove(&self) -> Result<()> {
        if self.removed.replace(true) {
            return Ok(());
        }
        let ended = match &self.system {
            Some(system) => system.terminate(KILLED),
            None => Ok(()),
        };
        let forgotten = self.entry().and_then(|entry| entry.remove_run(self.run));
        ended.and(forgotten)
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        // A hook's panic is on its way.
        let _ = self.remove();
    }
}

/// The steps of a container's first process.
struct OfRun<'a> {
    made: &'a Made<'a>,
    system: &'a dyn ComputeSystem,
    /// The signals that it was sent by its end.
    sent: Cell<u64>,
}

impl OfRun<'_> {
    fn status(&self, ended: Ended) -> ExitStatus {
        let mut status = exit::status(ended.code, ended.timed_out, self.sent.get());
        status.wall = ended.wall;
        let stats = self.system.stats().unwrap_or_default();
        let counted = stats.cgroup.unwrap_or_default();
        let cpu = &counted.cpu_stats.cpu_usage;
        let (user, system) = match cpu.usage_in_usermode + cpu.usage_in_kernelmode {
            0 => ended.times.unzip(),
            _ => (
                Some(Duration::from_nanos(cpu.usage_in_usermode)),
                Some(Duration::from_nanos(cpu.usage_in_kernelmode)),
            ),
        };
        (status.cpu_user, status.cpu_system) = (user, system);
        let peak = counted.memory_stats.usage.max_usage;
        status.peak_memory = (peak > 0).then_some(peak);
        status.output_truncated = ended.finished.truncated;
        status.stream_errors = ended.finished.errors.into_iter().map(Arc::new).collect();
        status
    }

    fn aborted_by(&self, record: &Record) -> Result<()> {
        if record.signals == 0 {
            return Ok(());
        }
        let id = self.made.name.id.clone();
        Err(Error::Aborted { id })
    }
}

impl Course for OfRun<'_> {
    fn made(&self, identity: ProcessIdentity) -> Result<()> {
        self.made.modify(|record| {
            self.aborted_by(record)?;
            record.init = Some(identity);
            Ok(())
        })
    }

    fn begin(&self, release: &dyn Fn() -> Result<()>) -> Result<()> {
        self.made.modify(|record| {
            self.aborted_by(record)?;
            release()?;
            record.status = Status::Running;
            Ok(())
        })
    }

    fn aborted(&self) -> Result<()> {
        self.aborted_by(&self.made.entry()?.read()?)
    }

    fn terminal(&self, terminal: Option<Arc<dyn Terminal>>) {
        self.made.shared.reach(&self.made.name.id, None, terminal);
    }

    fn kill(&self, _: &dyn Process) -> Result<()> {
        self.system.terminate(KILLED)
    }

    fn ended(&self) {
        let record = self.made.entry().and_then(|entry| entry.read());
        // Without a record a driver terminated it, and has forgotten it since.
        let killed = state::bit(Signal::KILL);
        self.sent
            .set(record.map_or(killed, |record| record.signals));
        // Its first process is the container: what that left is ended, and lets go of the outputs.
        let shared = self.made.shared;
        if shared.backend.traits().shuts_down && !shared.settings.force_kill {
            let _ = self.system.shutdown(SHUTDOWN);
        }
        let _ = self.system.terminate(KILLED);
    }
}
