//! The `Driver` trait and what its methods take.

use crate::{
    Capabilities, Command, ExitStatus, Hooks, Pipes, ProcessConfig, ResourceStats, Resources,
    Result, Signal, WindowSize,
};
use std::time::Duration;

/// A way to run containers. Object-safe and synchronous: one thread blocks in
/// [`run`](Driver::run) while others act on the same container by its id.
///
/// All methods may be called at once from any thread. Every method but `run` also works on
/// containers that another process runs under the same root. No method holds a lock while a hook
/// runs or a read blocks.
///
/// Every method is required, so that a wrapper cannot drop one by accident; what a driver cannot
/// do it answers with [`Error::Unsupported`](crate::Error::Unsupported), and
/// [`capabilities`](Driver::capabilities) says so beforehand.
pub trait Driver: Send + Sync {
    /// The name that the driver is registered under.
    fn name(&self) -> &str;

    /// What can be done on this host, and what is missing.
    fn capabilities(&self) -> Capabilities;

    /// Whether hooks are called.
    fn supports_hooks(&self) -> bool;

    /// Runs a container from its creation to its end, and returns after the last byte of its
    /// output was delivered and everything of it was removed.
    ///
    /// # Errors
    /// The program did not run, or the driver lost it. A program that ran and failed is `Ok`.
    fn run(
        &self,
        command: &Command,
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus>;

    /// Runs one more process in a running container, and returns after its end and its last byte
    /// of output.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`, `Paused`; else as for `run`.
    fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus>;

    /// Sends a signal to the first process of a container or to an exec. Killing (9) a paused
    /// container thaws it; a kill of one that still starts aborts the start.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`.
    fn kill(&self, target: &Target, signal: Signal) -> Result<()>;

    /// Sets the window size of a container's or an exec's terminal; without a terminal nothing
    /// happens.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`.
    fn resize(&self, target: &Target, size: WindowSize) -> Result<()>;

    /// Freezes every process of the container.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`, `Timeout` when the system does not freeze them.
    fn pause(&self, id: &str) -> Result<()>;

    /// Lets a paused container go on.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`.
    fn unpause(&self, id: &str) -> Result<()>;

    /// The pids of all processes in the container as the host sees them, the first process first.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`.
    fn pids(&self, id: &str) -> Result<Vec<u32>>;

    /// Kills every process of the container and removes what it left, whoever started it, a host
    /// that has died since included. A container that is not running is no error.
    ///
    /// # Errors
    /// `NotFound`; `Driver` when processes survive.
    fn terminate(&self, id: &str) -> Result<()>;

    /// Removes the traces of a container that is no more. Nothing to remove is no error.
    ///
    /// # Errors
    /// `Running` when it lives.
    fn clean(&self, id: &str) -> Result<()>;

    /// What the container has used so far.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`, `Unsupported`.
    fn stats(&self, id: &str) -> Result<ResourceStats>;

    /// Changes limits of a running or paused container: all of them or, on an error, none. Zero
    /// and empty fields stay as they are; -1 takes a limit away. Limits of setrlimit(2) and
    /// `oom_score_adj` become those of every process in it, and of later execs.
    ///
    /// A limit below what is in use is refused as an `InvalidCommand`.
    ///
    /// # Errors
    /// `NotFound`, `NotRunning`, `InvalidCommand`, `Unsupported`.
    fn update(&self, id: &str, resources: &Resources) -> Result<()>;

    /// The containers under this driver's root, sorted by id.
    ///
    /// # Errors
    /// `Driver` when the root cannot be read.
    fn list(&self) -> Result<Vec<ContainerInfo>>;
}

/// How `run` and `exec` behave, apart from what the container is.
///
/// ```
/// use execdriver_core::RunOptions;
/// use std::time::Duration;
/// let options = RunOptions::default().timeout(Duration::from_secs(10));
/// assert_eq!(options.timeout, Some(Duration::from_secs(10)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunOptions {
    /// Ends the process after this long, the start included. `None`: never.
    pub timeout: Option<Duration>,
    /// Between the polite signal (TERM) and the KILL at a timeout. Zero: KILL at once.
    pub kill_grace: Duration,
    /// How long a descendant that outlives the process may hold an output open.
    pub output_grace: Duration,
    /// The bytes that are delivered of each output; the rest is read and dropped, so that the
    /// process never blocks on it. `None`: all. Applies to streams that the driver copies.
    pub output_cap: Option<u64>,
    /// Kills the process when the host program dies. Default: it lives on, and the next process
    /// that opens the driver on this root can terminate it.
    pub die_with_host: bool,
    /// Turns template defaults that the host cannot enforce into errors.
    pub strict: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            timeout: None,
            kill_grace: Duration::ZERO,
            output_grace: Duration::from_secs(10),
            output_cap: None,
            die_with_host: false,
            strict: false,
        }
    }
}

