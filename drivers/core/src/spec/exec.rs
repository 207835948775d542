//! One more process for a running container: what it inherits, and what is its own.

use super::process::{directory, posix_rlimits, words};
use super::{ProcessControls, SeccompChoice, Spec, User, capabilities, environment, user};
use crate::{Error, ExecRequest, LinuxResources, Resources, Result};
use oci_spec::runtime::{Capabilities, LinuxSeccomp, PosixRlimit, Process};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What an exec takes from its container: written to the container's state, so that every
/// process that opens the driver on the same root can exec.
///
/// ```
/// use execdriver_core::{Command, ExecRequest, ProcessConfig, Spec};
/// let command = Command::linux("web-1", "/srv/rootfs", "sleep").env("A", "1");
/// let defaults = Spec::from_command(&command, "native")?.exec_defaults();
/// let exec = defaults.exec(&ExecRequest::new(ProcessConfig::new("date")))?;
/// assert_eq!(exec.process.env().as_deref(), Some(&["A=1".to_owned()][..]));
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecDefaults {
    /// The container's own process.
    pub process: Process,
    /// Who it runs as.
    pub user: User,
    /// What OCI's process has no field for.
    #[serde(default)]
    pub controls: ProcessControls,
    /// The container's filter of system calls: an exec has the same, a privileged one too.
    #[serde(default)]
    pub seccomp: SeccompChoice,
    /// A filter that wins over `seccomp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp_filter: Option<LinuxSeccomp>,
}

/// [`ExecDefaults`] in their text.
#[derive(Serialize)]
struct Lent<'a> {
    process: Cow<'a, Process>,
    user: &'a User,
    controls: ProcessControls,
    seccomp: &'a SeccompChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    seccomp_filter: Option<&'a LinuxSeccomp>,
}

/// A process to put into a running container.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecSpec {
    /// The process. Its user holds numbers only when `user` is `Ids`.
    pub process: Process,
    /// Who it runs as.
    pub user: User,
    /// Capabilities that were asked for by name: a host without one of them is an error.
    pub named_capabilities: Capabilities,
    /// What OCI's process has no field for: the container's.
    pub controls: ProcessControls,
}

impl Spec {
    /// What an exec in this container starts from.
    pub fn exec_defaults(&self) -> ExecDefaults {
        ExecDefaults {
            process: self.oci.process().clone().unwrap_or_default(),
            user: self.user.clone(),
            controls: self.exec_controls(),
            seccomp: self.seccomp.clone(),
            seccomp_filter: self.oci.linux().as_ref().and_then(|l| l.seccomp().clone()),
        }
    }

    /// The same to be written alone, borrowed as far as that goes.
    pub fn lent_exec_defaults(&self) -> impl Serialize {
        let process = self.oci.process().as_ref();
        Lent {
            process: process.map_or_else(Cow::default, Cow::Borrowed),
            user: &self.user,
            controls: self.exec_controls(),
            seccomp: &self.seccomp,
            seccomp_filter: self.oci.linux().as_ref().and_then(|l| l.seccomp().as_ref()),
        }
    }

    /// The process of `request` in this container: [`ExecDefaults::exec`].
    ///
    /// # Errors
    /// As there.
    pub fn for_exec(&self, request: &ExecRequest) -> Result<ExecSpec> {
        self.exec_defaults().exec(request)
    }
}

impl ExecDefaults {
    /// The process of `request`.
    ///
    /// Its environment is its own if it has one, else the container's; so are directory, user and
    /// capabilities. A privileged one has every capability, for itself alone. Limits of setrlimit
    /// and `oom_score_adj` are the container's unless its resources name others;
    /// `no_new_privileges`, profile, label, Landlock rules, scheduling and the other attributes of
    /// processes are always the container's.
    ///
    /// # Errors
    /// [`InvalidCommand`](crate::Error::InvalidCommand) naming the field.
    pub fn exec(self, request: &ExecRequest) -> Result<ExecSpec> {
        let config = &request.process;
        config.validate()?;
        let mut process = self.process;
        words(&mut process, config)?;
        if !config.env.is_empty() {
            let mut env = process.env_mut().take().unwrap_or_default();
            environment::normalise(&config.env, &mut env);
            process.set_env(Some(env));
        }
        if let Some(cwd) = &request.cwd {
            check_cwd(cwd)?;
            process.set_cwd(directory(cwd));
        }
        if let Some(resources) = &request.resources {
            limit(&mut process, resources)?;
        }
        let named_capabilities = arm(&mut process, request)?;
        Ok(ExecSpec {
            process,
            user: user_of(self.user, request)?,
            named_capabilities,
            controls: self.controls,
        })
    }

