//! The facts of the host that plans depend on, as a value.

use crate::cgroup::limits::Available;
use crate::facts::SubIds;
use crate::launch::IdMaps;
use std::borrow::Cow;
use std::path::Path;

/// What the host program is and what its host has, borrowed from who looked. Everything that a plan needs to know of the
/// world, but for the paths that the document names: those are [`super::Sources`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    /// Effective user id.
    pub(crate) uid: u32,
    /// Effective group id.
    pub(crate) gid: u32,
    /// Permitted capabilities that are in the bounding set too: bit n is capability n.
    pub(crate) capabilities: u64,
    /// The highest capability that the kernel knows.
    pub(crate) last_capability: u32,
    /// The ids of the user namespace that the host program is in itself; `None` in the machine's
    /// first, where device nodes can be made and the host's file systems be mounted anew.
    pub(crate) outer: Option<IdMaps>,
    /// What /etc/subuid and /etc/subgid give to the caller; read when a plan depends on it.
    pub(crate) sub_ids: Option<SubIds>,
    /// The host program's own `oom_score_adj`, which its children start with.
    pub(crate) oom_score_adj: i32,
    /// Whether the kernel has `/proc/kcore`.
    pub(crate) kcore: bool,
    /// The root is an initramfs, which a container's root covers and does not replace.
    pub(crate) root_is_initramfs: bool,
    /// The cgroup hierarchies, and what may be done with them.
    pub(crate) cgroup: HostCgroup<'a>,
    /// The version of Landlock's interface; 0: there is none.
    pub(crate) landlock_abi: u32,
    /// Whether AppArmor confines programs here.
    pub(crate) apparmor: AppArmor,
    /// Whether SELinux labels programs and files here.
    pub(crate) selinux: bool,
    /// Whether the kernel keeps groups of processes apart by hardware threads; why not.
    pub(crate) core_scheduling: Result<(), String>,
    /// Whether the kernel has time namespaces.
    pub(crate) time_namespaces: bool,
}

/// AppArmor on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AppArmor {
    /// The kernel does not have it, or it is switched off.
    Absent,
    /// It is in force.
    Active {
        /// The name of the default profile, which is loaded; or why it is not.
        default: Result<String, Cow<'static, str>>,
    },
}

/// The cgroup hierarchies of the host, and what the container has in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostCgroup<'a> {
    /// The hierarchies of version 1 in the order in which they are mounted.
    pub(crate) v1: Vec<Hierarchy<'a>>,
    /// Where version 2 is mounted.
    pub(crate) v2: Option<Cow<'a, Path>>,
    /// The container's own cgroup, which is made before the plan is.
    pub(crate) own: OwnCgroup<'a>,
}

/// The container's cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnCgroup<'a> {
    /// This host, or this user, has none to give.
    None {
        /// Why, and the mend.
        reason: String,
    },
    /// There is one.
    Made {
        /// Why device rules cannot be enforced in it, and the mend; `None`: they can.
        no_device_rules: Option<String>,
        /// Its directories, in the order of the hierarchies.
        directories: Vec<OwnDirectory<'a>>,
        /// What it has for limits; nothing when none were asked for.
        available: Available,
    },
}

/// The container's directory in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnDirectory<'a> {
    /// As the host names it.
    pub(crate) path: Cow<'a, Path>,
    /// `st_dev` of the directory there.
    pub(crate) dev: u64,
    /// `st_ino` of the directory there.
    pub(crate) ino: u64,
}

/// A hierarchy of cgroup version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy<'a> {
    /// `cpu,cpuacct`; `name=systemd`.
    pub(crate) controllers: Cow<'a, str>,
    /// Where it is mounted.
    pub(crate) mount_point: Cow<'a, Path>,
}

const SYS_ADMIN: u64 = 1 << 21;
const SYS_RESOURCE: u64 = 1 << 24;
const MKNOD: u64 = 1 << 27;

impl Host<'_> {
    /// Whether namespaces can be made without a user namespace.
    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0 && self.capabilities & SYS_ADMIN != 0
    }

    /// Whether the user namespace of the host program denies `setgroups(2)`, as that of an
    /// unprivileged `unshare -r` does.
    pub(super) fn denies_setgroups(&self) -> bool {
        self.outer
            .as_ref()
            .is_some_and(|outer| outer.deny_setgroups)
    }

    /// Whether device nodes can be made.
    pub(super) fn makes_nodes(&self) -> bool {
        self.is_root() && self.outer.is_none() && self.capabilities & MKNOD != 0
    }

    /// What to write as `oom_score_adj`; `None`: it is so already, or is the default that this user
    /// may not go down to. A session's programs often start with more, and only CAP_SYS_RESOURCE
    /// goes below what was set with it (proc_pid_oom_score_adj(5)); nobody asked for 0.
    pub(super) fn oom_score_adj_to_write(&self, wanted: Option<i32>) -> Option<i32> {
        let unreachable =
            |wanted| wanted == 0 && self.oom_score_adj > 0 && self.capabilities & SYS_RESOURCE == 0;
        wanted.filter(|wanted| *wanted != self.oom_score_adj && !unreachable(*wanted))
    }

    /// Every capability of the kernel: what a process has in a new user namespace.
    pub(super) fn all_capabilities(&self) -> u64 {
        u64::MAX >> 63u32.saturating_sub(self.last_capability)
    }
}

impl HostCgroup<'_> {
    /// Whether the container stays in its caller's cgroup.
    pub(super) fn has_none(&self) -> bool {
        matches!(self.own, OwnCgroup::None { .. })
    }
}
