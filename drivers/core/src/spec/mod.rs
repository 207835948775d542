//! The OCI runtime `Spec` of a container, and what Docker's contract needs beside it.
//!
//! `Command -> Spec` is pure data to data: it touches nothing, so it behaves the same on every
//! host, and drivers share it. Facts of the host enter one step later, in the driver's plan.

use oci_spec::runtime;

/// A container as data: an OCI runtime specification document, and the few things that Docker's
/// contract has and OCI has not. A bundle's `config.json` becomes one with [`Spec::from_oci`].
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
    pub ephemeral: Option<crate::Ephemeral>,
    /// What the template put in that the caller did not ask for: a host that cannot enforce one
    /// of these goes on and reports it, or fails when strict. All else is enforced or an error.
    pub defaults: Vec<TemplateDefault>,
}

/// Who a process runs as.
///
/// ```
/// use execdriver_core::spec::User;
/// let user = User::Names { user: "daemon".into(), groups: vec!["audio".into()] };
/// assert_ne!(user, User::Ids);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
    /// A container from an OCI document alone.
    pub fn from_oci(id: impl Into<String>, oci: runtime::Spec) -> Self {
        Self {
            id: id.into(),
            oci,
            user: User::Ids,
            joins: Vec::new(),
            init: false,
            ephemeral: None,
            defaults: Vec::new(),
        }
    }
}