    /// A process that is whole, as an OCI runtime gets it: it takes from the container what a document says of all of its
    /// processes, and capabilities, profile and label where it has none.
    pub fn exec_process(&self, mut process: Process) -> ExecSpec {
        if process.capabilities().is_none() {
            process.set_capabilities(self.process.capabilities().clone());
        }
        if process
            .apparmor_profile()
            .as_ref()
            .is_none_or(String::is_empty)
        {
            process.set_apparmor_profile(self.process.apparmor_profile().clone());
        }
        if process
            .selinux_label()
            .as_ref()
            .is_none_or(String::is_empty)
        {
            process.set_selinux_label(self.process.selinux_label().clone());
        }
        if process.oom_score_adj().is_none() {
            process.set_oom_score_adj(self.process.oom_score_adj());
        }
        let mut controls = self.controls.clone();
        // Its own stands for the whole of the container's, also where it says less.
        if let Some(affinity) = process.exec_cpu_affinity() {
            controls.cpus = affinity.cpu_affinity_final().clone().unwrap_or_default();
        }
        ExecSpec {
            process,
            user: User::Ids,
            named_capabilities: Capabilities::new(),
            controls,
        }
    }

    /// What later execs take over after an update of the container's limits.
    ///
    /// # Errors
    /// [`InvalidCommand`](crate::Error::InvalidCommand) naming the field.
    pub fn update(&mut self, resources: &Resources) -> Result<()> {
        limit(&mut self.process, resources)
    }
}

/// Gives the process the exec's own capabilities, if it has any: those that were asked for by name.
fn arm(process: &mut Process, request: &ExecRequest) -> Result<Capabilities> {
    let (sets, named) = match (&request.capabilities, request.process.privileged) {
        (None, true) => (capabilities::all(), Capabilities::new()),
        (None, false) if process.capabilities().is_some() => return Ok(Capabilities::new()),
        // An OCI document without capabilities asks for none; their default is not empty.
        (None, false) => (Capabilities::new(), Capabilities::new()),
        (Some(names), false) => {
            let named = capabilities::parse_list("capabilities", names)?;
            match names.iter().any(|name| capabilities::is_all(name)) {
                true => (capabilities::all(), named),
                false => (named.clone(), named),
            }
        }
        (Some(_), true) => {
            return Err(Error::invalid(
                "capabilities",
                "a privileged process has all of them",
            ));
        }
    };
    process.set_capabilities(Some(capabilities::sets(&sets)));
    Ok(named)
}

/// The exec's own user with the container's extra groups, or the container's user.
fn user_of(container: User, request: &ExecRequest) -> Result<User> {
    let asked = &request.process.user;
    if asked.is_empty() {
        return Ok(container);
    }
    let groups = match &container {
        User::Names { groups, .. } => groups.as_slice(),
        User::Ids => &[],
    };
    user::names(asked, groups)
}

/// Puts the limits that a process has by itself in force over those that it has.
fn limit(process: &mut Process, resources: &Resources) -> Result<()> {
    resources.validate_for_linux()?;
    let Some(linux) = &resources.linux else {
        return Ok(());
    };
    let rlimits = overlaid(process.rlimits().as_deref().unwrap_or_default(), linux)?;
    process.set_rlimits(Some(rlimits));
    if linux.oom_score_adj.is_some() {
        process.set_oom_score_adj(linux.oom_score_adj);
    }
    Ok(())
}

/// `under` with the limits of `linux` in their place.
fn overlaid(under: &[PosixRlimit], linux: &LinuxResources) -> Result<Vec<PosixRlimit>> {
    let over = posix_rlimits(Some(linux))?;
    let kept = |limit: &&PosixRlimit| !over.iter().any(|new| new.typ() == limit.typ());
    let mut all: Vec<PosixRlimit> = under.iter().filter(kept).copied().collect();
    all.extend(&over);
    Ok(all)
}

fn check_cwd(cwd: &str) -> Result<()> {
    if cwd.contains('\0') || !(cwd.is_empty() || cwd.starts_with('/')) {
        return Err(Error::invalid(
            "cwd",
            format!("got {cwd:?}, expected an absolute path"),
        ));
    }
    Ok(())
}
