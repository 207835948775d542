//! The OCI runtime `Spec` of a container, and what Docker's contract needs beside it.
//!
//! `Command -> Spec` is pure data to data: it touches nothing, so it behaves the same on every
//! host, and drivers share it. Facts of the host enter one step later, in the driver's plan.

mod attributes;
mod bundle;
mod capabilities;
mod devices;
mod draft;
mod environment;
mod exec;
mod idmap;
mod masks;
mod mounts;
mod namespaces;
mod oci;
mod paths;
mod process;
mod ranges;
mod requested;
mod resources;
mod seccomp;
mod template;
mod texts;
mod tmpfs;
mod translate;
mod user;

pub use attributes::ProcessControls;
pub use bundle::is_bind;
pub use capabilities::{capability_mask, capability_name};
pub use draft::Draft;
pub use exec::{ExecDefaults, ExecSpec};
pub use ranges::{RANGES_END, number_ranges};
pub use requested::{RequestedControl, requested_controls, requested_limits};
pub use resources::limits;
pub use seccomp::{
    SeccompError, SeccompPolicy, SeccompTarget, docker_profile, seccomp_profile, strict_profile,
};
pub use user::{IdOrName, MAX_ID, UserText};

use crate::{Ephemeral, Landlock, Securebit, UserNamespace};
use oci_spec::runtime;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A container as data: an OCI runtime specification document, and the few things that Docker's
/// contract has and OCI has not. A command becomes one with [`Spec::from_command`], a bundle's
/// `config.json` with [`Spec::from_oci`].
///
/// ```
/// use execdriver_core::spec::Spec;
/// let spec = Spec::from_oci("bundle-1", oci_spec::runtime::Spec::default());
/// assert!(!spec.init);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Spec {
    /// The container's id.
    pub id: String,
    /// The OCI document. `process.user` holds numbers only when `user` is `Ids`.
    pub oci: runtime::Spec,
    /// Who the process runs as, possibly by names that only the container's own files know.
    pub user: User,
    /// Namespaces that are those of another container of the same driver, in the order in which
    /// they were asked for. They are absent from `oci.linux.namespaces`.
    pub joins: Vec<Join>,
    /// Whether our init stays as PID 1, forwards signals and reaps.
    pub init: bool,
    /// A bounded, writable layer over the root file system that is thrown away.
    pub ephemeral: Option<Ephemeral>,
    /// What the template put in that the caller did not ask for: a host that cannot enforce one
    /// of these goes on and reports it, or fails when strict. All else is enforced or an error.
    pub defaults: Vec<TemplateDefault>,
    /// Capabilities that were asked for by name: a host without one of them is an error, while
    /// others that it lacks are left out.
    pub named_capabilities: runtime::Capabilities,
    /// Whether the driver fills `/dev`: the nodes of `oci.linux.devices`, `ptmx`, and the links
    /// `fd`, `stdin`, `stdout`, `stderr`. Not when the caller brought a `/dev` of their own.
    pub fill_dev: bool,
    /// Makes every device node of the host's `/dev` too, except those whose path is in
    /// `oci.linux.devices` already (privileged).
    pub host_devices: bool,
    /// The container whose `/dev/shm` is seen as this one's: the one whose IPC namespace is
    /// joined, unless a mount of the command is there.
    pub shm_of: Option<String>,
    /// What the sources of mounts must be before anything is mounted.
    pub demands: Vec<PropagationDemand>,
    /// The cgroup above the container's as it was asked for; empty: the driver's choice.
    /// `oci.linux.cgroupsPath` has it cleaned, with the id below it; the native driver puts a `_` before an id that is, or begins
    /// as, the name of a file of the kernel's, or that begins with a `_`.
    pub cgroup_parent: String,
    /// Which seccomp filter. `oci.linux.seccomp` wins over it.
    pub seccomp: SeccompChoice,
    /// The paths and ports that the process may use.
    pub landlock: Option<Landlock>,
    /// Where the ids of a new user namespace come from when the document does not say.
    pub user_namespace: UserNamespace,
    /// The root file system's owners are seen through the container's user namespace.
    pub idmap_rootfs: bool,
    /// The processors that the first process runs on, as `0-3`; empty: all. OCI has a field for
    /// execs alone, which wins there.
    pub cpus: String,
    /// Whether hardware threads are shared within the container alone.
    pub core_scheduling: bool,
    /// How user id 0 and capabilities belong together.
    pub securebits: Vec<Securebit>,
    /// The bundle whose document it is, an absolute path; none of a command.
    pub bundle: Option<PathBuf>,
}

