//! One process from its creation to its end: hooks, streams, timeouts. `run` and `exec` live it alike.

use super::streams::{Copied, Plan};
use crate::backend::{ComputeSystem, Created, Process, ProcessIdentity, ProcessRequest, Traits};
use crate::exit::KILLED;
use execdriver_core::console::Finished;
use execdriver_core::terminal::NoTerminal;
use execdriver_core::{
    Error, HookContext, HookStage, Hooks, OomEvents, ProcessConfig, Result, RunOptions, Signal,
    Terminal,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a process that was ended may take to be gone.
const DEATH: Duration = Duration::from_secs(30);

/// What a life is about.
pub(super) struct Life<'a> {
    pub(super) id: &'a str,
    pub(super) exec_id: Option<&'a str>,
    pub(super) config: &'a ProcessConfig,
    pub(super) options: &'a RunOptions,
    pub(super) hooks: &'a Hooks<'a>,
    pub(super) traits: Traits,
    pub(super) began: Instant,
}

/// What only `run` or only `exec` does on the way.
pub(super) trait Course {
    /// The process is made and held, or about to run: writes it down.
    fn made(&self, identity: ProcessIdentity) -> Result<()>;

    /// Takes the step from starting to running by `release`, unless a kill or a pause came first.
    fn begin(&self, release: &dyn Fn() -> Result<()>) -> Result<()>;

    /// Whether it was killed before it began.
    fn aborted(&self) -> Result<()>;

    /// Its terminal, in reach of `resize` until the end.
    fn terminal(&self, terminal: Option<Arc<dyn Terminal>>);

    /// Ends it at once.
    fn kill(&self, process: &dyn Process) -> Result<()>;

    /// It has ended: ends what it has left, if that is its to end.
    fn ended(&self);
}

/// How a life ended.
pub(super) struct Ended {
    pub(super) code: u32,
    pub(super) timed_out: bool,
    pub(super) wall: Duration,
    pub(super) times: Option<(Duration, Duration)>,
    pub(super) finished: Finished,
}

impl Life<'_> {
    /// Lives it. On an error nothing of the process is left but what the caller's guards remove. `system` is let go of when
    /// the process is there: who only executes in a container must not keep it when its own program dies.
    pub(super) fn live(
        &self,
        system: Arc<dyn ComputeSystem>,
        request: ProcessRequest<'_>,
        copied: Copied,
        course: &dyn Course,
    ) -> Result<Ended> {
        if !self.traits.holds_processes {
            self.hooks
                .run_pre_start(&self.context(HookStage::PreStart, 0))?;
            course.aborted()?;
        }
        self.in_time("the start of the container")?;
        let created = system.create_process(&request)?;
        drop(request);
        let oom = self.exec_id.is_none().then(|| system.oom_events());
        drop(system);
        let Created {
            process,
            streams,
            cancel,
            terminal,
        } = created;
        let guard = Kill(&*process);
        let identity = process.identity();
        course.made(identity)?;
        if self.traits.holds_processes {
            let context = self.context(HookStage::PreStart, identity.pid);
            self.hooks.run_pre_start(&context)?;
            course.aborted()?;
        }
        self.in_time("the start of the program")?;
        let terminal: Arc<dyn Terminal> = terminal.unwrap_or_else(|| Arc::new(NoTerminal));
        let cap = self.options.output_cap;
        let console = copied.attach(streams, cap, Arc::clone(&terminal), cancel)?;
        course.terminal(Some(Arc::clone(&terminal)));
        let _in_reach = OutOfReach(course);
        course.begin(&|| process.release())?;
        self.start_hook(oom, identity.pid, &terminal)?;
        let (code, timed_out) = self.wait(&*process, course)?;
        let wall = self.began.elapsed();
        drop(guard);
        course.ended();
        // A terminal shows its end of file only when it is closed; its last words come out before.
        let _ = terminal.close();
        Ok(Ended {
            code,
            timed_out,
            wall,
            times: process.times(),
            finished: console.finish(self.options.output_grace),
        })
    }

    fn start_hook(
        &self,
        oom: Option<OomEvents>,
        pid: u32,
        terminal: &Arc<dyn Terminal>,
    ) -> Result<()> {
        let mut context = self.context(HookStage::Start, pid);
        context.terminal = Some(Arc::clone(terminal));
        if let Some(oom) = oom {
            context.oom = oom;
        }
        self.hooks.run_start(&context)
    }

    /// What a hook is told.
    pub(super) fn context(&self, stage: HookStage, pid: u32) -> HookContext<'_> {
        let mut context = HookContext::new(stage, self.id, self.config, pid);
        context.exec_id = self.exec_id;
        context
    }

    fn in_time(&self, operation: &str) -> Result<()> {
        match self.options.timeout {
            Some(limit) if self.began.elapsed() >= limit => Err(Error::Timeout {
                operation: format!("{operation} of {:?} ({limit:?})", self.id),
            }),
            _ => Ok(()),
        }
    }

    /// Waits for the end, and brings it about when the time is up.
    fn wait(&self, process: &dyn Process, course: &dyn Course) -> Result<(u32, bool)> {
        let left = |limit: Duration| limit.saturating_sub(self.began.elapsed());
        if let Some(code) = process.wait(self.options.timeout.map(left))? {
            return Ok((code, false));
        }
        let grace = self.options.kill_grace;
        if !grace.is_zero() {
            // Where there is no polite signal, the time to end on its own is all there is.
            let _ = process.signal(Signal::TERM);
            if let Some(code) = process.wait(Some(grace))? {
                return Ok((code, true));
            }
        }
        course.kill(process)?;
        match process.wait(Some(DEATH))? {
            Some(code) => Ok((code, true)),
            None => Err(Error::Timeout {
                operation: format!("the end of {:?} after its kill ({DEATH:?})", self.id),
            }),
        }
    }
}

/// Kills the process unless it has ended.
struct Kill<'a>(&'a dyn Process);

impl Drop for Kill<'_> {
    fn drop(&mut self) {
        // An error is on its way already, or the process has ended.
        let _ = self.0.terminate(KILLED);
    }
}

/// Takes the terminal out of reach.
struct OutOfReach<'a>(&'a dyn Course);

impl Drop for OutOfReach<'_> {
    fn drop(&mut self) {
        self.0.terminal(None);
    }
}

/// The plan of the streams and the request that goes with it.
pub(super) fn request<'a>(process: &'a ProcessConfig, plan: Plan) -> (ProcessRequest<'a>, Copied) {
    let request = ProcessRequest {
        process,
        args_escaped: false,
        environment: &process.env,
        working_dir: "",
        limits: None,
        stdin: plan.stdin,
        stdout: plan.stdout,
        stderr: plan.stderr,
    };
    (request, plan.copied)
}
