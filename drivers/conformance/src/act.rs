//! What the suite asks programs to do, and the driver's author to provide.

use execdriver_core::{Command, Driver, ProcessConfig, Signal};
use std::sync::Arc;

/// What a program of the suite does.
///
/// ```
/// use execdriver_conformance::Act;
/// let act = Act::Exit(72);
/// assert_eq!(act, Act::Exit(72));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// Exits with this code.
    Exit(u8),
    /// Dies of this signal.
    Die(Signal),
    /// Writes to both outputs and exits with 0.
    Print {
        /// To standard output.
        stdout: String,
        /// To standard error.
        stderr: String,
    },
    /// Copies standard input to standard output up to its end.
    Cat,
    /// Runs until a signal ends it; TERM does.
    Sleep,
    /// Writes `ready` to standard output once it ignores TERM, and runs until it is killed.
    SleepIgnoringTerm,
    /// Is missing.
    Missing,
    /// Is there and cannot be executed.
    NotExecutable,
}

impl Act {
    /// Writes `stdout` to standard output.
    pub fn print(stdout: impl Into<String>) -> Self {
        Self::Print {
            stdout: stdout.into(),
            stderr: String::new(),
        }
    }
}

/// A driver under test.
pub trait Subject: Sync {
    /// A driver handle. Every call opens the same root anew, as another process would.
    fn driver(&self) -> Arc<dyn Driver>;

    /// A command for container `id` whose program does `act`.
    fn command(&self, id: &str, act: &Act) -> Command;

    /// A process for an exec that does `act`.
    fn process(&self, act: &Act) -> ProcessConfig;
}
