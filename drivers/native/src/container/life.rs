//! What a run and an exec have in common: their hooks, the watch over their process, its status.

use super::oom::OomNotifier;
use super::terminals::Terminals;
use super::watch::{Ended, Watch};
use crate::cgroup::Counters;
use crate::launch::{CallerError, FROZEN_PATIENCE, Limits, Process, Started};
use crate::state::TerminalRecord;
use crate::stdio::{Console, HostStdio};
use execdriver_core::console::Finished;
use execdriver_core::{
    Error, ExitStatus, HookContext, HookStage, Hooks, ProcessConfig, Result, RunOptions, Target,
};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// The life of one process, from the caller's side.
pub(super) struct Life<'a> {
    pub(super) terminals: &'a Terminals,
    pub(super) id: &'a str,
    pub(super) exec_id: Option<&'a str>,
    pub(super) process: &'a ProcessConfig,
    pub(super) options: &'a RunOptions,
    pub(super) hooks: &'a Hooks<'a>,
    /// What each pipe may be made to hold, bytes.
    pub(super) room: usize,
    pub(super) begun: Instant,
    pub(super) pre_start_reached: Cell<bool>,
    /// From before the launch until the thread waits for the process.
    pub(super) oom: RefCell<Option<OomNotifier>>,
}

impl<'a> Life<'a> {
    /// How long the launch may take.
    pub(super) fn limits(&self) -> Limits<'a> {
        Limits {
            deadline: self.deadline(),
            abort: None,
        }
    }

    /// The PreStart hooks, while the process waits in init.
    pub(super) fn pre_start(&self, process: &Process) -> Result<(), CallerError> {
        self.pre_start_reached.set(true);
        let context = self.context(HookStage::PreStart, pid_of(process));
        Ok(self.hooks.run_pre_start(&context)?)
    }

    /// Hands out the listener of the process's seccomp filter.
    pub(super) fn listener(&self, process: &Process, listener: OwnedFd) -> Result<(), CallerError> {
        let context = self.context(HookStage::SeccompListener, pid_of(process));
        let file = File::from(listener);
        Ok(self.hooks.run_seccomp_listener(&context, file)?)
    }

    /// The program runs: it is recorded, the Start hook is called, its output copied until it ends.
    /// An error, or a hook's panic, ends it; `unfreeze` lets it die in a frozen cgroup, and `rest` is
    /// called when the wait proves to be a long one.
    pub(super) fn attend(
        &self,
        started: Started,
        streams: HostStdio,
        (unfreeze, rest): (&dyn Fn(), &dyn Fn()),
        record: impl FnOnce(u32, Option<TerminalRecord>) -> Result<()>,
    ) -> Result<(Ended, Console)> {
        let alive = Alive {
            process: Some(&started.process),
            unfreeze,
        };
        let pid = pid_of(&started.process);
        record(pid, terminal_of(&started))?;
        let streams = match self.hooks.start {
            // A hook that waits for output must not wait for this thread.
            Some(_) => streams.on_threads(),
            None => streams,
        };
        let streams = streams.with_room(self.room);
        let name = self.exec_id.unwrap_or(self.id);
        let mut console = streams.attach(name, started.terminal, self.options.output_cap)?;
        let terminal = console.terminal();
        let held = self.terminals.hold(self.target(), &terminal);
        let mut context = self.context(HookStage::Start, pid);
        context.terminal = Some(terminal);
        self.hooks.run_start(&context)?;
        let mut watch = Watch {
            process: &started.process,
            console: &mut console,
            options: self.options,
            deadline: self.deadline(),
            oom: self.oom.take(),
            unfreeze,
            rest,
        };
        let ended = watch.await_end()?;
        alive.ended();
        drop(held);
        Ok((ended, console))
    }

    /// A status with what its cgroup counted and what became of its output.
    pub(super) fn counted(
        &self,
        mut status: ExitStatus,
        counters: Counters,
        output: Finished,
    ) -> ExitStatus {
        status.cpu_user = counters.cpu_user.or(status.cpu_user);
        status.cpu_system = counters.cpu_system.or(status.cpu_system);
        status.peak_memory = counters.peak_memory.or(status.peak_memory);
        status.oom_killed = counters.oom_kills.is_some_and(|kills| kills > 0);
        status.output_truncated = output.truncated;
        status.wall = self.begun.elapsed();
        status.stream_errors = output.errors.into_iter().map(Arc::new).collect();
        status
    }

    /// Nothing is left of it, or `cleaned` says what: the PostStop hooks, and what the caller hears.
    pub(super) fn close(
        &self,
        lived: Result<ExitStatus>,
        cleaned: Result<()>,
    ) -> Result<ExitStatus> {
        let errors = match self.pre_start_reached.get() {
            true => self
                .hooks
                .run_post_stop(&self.context(HookStage::PostStop, 0)),
            false => Vec::new(),
        };
        let mut status = match (lived, cleaned) {
            (lived, Ok(())) => lived?,
            (Ok(mut status), Err(cleanup)) => {
                status.cleanup_error = Some(Arc::new(cleanup));
                status
            }
            (Err(error), Err(cleanup)) => {
                return Err(Error::Cleanup {
                    error: Box::new(error),
                    cleanup: Box::new(cleanup),
                });
            }
        };
        status.post_stop_errors = errors;
        Ok(status)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.begun.checked_add(self.options.timeout?)
    }

    fn target(&self) -> Target {
        match self.exec_id {
            Some(exec) => Target::exec(self.id, exec),
            None => Target::from(self.id),
        }
    }

    fn context(&self, stage: HookStage, pid: u32) -> HookContext<'_> {
        let mut context = HookContext::new(stage, self.id, self.process, pid);
        context.exec_id = self.exec_id;
        if let Some(oom) = &*self.oom.borrow() {
            context.oom = oom.events();
        }
        context
    }
}

pub(super) fn pid_of(process: &Process) -> u32 {
    u32::try_from(process.pid()).unwrap_or(0)
}

/// The started process's terminal for its record. One that cannot be told apart from others is not
/// recorded: another process then cannot resize it, and nothing else is lost.
fn terminal_of(started: &Started) -> Option<TerminalRecord> {
    TerminalRecord::of_master(started.terminal.as_ref()?.as_fd()).ok()
}

/// A child that must not outlive an error or a panic: dropped, it is killed and reaped.
struct Alive<'a> {
    process: Option<&'a Process>,
    /// Lets it die where a frozen cgroup keeps it from that.
    unfreeze: &'a dyn Fn(),
}

impl Alive<'_> {
    /// It has ended and was reaped.
    fn ended(mut self) {
        self.process = None;
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.process {
            // It may have ended by itself; its status is of no interest any more.
            let _ = process.signal(libc::SIGKILL);
            let soon = Instant::now() + FROZEN_PATIENCE;
            if !process.wait_until(Some(soon)).unwrap_or(false) {
                (self.unfreeze)();
            }
            let _ = process.reap();
        }
    }
}
