//! `NativeDriver`: the contract over [`Containers`], one short method a verb.

use crate::cgroup::Manager;
use crate::cgroup::kept::Kept;
use crate::container::Containers;
use crate::facts::limits::{self, CgroupFiles};
use crate::facts::{HostFacts, doctor};
use crate::ready::{self, Stock};
use execdriver_core::{
    Capabilities, Command, ContainerId, ContainerInfo, Control, Driver, Error, ExecRequest,
    ExitStatus, Hooks, Options, Pipes, ResourceStats, Resources, Result, RunOptions, Signal,
    Target, WindowSize,
};
use std::path::Path;

/// The Linux driver, registered as `native`.
///
/// ```no_run
/// use execdriver_core::{Command, Driver, Hooks, Options, Pipes, RunOptions};
/// use execdriver_native::NativeDriver;
/// let driver = NativeDriver::open("/run/my-host/native".as_ref(), &mut Options::none())?;
/// let command = Command::linux("job-1", "/srv/rootfs", "/bin/true");
/// let status = driver.run(&command, &RunOptions::default(), Pipes::null(), &Hooks::none())?;
/// assert!(status.success());
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug)]
pub struct NativeDriver {
    containers: Containers,
}

/// What the trait has and this driver does.
const OPERATIONS: [&str; 11] = [
    "run",
    "exec",
    "kill",
    "resize",
    "pids",
    "terminate",
    "clean",
    "list",
    "stats",
    "update",
    "hooks",
];

impl NativeDriver {
    /// The name that it is registered under.
    pub const NAME: &'static str = "native";

    /// Opens the driver with its state in `root`, which is created when it is missing.
    ///
    /// Options: `native.cgroupdriver`, `cgroupfs` (the default) or `systemd`: who makes the cgroups. `native.netns_pool`, 0
    /// (the default) to 64: how many network namespaces are kept ready, by a thread of the driver, for containers to come.
    /// `native.sandbox_pool`, 0 (the default) to 64: the same of whole sandboxes; not both. `native.kept_open`, 4 (the default)
    /// or another number from 0 to 1024: of how many containers the files of cgroups stay open between two calls of
    /// [`stats`](Driver::stats), and of how many between two of [`exec`](Driver::exec).
    ///
    /// # Errors
    /// [`Error::InvalidOption`], also when systemd does not answer; [`Error::Driver`] when `root` cannot be used.
    pub fn open(root: &Path, options: &mut Options) -> Result<Self> {
        let manager = match options.take(MANAGER) {
            Some(value) => manager(&value)?,
            None => Manager::default(),
        };
        let networks = number(options, NETWORKS, ready::MOST)?.unwrap_or(0);
        let sandboxes = number(options, SANDBOXES, ready::MOST)?.unwrap_or(0);
        let stock = stock(networks, sandboxes)?;
        let kept = number(options, KEPT, MOST_KEPT)?.unwrap_or(FEW_KEPT);
        Ok(Self {
            containers: Containers::open(root, manager, stock, Kept::new(kept))?,
        })
    }

    /// The containers, for a verb on this one. The contract's rule for ids is narrower than that of an OCI runtime, which has
    /// the same containers: [`Store::check`](crate::state::Store::check).
    fn of(&self, id: &str) -> Result<&Containers> {
        ContainerId::check(id)?;
        Ok(&self.containers)
    }
}

/// The option that says who makes the cgroups.
const MANAGER: &str = "native.cgroupdriver";

/// The option that says how many network namespaces are made ahead.
const NETWORKS: &str = "native.netns_pool";

/// The option that says how many sandboxes are made ahead.
const SANDBOXES: &str = "native.sandbox_pool";

/// The option that says of how many containers the files of cgroups stay open.
const KEPT: &str = "native.kept_open";

/// So many when it is not given: some 70 descriptors each.
const FEW_KEPT: usize = 4;

/// No host has descriptors for more.
const MOST_KEPT: usize = 1024;

