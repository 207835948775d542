//! What can go wrong with cgroups.

use super::systemd::UnitError;
use crate::launch::LaunchError;
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
    /// Version 1 knows a default and exceptions to it, nothing in between.
    #[error(
        "cgroup version 1 cannot enforce these device rules: one takes back a part of what a wider \
         one gives (name the devices to allow one by one, or use a host with cgroup version 2)"
    )]
    InexpressibleDeviceRules,
    #[error(
        "cannot {action} systemd on {bus} (start dbus and systemd, the user's with `loginctl \
         enable-linger`, or open the driver with native.cgroupdriver=cgroupfs)"
    )]
    Systemd {
        action: &'static str,
        bus: String,
        #[source]
        source: UnitError,
    },
    #[error("cannot start the process that keeps a new scope")]
    Placeholder {
        #[source]
        source: Box<LaunchError>,
    },
    /// Version 2 has no other way to restrict devices.
    #[error(
        "cannot {action} the program that enforces the device rules ({mend}){}{}",
        if log.is_empty() { "" } else { ": " }, log.trim()
    )]
    DeviceProgram {
        action: &'static str,
        mend: &'static str,
        /// What the kernel's verifier said.
        log: String,
        #[source]
        source: Errno,
    },
    /// Version 2 has limits below a cgroup only when the cgroup has no processes itself.
    #[error(
        "{count} processes are left in {}: they are forked faster than they can be moved (pause the \
         container first)",
        path.display()
    )]
    Crowded { path: PathBuf, count: usize },
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
    /// Whether it is for want of descriptors, which others may give back.
    pub(crate) fn is_exhausted(&self) -> bool {
        let wanting = [Errno::EMFILE, Errno::ENFILE];
        matches!(self, Self::Io { source, .. } if wanting.contains(source))
    }

    /// A `DeviceProgram` with the mend for this errno.
    pub(super) fn device_program(action: &'static str, source: Errno, log: String) -> Self {
        CgroupError::DeviceProgram {
            action,
            mend: program_mend(source),
            log,
            source,
        }
    }

    /// An `Io` of this action; for `map_err`.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(Errno) -> CgroupError {
        // The path is copied only where it is told.
        move |source| CgroupError::Io {
            action,
            path: path.into(),
            source,
        }
    }
}

/// What makes the kernel take a device program that it refused with this errno: bpf(2).
pub(crate) fn program_mend(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM | Errno::EACCES => {
            "start the host program as root of the machine, with CAP_BPF and CAP_NET_ADMIN or \
             CAP_SYS_ADMIN, outside of user namespaces; before Linux 5.11 also raise its limit of \
             locked memory"
        }
        Errno::ENOSYS => {
            "boot a kernel with CONFIG_BPF_SYSCALL, or let the seccomp profile of the outer \
             container allow bpf(2)"
        }
        Errno::EINVAL => "boot a kernel with CONFIG_CGROUP_BPF",
        _ => "see bpf(2)",
    }
}
