//! What the driver asks of a way to make containers: HCS and jobs answer it, and an in-memory one in tests.
//!
//! Ids are checked, commands validated and limits translated before anything here is called. No method is called with a
//! lock of the driver's held that a hook or another container could need, and all may be called at once from any thread.

use crate::limits::Limits;
use crate::names::SystemName;
use execdriver_core::console::{Cancel, Streams};
use execdriver_core::{
    Command, Control, OomEvents, ProcessConfig, ResourceStats, Result, Signal, Terminal, WindowSize,
};
use std::fmt::Debug;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

/// A way to make containers on this host.
pub(crate) trait Backend: Debug + Send + Sync {
    /// `hcs` or `job`.
    fn name(&self) -> &'static str;

    /// What it can do here and what it cannot, for `capabilities()`.
    fn controls(&self) -> Vec<Control>;

    /// Bytes of memory that the machine has: the limit of a container without one.
    fn machine_memory(&self) -> u64;

    /// How its processes start.
    fn traits(&self) -> Traits;

    /// Refuses, before anything is created, what it cannot do.
    ///
    /// # Errors
    /// `Unsupported`, `InvalidCommand`.
    fn check(&self, command: &Command) -> Result<()>;

    /// The same of a process that is to join a container.
    ///
    /// # Errors
    /// `Unsupported`, `InvalidCommand`.
    fn check_exec(&self, _process: &ProcessConfig) -> Result<()> {
        Ok(())
    }

    /// Refuses limits that it cannot set, before anything is created or changed.
    ///
    /// # Errors
    /// `Unsupported`, `InvalidCommand`.
    fn check_limits(&self, limits: &Limits) -> Result<()>;

    /// Whether it sets an affinity and a number of processes, and limits execs.
    fn limits_as_jobs(&self) -> bool {
        false
    }

    /// Makes a container, with its limits in force and nothing in it. It ends with the last handle: with this process at
    /// the latest.
    ///
    /// # Errors
    /// `AlreadyExists`; else what the system said.
    fn create(
        &self,
        name: &SystemName,
        command: &Command,
        limits: &Limits,
    ) -> Result<Arc<dyn ComputeSystem>>;

    /// Opens a container that any process made; `None` when there is none of this name any more.
    ///
    /// # Errors
    /// What the system said.
    fn open(&self, name: &SystemName) -> Result<Option<Arc<dyn ComputeSystem>>>;
}

/// How a back-end starts processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits {
    /// A process is made first and runs nothing before [`Process::release`]; PreStart hooks see its pid. Otherwise
    /// they run before it is made.
    pub(crate) holds_processes: bool,
    /// An open file can be a process's stream; otherwise every stream is copied.
    pub(crate) passes_files: bool,
    /// A container whose program has ended is to be shut down before it is terminated: it has files to write.
    pub(crate) shuts_down: bool,
}

/// A container.
pub(crate) trait ComputeSystem: Debug + Send + Sync {
    /// Lets it run processes.
    ///
    /// # Errors
    /// What the system said; `Timeout` when it did not answer.
    fn start(&self) -> Result<()>;

