//! `exec`: one more process in a container that runs, perhaps another process's.

use super::descriptors::{Held, Slots, first_process};
use super::made::signal_bit;
use super::mapped::IdNamespaces;
use super::run::{Alive, terminal_of};
use super::watch::Watch;
use super::{Containers, error, host, unless_ended};
use crate::cgroup::Cgroup;
use crate::launch::{Launch, Limits, Process, Started, launch, root_of};
use crate::plan::exec::Running;
use crate::plan::{Plan, RunInput};
use crate::state::{Entry, ExecRecord, LOCK_PATIENCE, ProcessId, Record, Status, TerminalRecord};
use crate::stdio::{self, HostStdio};
use crate::{NativeDriver, state};
use execdriver_core::spec::ExecSpec;
use execdriver_core::{
    ContainerId, Error, ExecRequest, ExitStatus, HookContext, HookStage, Hooks, Pipes, Result,
    Target,
};
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

impl Containers {
    /// Runs one more process in the container `id`.
    pub(crate) fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        let begun = Instant::now();
        pipes.check()?;
        let exec_id = request.exec_id.clone().unwrap_or_else(made_up_id);
        ContainerId::parse(&exec_id)?;
        let (entry, record) = self.live(id)?;
        let not_running = || Error::NotRunning { id: id.to_owned() };
        if record.status != Status::Running {
            return Err(not_running());
        }
        if request.resources.is_some() {
            let operation = "resources of an exec (not in this version)";
            return Err(Error::unsupported(NativeDriver::NAME, operation));
        }
        let container = Arc::new(first_process(&record).ok_or_else(not_running)?);
        let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
        let cgroup = cgroup.map_err(|error| unless_ended(&record, error.into()))?;
        // Before anything is made; the launch looks again.
        if cgroup.as_ref().is_some_and(Cgroup::is_frozen) {
            return Err(Error::Paused { id: id.to_owned() });
        }
        let defaults = record.defaults.as_ref().ok_or_else(not_running)?;
        let spec = defaults.exec(request)?;
        let exec = Exec {
            containers: self,
            id,
            exec_id: &exec_id,
            record: &record,
            entry: &entry,
            container: &container,
            cgroup: cgroup.as_ref(),
            request,
            hooks,
            begun,
            pre_start_reached: Cell::new(false),
        };
        exec.whole(&spec, pipes)
    }
}

/// An id that no other exec has: RandomState takes its seed from the system's random source.
fn made_up_id() -> String {
    let random = RandomState::new().hash_one(std::process::id());
    format!("exec-{random:016x}")
}

/// An exec under way.
struct Exec<'a> {
    containers: &'a Containers,
    id: &'a str,
    exec_id: &'a str,
    record: &'a Record,
    entry: &'a Entry,
    container: &'a Arc<Process>,
    cgroup: Option<&'a Cgroup>,
    request: &'a ExecRequest,
    hooks: &'a Hooks<'a>,
    begun: Instant,
    pre_start_reached: Cell<bool>,
}