impl RunOptions {
    /// Sets [`RunOptions::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets [`RunOptions::kill_grace`].
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.kill_grace = grace;
        self
    }

    /// Sets [`RunOptions::output_grace`].
    pub fn output_grace(mut self, grace: Duration) -> Self {
        self.output_grace = grace;
        self
    }

    /// Sets [`RunOptions::output_cap`].
    pub fn output_cap(mut self, bytes: u64) -> Self {
        self.output_cap = Some(bytes);
        self
    }

    /// Sets [`RunOptions::die_with_host`].
    pub fn die_with_host(mut self, die: bool) -> Self {
        self.die_with_host = die;
        self
    }

    /// Sets [`RunOptions::strict`].
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}

/// One more process for a running container.
///
/// ```
/// use execdriver_core::{ExecRequest, ProcessConfig};
/// let process = ProcessConfig {
///     entrypoint: "/bin/date".into(),
///     ..ProcessConfig::default()
/// };
/// let request = ExecRequest::new(process).exec_id("date-1");
/// assert_eq!(request.exec_id.as_deref(), Some("date-1"));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecRequest {
    /// The exec's own id, by which it can be killed and resized; made up when absent.
    pub exec_id: Option<String>,
    /// What to execute. An empty environment means the container's; an empty user the container's.
    pub process: ProcessConfig,
    /// The working directory; the container's when absent.
    pub cwd: Option<String>,
    /// Capabilities by name without `CAP_`, exactly these; the container's when absent.
    pub capabilities: Option<Vec<String>>,
    /// Limits of its own, in a cgroup below the container's.
    pub resources: Option<Resources>,
    /// Timeout, graces, output cap, die_with_host, strict.
    pub options: RunOptions,
}

impl ExecRequest {
    /// A request for `process` with nothing of its own.
    pub fn new(process: ProcessConfig) -> Self {
        Self {
            exec_id: None,
            process,
            cwd: None,
            capabilities: None,
            resources: None,
            options: RunOptions::default(),
        }
    }

    /// Sets the exec's id.
    pub fn exec_id(mut self, id: impl Into<String>) -> Self {
        self.exec_id = Some(id.into());
        self
    }

    /// Sets the working directory.
    pub fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Sets the capabilities.
    pub fn capabilities(mut self, names: Vec<String>) -> Self {
        self.capabilities = Some(names);
        self
    }

    /// Sets the limits.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Sets the options.
    pub fn options(mut self, options: RunOptions) -> Self {
        self.options = options;
        self
    }
}

/// What a signal or a new window size is for.
///
/// ```
/// use execdriver_core::Target;
/// assert_eq!(Target::from("web-1"), Target::Container("web-1".into()));
/// assert_eq!(Target::exec("web-1", "date-1").container(), "web-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The first process of the container of this id.
    Container(String),
    /// One of its execs.
    Exec {
        /// The container's id.
        container: String,
        /// The exec's id.
        exec: String,
    },
}

impl Target {
    /// The exec `exec` of container `container`.
    pub fn exec(container: impl Into<String>, exec: impl Into<String>) -> Self {
        Self::Exec {
            container: container.into(),
            exec: exec.into(),
        }
    }

    /// The container's id.
    pub fn container(&self) -> &str {
        match self {
            Self::Container(id) | Self::Exec { container: id, .. } => id,
        }
    }
}

impl From<&str> for Target {
    fn from(id: &str) -> Self {
        Self::Container(id.to_owned())
    }
}

impl From<&Command> for Target {
    fn from(command: &Command) -> Self {
        Self::Container(command.id.clone())
    }
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContainerState {
    /// Its namespaces may exist; its program was not executed yet.
    Starting,
    /// Its first process runs.
    Running,
    /// It is frozen.
    Paused,
    /// Its first process is gone and its traces are still there.
    Stopped,
}

impl std::fmt::Display for ContainerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// A line of [`Driver::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerInfo {
    /// The container's id.
    pub id: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// Its first process as the host sees it; `None` when that is gone.
    pub pid: Option<u32>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// When it was started, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_unix_ms: u64,
}

impl ContainerInfo {
    /// A line for container `id`; for drivers.
    pub fn new(id: impl Into<String>, state: ContainerState) -> Self {
        Self {
            id: id.into(),
            state,
            pid: None,
            command: Vec::new(),
            started_unix_ms: 0,
        }
    }
}