/// Which system calls a container may make.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum SeccompChoice {
    /// All of them.
    #[default]
    Unconfined,
    /// Those of [`docker_profile`], which is a [`TemplateDefault`].
    Default,
    /// Those of [`strict_profile`], which is a [`TemplateDefault`].
    Strict,
    /// Those of this profile: JSON in Docker's format.
    Profile(String),
}

/// What the source of a mount must be, so that mounts can travel through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropagationDemand {
    /// The field of the command to name in an error.
    pub field: String,
    /// The path on the host.
    pub source: PathBuf,
    /// What the mount that `source` is on must be.
    pub needs: SourcePropagation,
}

/// How the mount that a path is on must travel: the `shared:` and `master:` fields of
/// proc_pid_mountinfo(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourcePropagation {
    /// It must be shared.
    Shared,
    /// It must be shared or a slave.
    SharedOrSlave,
}

/// Who a process runs as.
///
/// ```
/// use execdriver_core::spec::User;
/// let user = User::Names { user: "daemon".into(), groups: vec!["audio".into()] };
/// assert_ne!(user, User::Ids);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// By the numbers in `oci.process.user`, nothing is looked up (OCI).
    Ids,
    /// By the rules of Docker: looked up in the container's own `/etc/passwd` and `/etc/group`.
    Names {
        /// `""`, `name`, `uid`, `name:group`, `uid:gid` and their mixtures.
        user: String,
        /// More groups, by name or number.
        groups: Vec<String>,
    },
}

/// A namespace of another container.
///
/// ```
/// use execdriver_core::spec::Join;
/// use oci_spec::runtime::LinuxNamespaceType;
/// let join = Join { kind: LinuxNamespaceType::Network, container: "db-1".into() };
/// assert_eq!(join.container, "db-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Which namespace.
    pub kind: runtime::LinuxNamespaceType,
    /// Whose.
    pub container: String,
}

/// A control that the template asks for on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplateDefault {
    /// The device cgroup's deny by default.
    DeviceRules,
    /// The default seccomp profile.
    Seccomp,
    /// The default AppArmor profile.
    AppArmor,
    /// A cgroup of its own.
    Cgroup,
    /// A bound on the number of processes (profile `strict`).
    PidsLimit,
}

impl Spec {
    /// The document's limits, device rules among them.
    pub fn limits(&self) -> Option<&runtime::LinuxResources> {
        self.oci.linux().as_ref()?.resources().as_ref()
    }

    /// A container from an OCI document alone.
    pub fn from_oci(id: impl Into<String>, oci: runtime::Spec) -> Self {
        let brings_dev = bundle::brings_dev(&oci);
        Self {
            id: id.into(),
            oci,
            user: User::Ids,
            joins: Vec::new(),
            init: false,
            ephemeral: None,
            defaults: Vec::new(),
            named_capabilities: runtime::Capabilities::new(),
            fill_dev: !brings_dev,
            host_devices: false,
            shm_of: None,
            demands: Vec::new(),
            cgroup_parent: String::new(),
            seccomp: SeccompChoice::Unconfined,
            landlock: None,
            user_namespace: UserNamespace::Unset,
            idmap_rootfs: false,
            cpus: String::new(),
            core_scheduling: false,
            securebits: Vec::new(),
            bundle: None,
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
