//! Why a launch failed: which side, which step, and what the kernel said.

use std::error::Error;
use std::fmt;

use nix::errno::Errno;

use super::channel::ChannelError;
use super::idmap::IdMapError;
use super::memfd::ProgramError;
use super::process::{End, Exit};
use super::procfs::ProcfsError;
use crate::sys::spawn::SpawnError;
use crate::wire::{Detail, Report};

/// An error of the caller's own code that runs during a launch.
pub(crate) type CallerError = Box<dyn Error + Send + Sync>;

/// A launch that failed. Unless it is [`LaunchError::Left`], no process of it is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// There is no init program.
    #[error("cannot provide the init program")]
    Program(#[from] ProgramError),
    /// The first process did not start.
    #[error("cannot start the first process")]
    Spawn(#[from] SpawnError),
    /// Talking with init failed, took too long or was aborted.
    #[error("the first process was not set up")]
    Channel(#[from] ChannelError),
    /// /proc cannot be used.
    #[error("cannot reach the first process in /proc")]
    Procfs(#[from] ProcfsError),
    /// An id map was not written.
    #[error("cannot set up the user namespace")]
    IdMap(#[from] IdMapError),
    /// It could not be moved into its cgroups.
    #[error("cannot place the first process in its cgroups")]
    Place(#[source] CallerError),
    /// Its inclination to be killed for memory could not be set.
    #[error("cannot set oom_score_adj to {value}")]
    OomScore {
        /// What was asked for.
        value: i32,
        /// What failed.
        #[source]
        source: ProcfsError,
    },
    /// The caller's PreStart failed.
    #[error("the pre-start callback failed")]
    PreStart(#[source] CallerError),
    /// The caller's handling of the filter's listener failed.
    #[error("the seccomp listener was not taken")]
    Listener(#[source] CallerError),
    /// An operation of the plan failed.
    #[error("{words}")]
    Step {
        /// Index of the operation in the plan.
        index: u32,
        /// What it was to do.
        words: String,
        /// Why it failed.
        #[source]
        cause: StepFailure,
    },
    /// Init ended without having said why.
    #[error("the first process {} before the program was executed", ended(.exit))]
    EndedEarly {
        /// How it ended, if that is known.
        exit: Option<Exit>,
    },
    /// Init did not wait for what had to be done first.
    #[error("the first process did not wait to be set up")]
    DidNotWait,
    /// Something of the failed launch is left.
    #[error("process {pid} of a failed start cannot be ended")]
    Left {
        /// Its pid.
        pid: i32,
        /// Why the launch failed.
        #[source]
        source: Box<LaunchError>,
    },
}

impl LaunchError {
    /// Whether the cgroup of version 2 takes no processes (any more), because it has others below.
    pub(crate) fn is_crowded(&self) -> bool {
        matches!(self, Self::Spawn(SpawnError::Clone(Errno::EBUSY)))
    }

    /// Whether the deadline ended the launch.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, LaunchError::Channel(ChannelError::TimedOut))
    }
}

fn ended(exit: &Option<Exit>) -> String {
    match exit.map(|exit| exit.end) {
        Some(End::Exited(code)) => format!("ended with code {code}"),
        Some(End::Signalled { signal, .. }) => format!("was killed by signal {signal}"),
        None => "ended".to_owned(),
    }
}

/// Why an operation failed in init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepFailure {
    /// What the error number alone does not say.
    pub(crate) detail: Detail,
    /// The kernel's error, if there was one.
    pub(crate) errno: Option<Errno>,
    /// See [`Detail`].
    pub(crate) value: u64,
}

impl StepFailure {
    /// From init's report.
    pub(super) fn of(report: &Report) -> Self {
        let errno = (report.errno != 0).then(|| Errno::from_raw(report.errno));
        StepFailure {
            detail: report.detail,
            errno,
            value: report.value,
        }
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.detail {
            Detail::None => return f.write_str(self.errno.unwrap_or(Errno::UnknownErrno).desc()),
            Detail::BadMessage => "init does not understand this operation",
            Detail::UserNotFound => "the user is not in the container's /etc/passwd",
            Detail::GroupNotFound => "a group is not in the container's /etc/group",
            Detail::IdOutOfRange => "a user or group id is not in 0 to 2147483647",
            Detail::CwdOutsideRoot => {
                "the working directory does not lie below the container's root"
            }
            Detail::SourceChanged => "the path no longer leads to the same file",
            Detail::NotADirectory => "the target is not a real directory",
            Detail::NotNullDevice => "the host's /dev/null is not the null device",
            Detail::NotInPath => "no directory of PATH has the program",
            Detail::InterpreterMissing => {
                "the program's interpreter does not exist in the container"
            }
            Detail::TooManyGroups => "more supplementary groups than init holds",
            Detail::NotDevpts => "/dev/pts is not a terminal file system of the container",
            Detail::WrongDevice => "something else stands where the device is to be made",
            Detail::HostGone => "the host process is gone",
            Detail::Filter => "the kernel did not take the filter of system calls",
            Detail::NotExecuted => return self.not_executed(f),
            Detail::AccountFile => {
                "the container's /etc/passwd or /etc/group is not a readable regular file"
            }
            Detail::LandlockTooOld => "the kernel's Landlock is older than these rules",
            Detail::LandlockNotInForce => "a file that the rules forbid can still be opened",
            Detail::OtherProcessors => "the cgroup or the machine does not have all of them",
            Detail::NotProcfs => "/proc of the host is not procfs",
            Detail::HookFailed => return self.hook_failed(f),
            Detail::HookTimedOut => "it took longer than its timeout and was killed",
        })
    }
}

impl StepFailure {
    /// How the program's process ended, by its wait status.
    fn not_executed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.value & 0xffff;
        match status & 0x7f {
            0 => write!(f, "its process ended with code {}", status >> 8)?,
            signal => write!(f, "its process was killed by signal {signal}")?,
        }
        f.write_str(" before it was executed")
    }

    /// How a hook ended, by its wait status.
    fn hook_failed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.value & 0xffff;
        match status & 0x7f {
            0 => write!(f, "it ended with code {}", status >> 8),
            signal => write!(f, "it was killed by signal {signal}"),
        }
    }

    /// The signal that ended the program's process before the program was executed.
    pub(crate) fn killed_by(&self) -> Option<i32> {
        let signal = i32::try_from(self.value & 0x7f).ok()?;
        (self.detail == Detail::NotExecuted && signal != 0).then_some(signal)
    }
}

impl Error for StepFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match (self.detail, &self.errno) {
            (Detail::None, _) | (_, None) => None,
            (_, Some(errno)) => Some(errno),
        }
    }
}
