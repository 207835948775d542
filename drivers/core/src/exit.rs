//! What came of a container or an exec.

use crate::{Error, Signal, StreamError};
use std::sync::Arc;
use std::time::Duration;

/// Why a process ended.
///
/// ```
/// use execdriver_core::ExitReason;
/// assert_eq!(ExitReason::TimedOut.to_string(), "timed out");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitReason {
    /// It called exit.
    Exited,
    /// A signal ended it, sent by nobody that the driver knows of.
    Signalled,
    /// The driver killed it because its time was up.
    TimedOut,
    /// `kill` or `terminate` of a driver ended it.
    KilledByCaller,
}

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Exited => "exited",
            Self::Signalled => "signalled",
            Self::TimedOut => "timed out",
            Self::KilledByCaller => "killed by caller",
        })
    }
}

/// How a process that ran has ended.
///
/// ```
/// use execdriver_core::{ExitStatus, Signal};
/// assert!(ExitStatus::exited(0).success());
/// assert_eq!(ExitStatus::signalled(Signal::KILL).code, 137);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExitStatus {
    /// The exit status, 0 to 255 on Linux; 128 + n when signal n ended the process.
    pub code: i32,
    /// The signal that ended the process, if one did.
    pub signal: Option<Signal>,
    /// Why it ended.
    pub reason: ExitReason,
    /// Whether the kernel killed a process of the container for want of memory; from the cgroup's
    /// own counters, `false` where there are none.
    pub oom_killed: bool,
    /// From the call to the end of the process.
    pub wall: Duration,
    /// CPU time in user mode, of all the container's processes where a cgroup counted them, else
    /// of its first process and the children that it waited for; `None` when nothing counted.
    pub cpu_user: Option<Duration>,
    /// CPU time in kernel mode, as for `cpu_user`.
    pub cpu_system: Option<Duration>,
    /// The most memory in use at once, in bytes; `None` when nothing counted it.
    pub peak_memory: Option<u64>,
    /// Whether output was lost on purpose: beyond `RunOptions::output_cap`, or held back by a
    /// descendant past `RunOptions::output_grace`.
    pub output_truncated: bool,
    /// Streams of which bytes were lost because a read or a write of the caller's failed, the
    /// first failure each.
    pub stream_errors: Vec<Arc<StreamError>>,
    /// Defaults of the template that this host could not enforce, a sentence each. With
    /// `RunOptions::strict` these are errors instead.
    pub unenforced: Vec<String>,
    /// What PostStop hooks returned, if not `Ok`. They never hide the status.
    pub post_stop_errors: Vec<Arc<Error>>,
    /// What of the container could not be removed after its end. It never hides the status.
    pub cleanup_error: Option<Arc<Error>>,
}

impl ExitStatus {
    /// The status of a process that called exit with `code`.
    pub fn exited(code: i32) -> Self {
        Self {
            code,
            signal: None,
            reason: ExitReason::Exited,
            oom_killed: false,
            wall: Duration::ZERO,
            cpu_user: None,
            cpu_system: None,
            peak_memory: None,
            output_truncated: false,
            stream_errors: Vec::new(),
            unenforced: Vec::new(),
            post_stop_errors: Vec::new(),
            cleanup_error: None,
        }
    }

    /// The status of a process that `signal` ended: code 128 + n.
    pub fn signalled(signal: Signal) -> Self {
        Self {
            signal: Some(signal),
            reason: ExitReason::Signalled,
            ..Self::exited(128 + signal.number())
        }
    }

    /// Whether the process exited with 0.
    pub fn success(&self) -> bool {
        self.code == 0 && self.signal.is_none()
    }
}
