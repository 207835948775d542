//! What an OCI runtime's verbs answer, in the words that its clients look for.

use super::Status;
use execdriver_core::Error;

/// What the verbs return.
pub type OciResult<T> = Result<T, OciError>;

/// Why a verb did nothing. containerd and Docker read these words: "does not exist", "container not running".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OciError {
    /// Nothing of this id is below the root.
    #[error("container {id:?} does not exist")]
    NotFound {
        /// The id.
        id: String,
    },
    /// The id is taken.
    #[error("container with given ID already exists: {id:?}")]
    Exists {
        /// The id.
        id: String,
    },
    /// Not an id.
    #[error("invalid container ID {id:?}: expected 1 to 200 of the letters, digits and _+-.")]
    InvalidId {
        /// What was given.
        id: String,
    },
    /// The verb does not fit the state.
    #[error("cannot {verb} a container in the {status} state")]
    WrongState {
        /// `start`, `exec in`.
        verb: &'static str,
        /// Where the container is.
        status: Status,
    },
    /// There is nothing to signal.
    #[error("container not running")]
    NotRunning,
    /// It has to be stopped, or killed by force.
    #[error("cannot delete container {id} that is not stopped: {status}")]
    NotStopped {
        /// The id.
        id: String,
        /// Where the container is.
        status: Status,
    },
    /// A hook of the document failed.
    #[error("run the hook {} ({field}): {reason}", path.display())]
    Hook {
        /// `hooks.createRuntime[0]`.
        field: String,
        /// The program.
        path: std::path::PathBuf,
        /// How it ended, and what it said.
        reason: String,
    },
    /// CRIU looks into every process.
    #[error("{verb}: only root of the host can do this")]
    OnlyRoot {
        /// `checkpoint`.
        verb: &'static str,
    },
    /// A directory of saved processes.
    #[error("{}", path.display())]
    Images {
        /// Which.
        path: std::path::PathBuf,
        /// What the kernel said, or what it holds.
        #[source]
        source: std::io::Error,
    },
    /// Saved processes and the document do not fit.
    #[error(
        "{} was saved, and config.json does not say what is mounted there",
        point
    )]
    NoSource {
        /// Where the mount was in the container.
        point: String,
    },
    /// CRIU cannot be used, or failed.
    #[error(transparent)]
    Criu(execdriver_core::BoxError),
    /// A step of the driver failed.
    #[error(transparent)]
    Driver(Error),
}

impl From<Error> for OciError {
    fn from(error: Error) -> Self {
        Self::Driver(super::words::of_document(error))
    }
}

impl From<crate::criu::CriuError> for OciError {
    fn from(error: crate::criu::CriuError) -> Self {
        Self::Criu(Box::new(error))
    }
}
