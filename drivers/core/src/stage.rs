//! When hooks run.

use std::fmt;

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookStage {
    /// The namespaces exist and none of the container's code has run. An error aborts the start.
    PreStart,
    /// The filter of system calls is in force and its listener is handed over, before the program is executed. An error
    /// aborts the start.
    SeccompListener,
    /// The program has been executed. An error kills it and is returned.
    Start,
    /// The process is gone and cleaned up; once, if PreStart was reached. Errors are reported
    /// beside the exit status.
    PostStop,
}

impl fmt::Display for HookStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreStart => "pre-start",
            Self::SeccompListener => "seccomp-listener",
            Self::Start => "start",
            Self::PostStop => "post-stop",
        })
    }
}
