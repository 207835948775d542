//! What can be said against a command without looking at a host.

mod attributes;
mod linux;
mod nul;
mod parts;
mod resources;

pub(crate) use linux::MAX_RANGES;

use crate::{Command, ContainerId, Error, Platform, ProcessConfig, Resources, Result};

impl Command {
    /// Judges the command without touching anything. Every driver does this first.
    ///
    /// What depends on the host or on the root file system (does the user exist, is the source of
    /// a mount there) is the driver's to find out.
    ///
    /// ```
    /// use execdriver_core::Command;
    /// let command = Command::linux("web-1", "rootfs", "/bin/sh");
    /// let error = command.validate().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "invalid rootfs: \"rootfs\" is not absolute, expected a path that starts with /"
    /// );
    /// ```
    ///
    /// # Errors
    /// `InvalidCommand` that names the field in the words of the JSON: a bad id; a NUL byte
    /// anywhere; an empty entry point; an environment entry without a name or `=`; a relative
    /// path where an absolute one belongs; two mounts on one destination, or one on `/` or in
    /// `/proc`; a number out of range; a field of the other platform.
    pub fn validate(&self) -> Result<()> {
        ContainerId::parse(&self.id)?;
        if self.has_nul()? {
            nul::refuse(&self.to_json()?)?;
        }
        self.process.validate()?;
        parts::network(self.network.as_ref())?;
        if let Some(resources) = &self.resources {
            resources.validate_for(&self.platform)?;
            let linux = resources.linux.as_ref();
            if linux.is_some_and(|linux| linux.oom_score_adj.is_some()) {
                let reason = "a command has an oom_score_adj of its own";
                return Err(Error::invalid("resources.oom_score_adj", reason));
            }
        }
        match &self.platform {
            Platform::Linux(linux) => {
                linux::root(&self.rootfs, &self.working_dir)?;
                parts::linux_mounts(&self.mounts)?;
                linux::check(linux)
            }
            Platform::Windows(_) => parts::windows_mounts(&self.mounts),
        }
    }

    /// A field that is set although the command's platform does not have it, and why it is wrong.
    pub(crate) fn foreign_field(&self) -> Option<(String, String)> {
        let (field, owner) = match &self.platform {
            Platform::Linux(_) => (self.windows_field()?, "Windows"),
            Platform::Windows(_) => (self.linux_field()?, "Linux"),
        };
        let reason = format!(
            "it is for {owner} alone, the command is for {}",
            self.platform.name()
        );
        Some((field, reason))
    }

    fn windows_field(&self) -> Option<String> {
        if self
            .resources
            .as_ref()
            .is_some_and(|all| all.windows.is_some())
        {
            return Some("resources.windows".to_owned());
        }
        let interface = self.network.as_ref()?.interface.as_ref();
        interface.map(|_| "network.interface".to_owned())
    }

    fn linux_field(&self) -> Option<String> {
        let network = self.network.clone().unwrap_or_default();
        let has_limits = |resources: &Resources| resources.linux.is_some();
        let fields = [
            (self.process.privileged, "process_config.privileged"),
            (!self.process.user.is_empty(), "process_config.user"),
            (network.mtu != 0, "network.mtu"),
            (
                !network.namespace_path.as_os_str().is_empty(),
                "network.namespace_path",
            ),
            (network.host_networking, "network.host_networking"),
            (
                self.resources.as_ref().is_some_and(has_limits),
                "resources.linux",
            ),
        ];
        let field = fields
            .into_iter()
            .find_map(|(set, field)| set.then(|| field.to_owned()));
        let in_mounts = || {
            self.mounts.iter().enumerate().find_map(|(index, mount)| {
                let key = if !mount.data.is_empty() {
                    "data"
                } else if mount.propagation != crate::Propagation::default() {
                    "mountpropagation"
                } else if mount.idmap.is_some() {
                    "idmap"
                } else {
                    return None;
                };
                Some(format!("mounts[{index}].{key}"))
            })
        };
        field.or_else(in_mounts)
    }
}

impl ProcessConfig {
    /// Judges the process without touching anything; for an `exec` too.
    ///
    /// # Errors
    /// `InvalidCommand`: an empty entry point, an environment entry without a name or `=`, a NUL
    /// byte.
    pub fn validate(&self) -> Result<()> {
        let field = |name: &str| format!("process_config.{name}");
        if self.entrypoint.is_empty() {
            let reason = "it is empty, expected the program to execute";
            return Err(Error::invalid(field("entrypoint"), reason));
        }
        nul::refuse_in(&field("entrypoint"), &self.entrypoint)?;
        nul::refuse_in(&field("user"), &self.user)?;
        for (index, argument) in self.arguments.iter().enumerate() {
            nul::refuse_in(&format!("process_config.arguments[{index}]"), argument)?;
        }
        for (index, entry) in self.env.iter().enumerate() {
            let field = format!("process_config.environment[{index}]");
            nul::refuse_in(&field, entry)?;
            if entry.find('=').is_none_or(|at| at == 0) {
                let reason = format!("got {entry:?}, expected NAME=value");
                return Err(Error::invalid(field, reason));
            }
        }
        Ok(())
    }
}

impl Resources {
    /// Judges limits without touching anything. Without a Linux part they may be of either system,
    /// and what only one of them takes passes.
    ///
    /// # Errors
    /// `InvalidCommand`: a number out of range, a limit twice, a list of processors that is none.
    pub fn validate(&self) -> Result<()> {
        let shares = match self.linux {
            Some(_) => resources::LINUX_CPU_SHARES,
            None => resources::ANY_CPU_SHARES,
        };
        resources::check(self, shares)
    }

    /// Judges limits for a container of this platform: those of an update, or of an exec.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    ///
    /// ```
    /// use execdriver_core::{LinuxCommand, Platform, Resources};
    ///
    /// let linux = Platform::Linux(LinuxCommand::default());
    /// let resources = Resources { cpu_shares: 1, ..Resources::default() };
    /// let error = resources.validate_for(&linux).unwrap_err();
    /// assert!(error.to_string().contains("cpu_shares"), "{error}");
    /// ```
    pub fn validate_for(&self, platform: &Platform) -> Result<()> {
        match platform {
            Platform::Linux(_) => self.validate_for_linux(),
            Platform::Windows(_) => resources::check(self, resources::WINDOWS_CPU_SHARES),
        }
    }

    pub(crate) fn validate_for_linux(&self) -> Result<()> {
        if self.windows.is_some() {
            let reason = "it is for Windows alone, the limits are for Linux";
            return Err(Error::invalid("resources.windows", reason));
        }
        resources::check(self, resources::LINUX_CPU_SHARES)
    }
}

/// Refuses a path that is not absolute in the sense of Linux, whatever the system we run on.
fn absolute(field: &str, path: &str) -> Result<()> {
    if path.starts_with('/') {
        return Ok(());
    }
    let reason = if path.is_empty() {
        "it is empty, expected a path that starts with /".to_owned()
    } else {
        format!("{path:?} is not absolute, expected a path that starts with /")
    };
    Err(Error::invalid(field, reason))
}
