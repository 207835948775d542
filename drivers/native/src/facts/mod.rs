//! What this host gives and lacks, as plain data that plans are built from.
//!
//! Building a plan touches nothing: whatever it must know about the host comes in as a
//! [`HostFacts`], read here, or made up by a test. [`doctor`] turns the same facts into what
//! `capabilities()` says.

mod confine;
pub(crate) mod doctor;
mod kernel;
mod known;
pub(crate) mod limits;
mod read;
mod rights;
mod rootless;
mod security;
mod standing;
mod subids;
mod users;

pub(crate) use kernel::{Calls, KernelVersion};
pub(crate) use known::Known;
pub(crate) use security::Security;
pub(crate) use standing::{Standing, Status, ThreadStanding};
pub(crate) use subids::{SubIds, SubRange};
pub(crate) use users::{CapabilitySets, UserNamespaces};

use crate::cgroup::{Hierarchies, program_mend};
use nix::errno::Errno;
use std::path::PathBuf;

/// The facts of one moment; most never change while the process lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostFacts {
    pub(crate) kernel: KernelVersion,
    pub(crate) calls: Calls,
    pub(crate) cgroups: Hierarchies,
    /// The hierarchies in which this process may make cgroups below its own, and why not in the
    /// first one where it may not.
    pub(crate) cgroup_access: CgroupAccess,
    /// Why this process may load no device program, the way of a host without version 1's devices
    /// controller; `None`: it may, or needs none.
    pub(crate) device_programs_refused: Option<Errno>,
    /// The namespaces that the kernel knows: names of `/proc/self/ns`.
    pub(crate) namespaces: Vec<String>,
    /// The active security modules, in the kernel's order; empty also when it does not tell.
    pub(crate) lsms: Vec<String>,
    pub(crate) euid: u32,
    pub(crate) egid: u32,
    pub(crate) capabilities: CapabilitySets,
    pub(crate) user_namespaces: UserNamespaces,
    /// What /etc/subuid and /etc/subgid gave to our user when the facts were read.
    pub(crate) sub_ids: SubIds,
    /// `pivot_root(2)` refuses to leave the initramfs.
    pub(crate) root_is_initramfs: bool,
    /// File systems that the kernel has now (a module may still be loaded on demand).
    pub(crate) filesystems: Vec<String>,
    /// The contract's default device nodes that exist here with the right numbers.
    pub(crate) devices: Vec<PathBuf>,
    /// `vm.memfd_noexec` (0 where the kernel does not know it).
    pub(crate) memfd_noexec: u32,
    /// Whether an executable memfd can be made at all.
    pub(crate) executable_memfd: bool,
    /// Whether the kernel shows its memory in `/proc/kcore`.
    pub(crate) kcore: bool,
    /// Whether the kernel takes seccomp filters.
    pub(crate) seccomp: bool,
    /// Whether such a filter can ask a listener.
    pub(crate) seccomp_notify: bool,
    /// Whether a seccomp filter is in force on this process, as inside another container.
    pub(crate) under_seccomp: bool,
    pub(crate) security: Security,
}

/// Where cgroups can be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CgroupAccess {
    /// The names of the controllers' hierarchies, `unified` for version 2.
    pub(crate) writable: Vec<String>,
    /// Those where we may not, likewise.
    pub(crate) refused: Vec<String>,
    /// Whether the refusal is that of a read-only mount.
    pub(crate) read_only: bool,
    /// Where version 2's are made, if they can be.
    pub(crate) unified: Option<UnifiedAccess>,
}

/// The cgroup of version 2 below which those of containers are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnifiedAccess {
    pub(crate) path: PathBuf,
    /// What it may give to those below it.
    pub(crate) controllers: Vec<String>,
    /// Whether it has processes of its own, and so gives nothing.
    pub(crate) occupied: bool,
}

impl HostFacts {
    /// Whether this process acts as root of its user namespace, so that containers need none of
    /// their own.
    pub(crate) fn is_root(&self) -> bool {
        self.euid == 0
    }

    /// Why the device lists of version 1 cannot be written, and the mend: that takes CAP_SYS_ADMIN of
    /// the machine's first user namespace, whoever owns the cgroup (security/device_cgroup.c).
    pub(crate) fn no_device_lists(&self) -> Option<(&'static str, &'static str)> {
        let may = self.capabilities.may_administrate() && self.user_namespaces.outer.is_none();
        (!may).then_some((
            "only root of the host may write the device rules of version 1, delegated or not",
            "start the host program as root",
        ))
    }

    /// Why device rules cannot be enforced in a cgroup, and the mend, where it has no devices
    /// controller of version 1.
    pub(crate) fn no_device_programs(&self) -> Option<String> {
        let errno = self.device_programs_refused?;
        let (reason, mend) = (errno.desc(), program_mend(errno));
        Some(format!("bpf(2) for a device program: {reason} ({mend})"))
    }

    /// Whether a security module gives each process a label or a profile.
    pub(crate) fn has_labels(&self) -> bool {
        let others = ["smack", "tomoyo"];
        let other = |name: &String| others.contains(&name.as_str());
        self.security.apparmor || self.security.selinux || self.lsms.iter().any(other)
    }

    /// Whether the kernel has this file system built in or loaded.
    pub(crate) fn has_filesystem(&self, name: &str) -> bool {
        self.filesystems.iter().any(|have| have == name)
    }

    /// Whether the kernel has this namespace (`net`, `cgroup`, `user` ...).
    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.iter().any(|have| have == name)
    }
}
