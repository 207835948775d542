//! Which of a Linux container's namespaces are its own, and which it shares with whom.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a container does about one kind of namespace, as its fields say.
///
/// ```
/// use execdriver_core::{Ipc, NamespaceMode};
/// assert_eq!(Ipc::host().mode(), NamespaceMode::Host);
/// assert_eq!(Ipc::default().mode(), NamespaceMode::Own);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamespaceMode<'a> {
    /// It gets a new one.
    Own,
    /// It stays in the host's.
    Host,
    /// It joins that of the running container of this id.
    Container(&'a str),
    /// It joins the one at this path of the host.
    Path(&'a Path),
}

impl<'a> NamespaceMode<'a> {
    /// The host's wins over a container's, as in the original.
    pub(crate) fn of(host: bool, container_id: &'a str, path: &'a Path) -> Self {
        if host {
            Self::Host
        } else if !container_id.is_empty() {
            Self::Container(container_id)
        } else if !path.as_os_str().is_empty() {
            Self::Path(path)
        } else {
            Self::Own
        }
    }
}

macro_rules! namespace {
    ($(#[$meta:meta])* $name:ident, $host:literal, $container:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// Joins that of this running container.
            #[serde(skip_serializing_if = $container)]
            pub container_id: String,
            /// Stays in the host's. Wins over `container_id`.
            #[serde(rename = $host)]
            pub host: bool,
            /// Joins the one at this path of the host. In the JSON unless empty.
            #[serde(skip_serializing_if = "is_empty_path")]
            pub path: PathBuf,
        }

        impl $name {
            /// The host's.
            pub fn host() -> Self {
                Self { host: true, ..Self::default() }
            }

            /// That of the running container `id`.
            pub fn of_container(id: impl Into<String>) -> Self {
                Self { container_id: id.into(), ..Self::default() }
            }

            /// The one at `path` of the host.
            pub fn at_path(path: impl Into<PathBuf>) -> Self {
                Self { path: path.into(), ..Self::default() }
            }

            /// What the fields amount to.
            pub fn mode(&self) -> NamespaceMode<'_> {
                NamespaceMode::of(self.host, &self.container_id, &self.path)
            }
        }
    };
}

namespace! {
    /// System V IPC and POSIX message queues: ipc_namespaces(7).
    Ipc, "host_ipc", "never"
}
namespace! {
    /// Process numbers: pid_namespaces(7).
    Pid, "host_pid", "String::is_empty"
}
namespace! {
    /// Host name and domain name: uts_namespaces(7).
    Uts, "host_uts", "String::is_empty"
}
namespace! {
    /// The view of the cgroup tree: cgroup_namespaces(7). Not in the original.
    CgroupNamespace, "host_cgroup", "String::is_empty"
}

/// The original writes an empty `container_id` of IPC too.
#[allow(clippy::ptr_arg, reason = "serde's signature")]
fn never(_: &String) -> bool {
    false
}

#[allow(clippy::ptr_arg, reason = "serde's signature")]
fn is_empty_path(path: &PathBuf) -> bool {
    path.as_os_str().is_empty()
}
