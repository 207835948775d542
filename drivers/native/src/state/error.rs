//! What can be wrong with the state on disk: each names the path and, where there is one, the mend.

use nix::errno::Errno;
use std::path::PathBuf;
use std::time::Duration;

/// Why the state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("invalid id {id:?}")]
    InvalidId { id: String },
    #[error("no state of {id:?} in {}", root.display())]
    NotFound { id: String, root: PathBuf },
    /// The directory is there: a live container, or what a crash left until it is cleaned.
    #[error("the state directory {} exists already", path.display())]
    AlreadyExists { path: PathBuf },
    #[error(
        "cannot create the state directory {} (choose one that you can write to, with --root or \
         in the driver's constructor)",
        path.display()
    )]
    Create {
        path: PathBuf,
        #[source]
        source: Errno,
    },
    /// Somebody else could have put it there, or could change it.
    #[error("cannot trust {}: {reason}", path.display())]
    Untrusted { path: PathBuf, reason: String },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: Errno,
    },
    /// Half a file, or something else altogether; `clean` removes it.
    #[error("{} is damaged: {reason} (remove it with `clean`)", path.display())]
    Corrupt { path: PathBuf, reason: String },
    #[error(
        "{} has format {found} and this version reads {expected} (remove it with `clean`)",
        path.display()
    )]
    Version {
        path: PathBuf,
        found: u64,
        expected: u32,
    },
    #[error(
        "{} was locked by another process for more than {} ms",
        path.display(), waited.as_millis()
    )]
    LockTimeout { path: PathBuf, waited: Duration },
    /// The recorded pids are numbers of another pid namespace: acting on them would hit others.
    #[error("{} was written in another pid namespace (act from there)", path.display())]
    ForeignPidNamespace { path: PathBuf },
}

impl StateError {
    /// Whether the process that is recorded in `path` lives cannot be told.
    pub(crate) fn unidentified(path: impl Into<PathBuf>, source: Errno) -> StateError {
        Self::io("identify the process recorded in", path)(source)
    }

    /// An `Io` of this action; for `map_err`.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(Errno) -> StateError {
        // The path is copied only where it is told.
        move |source| StateError::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// Whether the record is unreadable for ever, so that only removal helps.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. } | Self::Version { .. } | Self::Untrusted { .. }
        )
    }
}
