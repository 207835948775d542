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
        "the cgroup {} is in use{}: a container of this id runs under another driver root, or another \
         program made it (choose another id or cgroup_parent)",
        path.display(), by.map(|pid| format!(" by process {pid}")).unwrap_or_default()
    )]
    InUse {
        path: PathBuf,
        /// One of its processes, as we see it.
        by: Option<u32>,
    },
    #[error("{} is not a cgroup", path.display())]
    NotACgroup { path: PathBuf },
    #[error("cannot {action} the cgroup {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: Errno,
    },
    /// The kernel does not take the value.
    #[error("the kernel refuses {value:?} for {}", file.display())]
    Limit {
        field: String,
        value: String,
        file: PathBuf,
        #[source]
        source: Errno,
    },
    /// The kernel took another value instead.
    #[error("{field}: got {wanted}, of which the kernel makes {found}")]
    Bent {
        field: String,
        wanted: String,
        found: String,
    },
    /// The container uses more already.
    #[error("{field}: got {wanted}, below the {used} that are in use")]
    BelowUse {
        field: String,
        wanted: u64,
        used: u64,
    },
    /// The kernel has no such limit.
    #[error("{field}: {reason}")]
    NoLimit { field: String, reason: String },
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
