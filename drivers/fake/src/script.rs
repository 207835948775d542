//! What a program of the fake does, as plain data.

use execdriver_core::{ResourceStats, Signal};
use std::time::Duration;

/// What a program does. The default exits with 0 at once and says nothing.
///
/// ```
/// use execdriver_fake::Script;
/// use std::time::Duration;
/// let script = Script {
///     run_for: Some(Duration::from_millis(5)),
///     ..Script::prints("hello\n")
/// };
/// assert_eq!(script.stdout, b"hello\n");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Written to standard output at the start.
    pub stdout: Vec<u8>,
    /// Written to standard error at the start; to standard output when there is a terminal.
    pub stderr: Vec<u8>,
    /// Copies standard input to standard output, and ends at its end, as `cat` does.
    pub echo_stdin: bool,
    /// How long it runs; `None`: until it is killed. Time while paused does not count.
    pub run_for: Option<Duration>,
    /// What it exits with.
    pub exit_code: u8,
    /// The signal that it dies of instead, if any.
    pub signal: Option<Signal>,
    /// Signals that it ignores; KILL cannot be ignored.
    pub ignores: Vec<Signal>,
    /// Whether the kernel "killed" it for want of memory: one OOM event, and the flag.
    pub oom_killed: bool,
    /// How the start fails, if it does.
    pub start_failure: Option<StartFailure>,
    /// What `stats` answers while it runs. A time of reading, a memory limit and a number of processes
    /// that are zero are filled in: with the time, the container's limit and its processes.
    pub stats: ResourceStats,
    /// What the exit status says of its memory, in bytes.
    pub peak_memory: Option<u64>,
}

/// How a start fails.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartFailure {
    /// The program is missing: exit code 127.
    ProgramNotFound,
    /// The program cannot be executed: exit code 126.
    ProgramNotExecutable,
    /// This step of the set-up fails.
    Setup(String),
}

impl Default for Script {
    fn default() -> Self {
        Self {
            stdout: Vec::new(),
            stderr: Vec::new(),
            echo_stdin: false,
            run_for: Some(Duration::ZERO),
            exit_code: 0,
            signal: None,
            ignores: Vec::new(),
            oom_killed: false,
            start_failure: None,
            stats: ResourceStats::default(),
            peak_memory: None,
        }
    }
}

impl Script {
    /// Exits with `code`.
    pub fn exits(code: u8) -> Self {
        Self::default().exit(code)
    }

    /// Writes `text` to standard output and exits with 0.
    pub fn prints(text: impl Into<Vec<u8>>) -> Self {
        Self {
            stdout: text.into(),
            ..Self::default()
        }
    }

    /// Runs until it is killed.
    pub fn forever() -> Self {
        Self {
            run_for: None,
            ..Self::default()
        }
    }

    /// Does not start.
    pub fn fails(failure: StartFailure) -> Self {
        Self {
            start_failure: Some(failure),
            ..Self::default()
        }
    }

    /// The same, exiting with `code`.
    pub fn exit(mut self, code: u8) -> Self {
        self.exit_code = code;
        self
    }

    /// Whether `signal` ends it.
    pub(crate) fn dies_of(&self, signal: Signal) -> bool {
        const HARMLESS: [i32; 5] = [0, 17, 18, 23, 28]; // probe, CHLD, CONT, URG, WINCH: signal(7)
        signal == Signal::KILL
            || !(self.ignores.contains(&signal) || HARMLESS.contains(&signal.number()))
    }
}
