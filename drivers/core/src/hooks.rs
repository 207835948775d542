//! Callbacks into the host around a process's life.

use crate::{BoxError, Error, HookStage, ProcessConfig, Result, Terminal};
use crossbeam_channel::Receiver;
use std::fmt;
use std::fs::File;
use std::sync::Arc;

/// A callback. It runs on the thread that called `run` or `exec`, so it may borrow from there.
pub type Hook<'a> = Box<dyn Fn(&HookContext<'_>) -> Result<(), BoxError> + 'a>;

/// Takes the listener of a filter of system calls, on the thread that called `run` or `exec`.
///
/// The file is a descriptor for seccomp_unotify(2), the caller's from now on: on Unix `OwnedFd::from(file)`. Calls of the
/// container wait for answers on it, `execve` of its program perhaps among them, so another thread has to give them:
/// the hook hands the file over and returns.
pub type ListenerHook<'a> = Box<dyn Fn(&HookContext<'_>, File) -> Result<(), BoxError> + 'a>;

/// One notice that the kernel ran out of memory for the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OomEvent {
    /// How many processes the kernel had killed in the container by then, where it counts them.
    pub kills: u64,
}

impl OomEvent {
    /// A notice after `kills` killed processes.
    pub fn new(kills: u64) -> Self {
        Self { kills }
    }
}

/// Notices of memory exhaustion: bounded, may be ignored, closed when the container is gone.
pub type OomEvents = Receiver<OomEvent>;

/// What a hook is told.
#[derive(Debug)]
#[non_exhaustive]
pub struct HookContext<'a> {
    /// When it runs.
    pub stage: HookStage,
    /// The container's id.
    pub id: &'a str,
    /// The exec's id, when the hook is about an exec.
    pub exec_id: Option<&'a str>,
    /// The process that it is about: the exec's own in `exec`.
    pub process: &'a ProcessConfig,
    /// The process's pid as the host sees it; 0 in PostStop, when nobody owns the number any more.
    pub pid: u32,
    /// The process's terminal; `None` before it has one and in PostStop.
    pub terminal: Option<Arc<dyn Terminal>>,
    /// Notices of memory exhaustion; a closed channel where there are none.
    pub oom: OomEvents,
}

impl<'a> HookContext<'a> {
    /// A context for `process` in container `id`; for drivers.
    pub fn new(stage: HookStage, id: &'a str, process: &'a ProcessConfig, pid: u32) -> Self {
        Self {
            stage,
            id,
            exec_id: None,
            process,
            pid,
            terminal: None,
            oom: crossbeam_channel::bounded(0).1,
        }
    }
}

/// The callbacks of one `run` or `exec`.
///
/// ```
/// use execdriver_core::Hooks;
/// use std::cell::Cell;
/// let pid = Cell::new(0);
/// let hooks = Hooks::default().on_start(|context| {
///     pid.set(context.pid); // borrows from this thread: no Send, no 'static
///     Ok(())
/// });
/// # drop(hooks);
/// ```
#[derive(Default)]
pub struct Hooks<'a> {
    /// In order, before any of the container's code.
    pub pre_start: Vec<Hook<'a>>,
    /// When the profile has `SCMP_ACT_NOTIFY`, which without this hook is an error.
    pub seccomp_listener: Option<ListenerHook<'a>>,
    /// After the program was executed.
    pub start: Option<Hook<'a>>,
    /// In order, after the end.
    pub post_stop: Vec<Hook<'a>>,
}

impl<'a> Hooks<'a> {
    /// No callbacks.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a PreStart hook.
    pub fn on_pre_start(
        mut self,
        hook: impl Fn(&HookContext<'_>) -> Result<(), BoxError> + 'a,
    ) -> Self {
        self.pre_start.push(Box::new(hook));
        self
    }

    /// Sets who takes the listener of a filter of system calls.
    pub fn on_seccomp_listener(
        mut self,
        hook: impl Fn(&HookContext<'_>, File) -> Result<(), BoxError> + 'a,
    ) -> Self {
        self.seccomp_listener = Some(Box::new(hook));
        self
    }

    /// Sets the Start hook.
    pub fn on_start(
        mut self,
        hook: impl Fn(&HookContext<'_>) -> Result<(), BoxError> + 'a,
    ) -> Self {
        self.start = Some(Box::new(hook));
        self
    }

    /// Adds a PostStop hook.
    pub fn on_post_stop(
        mut self,
        hook: impl Fn(&HookContext<'_>) -> Result<(), BoxError> + 'a,
    ) -> Self {
        self.post_stop.push(Box::new(hook));
        self
    }

    /// Runs the PreStart hooks in order up to the first error; for drivers.
    ///
    /// # Errors
    /// [`Error::Hook`] of the hook that failed.
    pub fn run_pre_start(&self, context: &HookContext<'_>) -> Result<()> {
        for (index, hook) in self.pre_start.iter().enumerate() {
            hook(context).map_err(|source| failed(HookStage::PreStart, index, source))?;
        }
        Ok(())
    }

    /// Hands the listener of a filter over; for drivers.
    ///
    /// # Errors
    /// [`Error::Hook`] when it failed, or there is nobody to take it.
    pub fn run_seccomp_listener(&self, context: &HookContext<'_>, listener: File) -> Result<()> {
        let taken = match &self.seccomp_listener {
            Some(hook) => hook(context, listener),
            None => Err("nobody takes the listener".into()),
        };
        taken.map_err(|source| failed(HookStage::SeccompListener, 0, source))
    }

    /// Runs the Start hook; for drivers.
    ///
    /// # Errors
    /// [`Error::Hook`] when it failed.
    pub fn run_start(&self, context: &HookContext<'_>) -> Result<()> {
        match &self.start {
            Some(hook) => hook(context).map_err(|source| failed(HookStage::Start, 0, source)),
            None => Ok(()),
        }
    }

    /// Runs every PostStop hook, whatever the others returned; for drivers.
    pub fn run_post_stop(&self, context: &HookContext<'_>) -> Vec<Arc<Error>> {
        let run = |(index, hook): (usize, &Hook<'a>)| {
            hook(context)
                .err()
                .map(|source| Arc::new(failed(HookStage::PostStop, index, source)))
        };
        self.post_stop.iter().enumerate().filter_map(run).collect()
    }
}

fn failed(stage: HookStage, index: usize, source: BoxError) -> Error {
    Error::Hook {
        stage,
        index,
        source,
    }
}

impl fmt::Debug for Hooks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("pre_start", &self.pre_start.len())
            .field("seccomp_listener", &self.seccomp_listener.is_some())
            .field("start", &self.start.is_some())
            .field("post_stop", &self.post_stop.len())
            .finish()
    }
}