/// What is kept ready by the two options.
fn stock(networks: usize, sandboxes: usize) -> Result<Stock> {
    match (networks, sandboxes) {
        (networks, 0) => Ok(Stock::networks(networks)),
        (0, sandboxes) => Ok(Stock::sandboxes(sandboxes)),
        _ => Err(Error::InvalidOption {
            driver: NativeDriver::NAME.to_owned(),
            key: NETWORKS.to_owned(),
            value: networks.to_string(),
            reason: format!(
                "{SANDBOXES} is given, too, and its sandboxes have networks: give one of the two"
            ),
        }),
    }
}

/// An option that is a number up to `most`, where it is given.
fn number(options: &mut Options, key: &str, most: usize) -> Result<Option<usize>> {
    let Some(value) = options.take(key) else {
        return Ok(None);
    };
    let number = value.parse().ok().filter(|number| *number <= most);
    let number = number.ok_or_else(|| Error::InvalidOption {
        driver: NativeDriver::NAME.to_owned(),
        key: key.to_owned(),
        reason: format!("expected a number from 0 to {most}"),
        value,
    });
    number.map(Some)
}

/// The manager that an option names, if it is there.
fn manager(value: &str) -> Result<Manager> {
    let invalid = |reason: String| Error::InvalidOption {
        driver: NativeDriver::NAME.to_owned(),
        key: MANAGER.to_owned(),
        value: value.to_owned(),
        reason,
    };
    let known = || format!("known are {}", Manager::NAMES.join(", "));
    let manager = Manager::named(value).ok_or_else(|| invalid(known()))?;
    manager.check().map_err(|error| {
        // This error has no source of its own, so the causes go into its words.
        let causes = std::iter::successors(std::error::Error::source(&error), |one| one.source());
        let words: Vec<String> = causes.map(ToString::to_string).collect();
        invalid(format!("{error}: {}", words.join(": ")))
    })?;
    Ok(manager)
}

impl Driver for NativeDriver {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new(Self::NAME);
        let controls = &mut capabilities.controls;
        controls.extend(OPERATIONS.map(|name| Control::enforced("operations", name)));
        let manager = format!("manager {}", self.containers.manager().name());
        // It was asked when the driver was opened.
        controls.push(Control::enforced("cgroups", &manager));
        let facts = HostFacts::read();
        controls.extend(doctor::pause(&facts));
        controls.extend(doctor::controls(&facts));
        controls.extend(limits::controls(&facts, &CgroupFiles::read(&facts)));
        capabilities
    }

    fn supports_hooks(&self) -> bool {
        true
    }

    fn run(
        &self,
        command: &Command,
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        self.containers.run(command, options, pipes, hooks)
    }

    fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        self.of(id)?.exec(id, request, pipes, hooks)
    }

    fn kill(&self, target: &Target, signal: Signal) -> Result<()> {
        self.of(target.container())?.kill(target, signal)
    }

    fn resize(&self, target: &Target, size: WindowSize) -> Result<()> {
        self.of(target.container())?.resize(target, size)
    }

    fn pause(&self, id: &str) -> Result<()> {
        self.of(id)?.pause(id)
    }

    fn unpause(&self, id: &str) -> Result<()> {
        self.of(id)?.unpause(id)
    }

    fn pids(&self, id: &str) -> Result<Vec<u32>> {
        self.of(id)?.pids(id)
    }

    fn terminate(&self, id: &str) -> Result<()> {
        self.of(id)?.terminate(id)
    }

    fn clean(&self, id: &str) -> Result<()> {
        self.of(id)?.clean(id)
    }

    fn stats(&self, id: &str) -> Result<ResourceStats> {
        self.of(id)?.stats(id)
    }

    fn update(&self, id: &str, resources: &Resources) -> Result<()> {
        self.of(id)?.update(id, resources)
    }

    fn list(&self) -> Result<Vec<ContainerInfo>> {
        self.containers.list()
    }
}
