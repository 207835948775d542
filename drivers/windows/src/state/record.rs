//! What is written down of a container and of an exec: enough for another process to act on them.

use crate::backend::ProcessIdentity;
use crate::limits::Limits;
use execdriver_core::{ContainerState, ProcessConfig, Signal};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// The layout of the files; another one is refused.
pub(crate) const VERSION: u32 = 1;

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Its program has not begun.
    Starting,
    /// It has.
    Running,
    /// Everything in it stands still.
    Paused,
}

impl From<Status> for ContainerState {
    fn from(status: Status) -> Self {
        match status {
            Status::Starting => Self::Starting,
            Status::Running => Self::Running,
            Status::Paused => Self::Paused,
        }
    }
}

/// A container: `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) backend: String,
    /// A number of this run alone.
    pub(crate) run: u64,
    pub(crate) status: Status,
    /// The program that called `run`.
    pub(crate) host: ProcessIdentity,
    /// The first process.
    pub(crate) init: Option<ProcessIdentity>,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<String>,
    pub(crate) working_dir: String,
    pub(crate) tty: bool,
    pub(crate) started_unix_ms: u64,
    /// The limits in force.
    pub(crate) limits: Limits,
    /// What a pause suspended.
    pub(crate) suspended: Vec<ProcessIdentity>,
    /// The signals that a driver sent, signal n as bit n - 1.
    pub(crate) signals: u64,
}

/// An exec: `exec-<id>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecRecord {
    pub(crate) version: u32,
    /// The program that called `exec`.
    pub(crate) host: ProcessIdentity,
    pub(crate) process: Option<ProcessIdentity>,
    pub(crate) command: Vec<String>,
    pub(crate) tty: bool,
    /// As of the container.
    pub(crate) signals: u64,
}

/// The program and its arguments.
pub(crate) fn words(process: &ProcessConfig) -> Vec<String> {
    let mut words = vec![process.entrypoint.clone()];
    words.extend(process.arguments.iter().cloned());
    words
}

/// Milliseconds since 1970.
pub(crate) fn now_unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// A signal as a bit of `signals`; none for 0.
pub(crate) fn bit(signal: Signal) -> u64 {
    u32::try_from(signal.number() - 1).map_or(0, |shift| 1_u64.checked_shl(shift).unwrap_or(0))
}
