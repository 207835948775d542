//! Why a plan cannot be built, before anything was touched.

use crate::cgroup::limits::LimitError;
use execdriver_core::Error;
use nix::errno::Errno;
use std::path::PathBuf;

/// Why a plan cannot be built. Nothing was started and nothing is left behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// A field of the document is not acceptable.
    #[error("invalid {field}: {reason}")]
    Invalid {
        /// In the words of the document: `mounts["/mnt"].source`.
        field: String,
        /// What was got and what was expected.
        reason: String,
    },
    /// A path of the host that the document names cannot be used.
    #[error("invalid {field}: {path:?} of the host: {errno}")]
    Host {
        /// The field that names it.
        field: String,
        /// The path.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// What was asked for is not done by this driver, or not on this host.
    #[error("{0}")]
    Unsupported(String),
    /// Template defaults that this host does not enforce, and the run is strict.
    #[error("all of the defaults on this host, as `strict` asks: {}", .0.join("; "))]
    Unenforced(Vec<String>),
}

impl PlanError {
    /// An [`PlanError::Invalid`].
    pub(super) fn invalid(field: impl ToString, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.to_string(),
            reason: reason.into(),
        }
    }

    /// An [`PlanError::Unsupported`].
    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

impl From<LimitError> for PlanError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Invalid { field, reason } => Self::Invalid { field, reason },
            LimitError::Unsupported { .. } => Self::Unsupported(error.to_string()),
        }
    }
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        let text = error.to_string();
        match error {
            PlanError::Invalid { field, reason } => Error::invalid(field, reason),
            PlanError::Host { field, path, errno } => Error::invalid(
                field,
                format!("{} of the host: {}", path.display(), errno.desc()),
            ),
            PlanError::Unsupported(_) | PlanError::Unenforced(_) => {
                Error::unsupported(crate::NativeDriver::NAME, text)
            }
        }
    }
}