    /// Makes a process in it.
    ///
    /// # Errors
    /// `ProgramNotFound`, `ProgramNotExecutable`; else what the system said.
    fn create_process(&self, request: &ProcessRequest<'_>) -> Result<Created>;

    /// Opens a process of it that may belong to another process of the host; `None` when it is gone or the pid is
    /// another's by now.
    ///
    /// # Errors
    /// What the system said.
    fn open_process(&self, identity: ProcessIdentity) -> Result<Option<Arc<dyn Process>>>;

    /// Asks everything in it to end, and returns after `limit` at the latest; whether nothing is left.
    ///
    /// # Errors
    /// What the system said.
    fn shutdown(&self, limit: Duration) -> Result<bool>;

    /// Ends everything in it at once, paused or not; the first process's exit code becomes `code` where the system can.
    /// What has ended already is no error.
    ///
    /// # Errors
    /// What the system said; `Timeout` when something survives.
    fn terminate(&self, code: u32) -> Result<()>;

    /// Freezes every process in it; it is not paused already. Gives the processes that were suspended one by one, none
    /// where the system freezes all as one.
    ///
    /// # Errors
    /// `Unsupported`; `Timeout` when new processes appear for ever. Then nothing stays frozen.
    fn pause(&self) -> Result<Vec<ProcessIdentity>>;

    /// Lets everything go on that `pause` froze, which gave these.
    ///
    /// # Errors
    /// `Unsupported`, or what the system said.
    fn resume(&self, suspended: &[ProcessIdentity]) -> Result<()>;

    /// What it has used so far. `memory_limit` is 0 when it has none.
    ///
    /// # Errors
    /// What the system said.
    fn stats(&self) -> Result<ResourceStats>;

    /// The processes in it, in the order that the system gives.
    ///
    /// # Errors
    /// What the system said.
    fn processes(&self) -> Result<Vec<u32>>;

    /// Sets limits on top of those that hold, `before`: all or none.
    ///
    /// # Errors
    /// `InvalidCommand`, `Unsupported`, or what the system said.
    fn modify(&self, before: &Limits, changes: &Limits) -> Result<()>;

    /// Notices of memory exhaustion; a closed channel where there are none.
    fn oom_events(&self) -> OomEvents;
}

/// A process to make.
#[derive(Debug)]
pub(crate) struct ProcessRequest<'a> {
    /// The program, its arguments, whether it gets a terminal and of which size. Not its environment.
    pub(crate) process: &'a ProcessConfig,
    /// The entry point and the arguments are one escaped command line already.
    pub(crate) args_escaped: bool,
    /// The environment in force: its own or the container's.
    pub(crate) environment: &'a [String],
    /// The directory in force; empty: the back-end's choice.
    pub(crate) working_dir: &'a str,
    /// Limits of its own, below the container's. Only where [`Backend::limits_as_jobs`].
    pub(crate) limits: Option<Limits>,
    /// What its streams are; with a terminal only whether there is an input matters.
    pub(crate) stdin: ChildStream,
    /// See `stdin`.
    pub(crate) stdout: ChildStream,
    /// See `stdin`.
    pub(crate) stderr: ChildStream,
}

/// One standard stream of a process to make.
#[derive(Debug)]
pub(crate) enum ChildStream {
    /// End of file at once, or output thrown away.
    Null,
    /// A pipe, whose other end is in [`Created::streams`].
    Pipe,
    /// This file. Only where [`Traits::passes_files`].
    File(File),
}

/// A process that was made.
pub(crate) struct Created {
    /// The process.
    pub(crate) process: Arc<dyn Process>,
    /// The host's ends of its pipes, or of its terminal.
    pub(crate) streams: Streams,
    /// What frees a copier from a blocking call on them.
    pub(crate) cancel: Box<dyn Cancel>,
    /// Its terminal, if it was asked for one.
    pub(crate) terminal: Option<Arc<dyn Terminal>>,
}

/// A process for sure, although pids come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ProcessIdentity {
    /// Its pid as the host sees it.
    pub(crate) pid: u32,
    /// When it was made, in the system's own ticks; 0 where the system does not tell.
    pub(crate) created: u64,
}

/// A process of a container.
pub(crate) trait Process: Debug + Send + Sync {
    /// Which one it is.
    fn identity(&self) -> ProcessIdentity;

    /// Lets a process that is held go. Of one that runs it is no error.
    ///
    /// # Errors
    /// What the system said.
    fn release(&self) -> Result<()>;

    /// Its exit code, once it has ended within `limit` (`None`: for ever); `None` when it has not.
    ///
    /// # Errors
    /// The system lost it.
    fn wait(&self, limit: Option<Duration>) -> Result<Option<u32>>;

    /// Ends it at once, paused or not, with this exit code where the system can. What has ended already is no error.
    ///
    /// # Errors
    /// What the system said.
    fn terminate(&self, code: u32) -> Result<()>;

    /// Tells it something that it may ignore: INT, QUIT, HUP or TERM.
    ///
    /// # Errors
    /// `Unsupported` where there is no such thing.
    fn signal(&self, signal: Signal) -> Result<()>;

    /// Sets the size of its terminal.
    ///
    /// # Errors
    /// What the system said.
    fn resize(&self, size: WindowSize) -> Result<()>;

    /// Processor time in user and in kernel mode, after its end too; `None` when nobody counted.
    fn times(&self) -> Option<(Duration, Duration)>;
}
