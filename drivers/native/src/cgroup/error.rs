//! What can go wrong with cgroups.

use nix::errno::Errno;
use std::path::PathBuf;
use std::time::Duration;

/// Why a cgroup could not be made, used or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CgroupError {
    /// This host, or this user, has none to give: the container can do without, unless something
    /// was asked for that needs one.
    #[error("no cgroup for the container: {reason} ({mend})")]
    Unavailable { reason: String, mend: String },
    #[error("invalid cgroup path {path:?}: {reason}")]
    InvalidPath { path: String, reason: &'static str },
    /// Another driver root, or another program, has processes in a cgroup of this name.
    #[error(
        "the cgroup {} exists and is in use (choose another id or cgroup_parent)",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("{} is not a cgroup", path.display())]
    NotACgroup { path: PathBuf },
    #[error("cannot {action} the cgroup {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: Errno,
    },
    #[error("invalid device rule {rule:?}: {reason}")]
    InvalidDeviceRule { rule: String, reason: &'static str },
    /// Uninterruptible sleep, or processes that are not ours to kill.
    #[error(
        "{count} processes of {} were still there {} ms after they were killed",
        path.display(), waited.as_millis()
    )]
    Survivors {
        path: PathBuf,
        count: usize,
        waited: Duration,
    },
}

impl CgroupError {
    /// An `Io` of this action; for `map_err`.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(Errno) -> CgroupError {
        let path = path.into();
        move |source| CgroupError::Io {
            action,
            path,
            source,
        }
    }
}
