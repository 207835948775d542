//! The part of a command that only Linux knows.

use crate::{
    CgroupNamespace, Device, Ipc, Landlock, NamespaceMode, Pid, ProcessAttributes, TimeOffsets, Uts,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What only a Linux container has. The default is a container with namespaces of its own, no
/// extra devices, the original's capabilities, and a name of its own choice.
///
/// ```
/// use execdriver_core::LinuxCommand;
/// let linux = LinuxCommand {
///     cap_add: vec!["NET_ADMIN".into()],
///     readonly_rootfs: true,
///     ..LinuxCommand::default()
/// };
/// assert!(linux.ipc.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinuxCommand {
    /// Rules of what devices may be used, beside the template's.
    pub allowed_devices: Vec<Device>,
    /// The AppArmor profile; empty: the default one.
    pub apparmor_profile: String,
    /// Device nodes to make, beside the template's; one of the same path replaces it.
    pub autocreated_devices: Vec<Device>,
    /// Capabilities to add, without `CAP_`, any case; `ALL`.
    pub cap_add: Vec<String>,
    /// Capabilities to drop, without `CAP_`, any case; `ALL`.
    pub cap_drop: Vec<String>,
    /// The cgroup above the container's.
    pub cgroup_parent: String,
    /// Group ids of the user namespace.
    pub gid_mappings: Vec<IdMap>,
    /// Extra groups, by name or number.
    pub group_add: Vec<String>,
    /// `None`: an IPC namespace of its own.
    pub ipc: Option<Ipc>,
    /// How readily the kernel kills it when memory is short, -1000 to 1000.
    pub oom_score_adj: i32,
    /// `None`: a pid namespace of its own.
    pub pid: Option<Pid>,
    /// The root file system is read-only; mounts of the command are not affected.
    pub readonly_rootfs: bool,
    /// The host's ids of root, when they are not 0: asks for a user namespace.
    pub remapped_root: Option<RemappedRoot>,
    /// Empty: the default profile. `unconfined`: none. Else the JSON text of a profile.
    pub seccomp_profile: String,
    /// User ids of the user namespace.
    pub uid_mappings: Vec<IdMap>,
    /// `None`: a UTS namespace of its own.
    pub uts: Option<Uts>,
    /// No program in it gains privileges (setuid, file capabilities). In the JSON when true.
    pub no_new_privileges: bool,

    // Additions. Each is absent from the JSON when it is the default.
    /// Our init stays as PID 1, forwards signals and reaps orphans.
    pub init: bool,
    /// The template to start from.
    pub profile: Profile,
    /// Writes to the root file system go to a bounded memory that vanishes at the end.
    pub ephemeral: Option<Ephemeral>,
    /// Kernel parameters of the container's namespaces: `net.ipv4.ip_forward` = `1`.
    pub sysctl: BTreeMap<String, String>,
    /// Restricts the process to these paths and ports, whatever its user may do.
    pub landlock: Option<Landlock>,
    /// `None`: a cgroup namespace of its own.
    pub cgroup_namespace: Option<CgroupNamespace>,
    /// The host name. Empty: `HOSTNAME` of the environment, else a name of the driver's choice.
    pub hostname: String,
    /// The NIS domain name; empty: none.
    pub domainname: String,
    /// Whether there is a user namespace, and with which ids, when `uid_mappings` and
    /// `gid_mappings` do not say.
    pub user_namespace: UserNamespace,
    /// Shows the root file system's owners through the container's user namespace: what is root's
    /// on the disk is root's in the container, and no file has to change its owner.
    pub idmap_rootfs: bool,
    /// `Some`: a time namespace of its own with these offsets. `None`: the host's.
    pub time_offsets: Option<TimeOffsets>,
    /// How the process is scheduled, and what else the kernel keeps for each process.
    pub attributes: ProcessAttributes,
}

impl LinuxCommand {
    /// What to do about the IPC namespace.
    pub fn ipc_mode(&self) -> NamespaceMode<'_> {
        self.ipc.as_ref().map_or(NamespaceMode::Own, Ipc::mode)
    }

    /// What to do about the pid namespace.
    pub fn pid_mode(&self) -> NamespaceMode<'_> {
        self.pid.as_ref().map_or(NamespaceMode::Own, Pid::mode)
    }

    /// What to do about the UTS namespace.
    pub fn uts_mode(&self) -> NamespaceMode<'_> {
        self.uts.as_ref().map_or(NamespaceMode::Own, Uts::mode)
    }

    /// What to do about the cgroup namespace.
    pub fn cgroup_mode(&self) -> NamespaceMode<'_> {
        self.cgroup_namespace
            .as_ref()
            .map_or(NamespaceMode::Own, CgroupNamespace::mode)
    }
}

/// Where the ids of a container's user namespace come from.
///
/// ```
/// use execdriver_core::{LinuxCommand, UserNamespace};
/// let linux = LinuxCommand { user_namespace: UserNamespace::Auto, ..LinuxCommand::default() };
/// assert!(linux.uid_mappings.is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserNamespace {
    /// The mappings, if there are any. Without them an ordinary user's container has the caller as
    /// its root, with the ids of /etc/subuid and /etc/subgid beside it where it runs as another
    /// user or with more groups; root's has no user namespace.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// None: the ids are the host's. An error for an ordinary user.
    Host,
    /// One with the ids that /etc/subuid and /etc/subgid give to the caller; an ordinary user is
    /// the container's root itself. An error when there are none.
    Auto,
    /// Likewise, but the caller has the same ids inside as outside.
    KeepId,
}

/// The template that a container starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The original's: 14 capabilities, masked paths, the default seccomp filter.
    #[default]
    Docker,
    /// No capabilities, no new privileges, a bound on processes.
    Strict,
}

/// The bounds of the memory that takes the writes to an ephemeral root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ephemeral {
    /// The most bytes; 0: the driver's default.
    pub size_bytes: u64,
    /// The most files and directories; 0: the driver's default.
    pub inodes: u64,
}

/// The host's ids of the container's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemappedRoot {
    /// The user id on the host.
    #[serde(rename = "root_uid")]
    pub uid: u32,
    /// The group id on the host.
    #[serde(rename = "root_gid")]
    pub gid: u32,
}

/// A range of ids: user_namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdMap {
    /// The first id in the container.
    pub container_id: u32,
    /// The first id on the host.
    pub host_id: u32,
    /// How many.
    pub size: u32,
}