impl Exec<'_> {
    fn whole(&self, spec: &ExecSpec, pipes: Pipes) -> Result<ExitStatus> {
        let entered = Entered::enter(self.entry, self.exec_id, self.request)?;
        let lived = self.live(spec, pipes, &entered);
        drop(entered);
        let errors = if self.pre_start_reached.get() {
            self.hooks
                .run_post_stop(&self.context(HookStage::PostStop, 0))
        } else {
            Vec::new()
        };
        lived.map(|mut status| {
            status.post_stop_errors = errors;
            status
        })
    }

    fn live(&self, spec: &ExecSpec, pipes: Pipes, entered: &Entered<'_>) -> Result<ExitStatus> {
        let started = self.start(spec, pipes);
        let (started, streams) = started.map_err(|error| unless_ended(self.record, error))?;
        self.attend(started, streams, entered)
    }

    fn start(&self, spec: &ExecSpec, pipes: Pipes) -> Result<(Started, HostStdio)> {
        let (child, streams) = stdio::prepare(pipes, self.request.process.tty)?;
        let host = host::host(&self.containers.facts(), self.cgroup.ok_or(""), false);
        let running = Running {
            namespaces: self.record.namespaces.iter().map(|n| n.kind).collect(),
            denies_setgroups: self.record.denies_setgroups,
            pid: self.container.pid(),
        };
        let entries = self
            .cgroup
            .map_or_else(|| Ok(Vec::new()), Cgroup::entry_files)?;
        let input = RunInput {
            cgroup_entries: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            owned_streams: child.chown_mask(),
            die_with_host: self.request.options.die_with_host,
            strict: self.request.options.strict,
        };
        let plan = Plan::for_exec(spec, &running, &host, &input)?;
        if host.is_root() && running.namespaces.contains(&Kind::User) {
            let step = "give the streams to the container's root";
            let root = root_of(self.container).map_err(error::setup(step))?;
            if let Some((uid, gid)) = root {
                child.give_to(uid, gid).map_err(error::setup(step))?;
            }
        }
        let slots = Slots {
            containers: self.containers,
            stdio: &child,
            container: Some(self.container),
            entries: &entries,
            status: None,
            id_namespaces: IdNamespaces::default(),
        };
        let held = slots.open(&plan.fds)?;
        // The held ends and the child's go with this call, so that their ends are seen.
        Ok((self.launch(&plan, &held)?, streams))
    }

    fn launch(&self, plan: &Plan, held: &[Held<'_>]) -> Result<Started> {
        let message = plan.message()?;
        let fds: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        let unified = self.cgroup.and_then(Cgroup::unified_dir);
        // A pause waits for this lock, so that the process is in its cgroups before they freeze: a
        // process that is born into a frozen cgroup never runs, and its parent waits for it.
        let mut locked = Some(self.entry.lock(LOCK_PATIENCE)?);
        if self.cgroup.is_some_and(Cgroup::is_frozen) {
            let id = self.id.to_owned();
            return Err(Error::Paused { id });
        }
        let mut entered = || drop(locked.take());
        let release = |pid: i32| self.release_killed(pid);
        let mut pre_start = |process: &Arc<Process>| {
            self.pre_start_reached.set(true);
            let pid = u32::try_from(process.pid()).unwrap_or(0);
            let context = self.context(HookStage::PreStart, pid);
            Ok(self.hooks.run_pre_start(&context)?)
        };
        let started = launch(Launch {
            namespaces: plan.clone_flags,
            cgroup: unified,
            message: &message,
            fds: &fds,
            describe: &|index| plan.describe(index),
            id_maps: None,
            place: None,
            oom_score_adj: plan.oom_score_adj,
            pre_start: Some(&mut pre_start),
            init_stays: false,
            entered: Some(&mut entered),
            release_killed: Some(&release),
            limits: Limits {
                deadline: self.deadline(),
                abort: None,
            },
        });
        started.map_err(|error| error::launch(error, plan, &self.request.process.entrypoint))
    }

    fn attend(
        &self,
        started: Started,
        streams: HostStdio,
        entered: &Entered<'_>,
    ) -> Result<ExitStatus> {
        let unfreeze = || self.release_killed(started.process.pid());
        let alive = Alive::new(&started.process, &unfreeze);
        let options = &self.request.options;
        let pid = u32::try_from(started.process.pid()).unwrap_or(0);
        entered.record_process(pid, terminal_of(&started))?;
        let streams = match self.hooks.start {
            // A hook that waits for output must not wait for this thread.
            Some(_) => streams.on_threads(),
            None => streams,
        };
        let mut console = streams.attach(self.exec_id, started.terminal, options.output_cap)?;
        let terminal = console.terminal();
        let target = Target::exec(self.id, self.exec_id);
        let held = self.containers.terminals.hold(target, &terminal);
        let mut context = self.context(HookStage::Start, pid);
        context.terminal = Some(terminal);
        self.hooks.run_start(&context)?;
        let mut watch = Watch {
            process: &started.process,
            console: &mut console,
            options,
            deadline: self.deadline(),
            oom: None,
            unfreeze: &unfreeze,
        };
        let ended = watch.await_end()?;
        alive.ended();
        drop(held);
        let finished = console.finish(options.output_grace);
        let mut status = ended.status(None, |signal| entered.was_sent(signal));
        status.output_truncated = finished.truncated;
        status.wall = self.begun.elapsed();
        status.stream_errors = finished.errors.into_iter().map(Arc::new).collect();
        Ok(status)
    }

    /// The container stays paused when an exec in it is ended.
    fn release_killed(&self, pid: i32) {
        if let (Some(cgroup), Ok(pid)) = (self.cgroup, u32::try_from(pid)) {
            cgroup.release_killed(pid);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.begun.checked_add(self.request.options.timeout?)
    }

    fn context(&self, stage: HookStage, pid: u32) -> HookContext<'_> {
        let mut context = HookContext::new(stage, self.id, &self.request.process, pid);
        context.exec_id = Some(self.exec_id);
        context
    }
}

/// The record of an exec; dropped, it is removed.
pub(super) struct Entered<'a> {
    entry: &'a Entry,
    exec_id: &'a str,
}

impl<'a> Entered<'a> {
    fn enter(entry: &'a Entry, exec_id: &'a str, request: &ExecRequest) -> Result<Self> {
        let parent = ProcessId::own().map_err(error::setup("identify this process"))?;
        let mut record = ExecRecord::starting(exec_id, parent);
        let process = &request.process;
        record.tty = process.tty;
        record.command = vec![process.entrypoint.clone()];
        record.command.extend(process.arguments.iter().cloned());
        entry.lock(LOCK_PATIENCE)?.create_exec(&record)?;
        Ok(Self { entry, exec_id })
    }

    fn record_process(&self, pid: u32, terminal: Option<TerminalRecord>) -> Result<()> {
        let locked = match self.entry.lock(LOCK_PATIENCE) {
            Ok(locked) => locked,
            // The container is gone already, and the process with it.
            Err(state::StateError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut record = locked.read_exec(self.exec_id)?;
        record.process = ProcessId::of(pid).ok();
        record.terminal = terminal;
        Ok(locked.write_exec(&record)?)
    }

    /// Whether a driver sent `signal` to it, or killed its container.
    fn was_sent(&self, signal: i32) -> bool {
        let bit = signal_bit(signal);
        let own = self.entry.read_exec(self.exec_id);
        own.is_ok_and(|record| record.signals & bit != 0)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Ok(locked) = self.entry.lock(LOCK_PATIENCE) {
            // The container's own removal takes along what cannot be removed here.
            let _ = locked.remove_exec(self.exec_id);
        }
    }
}
