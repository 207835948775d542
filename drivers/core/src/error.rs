//! The one public error type: what a caller can act on.

use crate::stage::HookStage;

/// A cause of any type, as carried by [`Error`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What every fallible call of the contract returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not happen, in terms that a caller can act on.
///
/// `Err` from `run` or `exec` means that the program did not run, or that the driver lost it; a
/// program that ran and failed is `Ok` with its exit status. `Display` names the object and never
/// repeats the cause: print the chain of [`std::error::Error::source`] for that.
///
/// ```
/// use execdriver_core::Error;
/// let error = Error::NotFound { id: "web-1".into() };
/// assert_eq!(error.to_string(), "no container \"web-1\"");
/// assert_eq!(error.exit_code(), 125);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no container, or no exec, of this id under the driver's root.
    #[error("no container {id:?}")]
    NotFound {
        /// The id that was asked for.
        id: String,
    },
    /// The id belongs to a container that runs, or whose traces were not cleaned.
    #[error("a container {id:?} exists already (stop it, or `clean` what a crash left)")]
    AlreadyExists {
        /// The id that was asked for.
        id: String,
    },
    /// The container, or the exec, is known but not running.
    #[error("container {id:?} is not running")]
    NotRunning {
        /// The id that was asked for.
        id: String,
    },
    /// The container runs, and the operation needs one that does not.
    #[error("container {id:?} is running (terminate it first)")]
    Running {
        /// The id that was asked for.
        id: String,
    },
    /// The container is paused and the operation needs it to run.
    #[error("container {id:?} is paused")]
    Paused {
        /// The id that was asked for.
        id: String,
    },
    /// A field of the command, or an argument of the call, is not acceptable.
    #[error("invalid {field}: {reason}")]
    InvalidCommand {
        /// The field in the words of the JSON, such as `mounts[2].destination`.
        field: String,
        /// What was got and what was expected.
        reason: String,
    },
    /// A command for one operating system was given to the driver of another.
    #[error("driver {driver:?} cannot run a {found} command")]
    WrongPlatform {
        /// The driver's registered name.
        driver: String,
        /// The command's flavour: `linux` or `windows`.
        found: String,
    },
    /// The program was not found in the container. Shells answer 127.
    #[error("program {program:?} not found in the container")]
    ProgramNotFound {
        /// The program as it was asked for.
        program: String,
        /// The kernel's answer.
        #[source]
        source: Option<BoxError>,
    },
    /// The program was found and the kernel refused to execute it. Shells answer 126.
    #[error("program {program:?} cannot be executed")]
    ProgramNotExecutable {
        /// The program as it was asked for.
        program: String,
        /// The kernel's answer.
        #[source]
        source: Option<BoxError>,
    },
    /// A step of the container's set-up failed; nothing of the program has run.
    #[error("{step}")]
    Setup {
        /// The step and its object: `mount proc on /proc`.
        step: String,
        /// The cause.
        #[source]
        source: Option<BoxError>,
    },
    /// A hook of the host returned an error.
    #[error("{stage} hook {index} failed")]
    Hook {
        /// When the hook ran.
        stage: HookStage,
        /// Its place in the list of its stage, from 0.
        index: usize,
        /// What it returned.
        #[source]
        source: BoxError,
    },
    /// The driver, or this host, cannot do what was asked.
    #[error("driver {driver:?} does not support {operation}")]
    Unsupported {
        /// The driver's registered name.
        driver: String,
        /// What was asked, and why or until when it cannot be had.
        operation: String,
    },
    /// No driver is registered under this name.
    #[error("unknown driver {name:?} (known: {})", known.join(", "))]
    UnknownDriver {
        /// The name that was asked for.
        name: String,
        /// The registered names, sorted.
        known: Vec<String>,
    },
    /// A driver of this name is registered already.
    #[error("a driver named {name:?} is registered already")]
    DuplicateDriver {
        /// The name.
        name: String,
    },
    /// The driver has no option of this key.
    #[error("driver {driver:?} has no option {key:?} (known: {})", list(known))]
    UnknownOption {
        /// The driver's registered name.
        driver: String,
        /// The key, lower-cased.
        key: String,
        /// The keys that it knows, sorted.
        known: Vec<String>,
    },
    /// The option is known and the value is not acceptable.
    #[error("option {key:?} of driver {driver:?} cannot be {value:?}: {reason}")]
    InvalidOption {
        /// The driver's registered name.
        driver: String,
        /// The key, lower-cased.
        key: String,
        /// The value as given.
        value: String,
        /// What was expected.
        reason: String,
    },
    /// An operation was not finished within its bound.
    #[error("timed out: {operation}")]
    Timeout {
        /// The operation and its bound.
        operation: String,
    },
    /// The start was given up because the container, or the exec, was killed meanwhile.
    #[error("the start of {id:?} was aborted by a kill")]
    Aborted {
        /// The container's id, or the exec's.
        id: String,
    },
    /// An operation failed, and so did the clean-up after it.
    #[error("{error}; cleaning up after it failed too: {cleanup}")]
    Cleanup {
        /// What failed first.
        #[source]
        error: Box<Error>,
        /// What then failed while cleaning up.
        cleanup: Box<Error>,
    },
    /// The driver failed in a way that only its own error tells.
    #[error("{operation}")]
    Driver {
        /// The driver's registered name.
        driver: String,
        /// What it was doing, and to what.
        operation: String,
        /// The cause.
        #[source]
        source: Option<BoxError>,
    },
}

impl Error {
    /// The exit code that a shell-like program reports for this error: 127 when the program was
    /// not found, 126 when it could not be executed, 125 for everything else (the convention of
    /// `docker run`, after POSIX shell 2.8.2).
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::ProgramNotFound { .. } => 127,
            Self::ProgramNotExecutable { .. } => 126,
            Self::Cleanup { error, .. } => error.exit_code(),
            _ => 125,
        }
    }

    /// An [`Error::InvalidCommand`] for `field`.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidCommand {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// An [`Error::Unsupported`] of `driver`.
    pub fn unsupported(driver: impl Into<String>, operation: impl Into<String>) -> Self {
        Self::Unsupported {
            driver: driver.into(),
            operation: operation.into(),
        }
    }
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_clean_up_keeps_the_first_error_and_its_exit_code() {
        let first = Error::ProgramNotFound {
            program: "foo".into(),
            source: None,
        };
        let both = Error::Cleanup {
            error: Box::new(first),
            cleanup: Box::new(Error::NotFound { id: "x".into() }),
        };
        assert_eq!(both.exit_code(), 127);
        assert!(both.to_string().contains("foo"));
        assert!(both.to_string().contains("no container \"x\""));
    }

    #[test]
    fn an_option_error_of_a_driver_without_options_says_none() {
        let error = Error::UnknownOption {
            driver: "fake".into(),
            key: "a".into(),
            known: vec![],
        };
        assert_eq!(
            error.to_string(),
            "driver \"fake\" has no option \"a\" (known: none)"
        );
    }
}
