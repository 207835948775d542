//! `NativeDriver`: the contract over `Container`, one short method a verb.

use execdriver_core::{
    Capabilities, Command, ContainerInfo, Driver, Error, ExecRequest, ExitStatus, Hooks, Options,
    Pipes, ResourceStats, Resources, Result, RunOptions, Signal, Target, WindowSize,
};
use std::path::{Path, PathBuf};

/// The Linux driver, registered as `native`.
#[derive(Debug)]
pub struct NativeDriver {
    root: PathBuf,
}

impl NativeDriver {
    /// The name that it is registered under.
    pub const NAME: &'static str = "native";

    /// Opens the driver with its state in `root`, which is created when it is missing.
    ///
    /// # Errors
    /// [`Error::Driver`] when `root` cannot be used.
    pub fn open(root: &Path, _options: &mut Options) -> Result<Self> {
        Ok(Self {
            root: root.to_owned(),
        })
    }

    fn not_yet(&self, operation: &str) -> Error {
        let _ = &self.root;
        Error::unsupported(Self::NAME, format!("{operation} (not in this version)"))
    }
}

impl Driver for NativeDriver {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Self::NAME)
    }

    fn supports_hooks(&self) -> bool {
        true
    }

    fn run(&self, _: &Command, _: &RunOptions, _: Pipes, _: &Hooks<'_>) -> Result<ExitStatus> {
        Err(self.not_yet("run"))
    }

    fn exec(&self, _: &str, _: &ExecRequest, _: Pipes, _: &Hooks<'_>) -> Result<ExitStatus> {
        Err(self.not_yet("exec"))
    }

    fn kill(&self, _: &Target, _: Signal) -> Result<()> {
        Err(self.not_yet("kill"))
    }

    fn resize(&self, _: &Target, _: WindowSize) -> Result<()> {
        Err(self.not_yet("resize"))
    }

    fn pause(&self, _: &str) -> Result<()> {
        Err(self.not_yet("pause"))
    }

    fn unpause(&self, _: &str) -> Result<()> {
        Err(self.not_yet("unpause"))
    }

    fn pids(&self, _: &str) -> Result<Vec<u32>> {
        Err(self.not_yet("pids"))
    }

    fn terminate(&self, _: &str) -> Result<()> {
        Err(self.not_yet("terminate"))
    }

    fn clean(&self, _: &str) -> Result<()> {
        Err(self.not_yet("clean"))
    }

    fn stats(&self, _: &str) -> Result<ResourceStats> {
        Err(self.not_yet("stats"))
    }

    fn update(&self, _: &str, _: &Resources) -> Result<()> {
        Err(self.not_yet("update"))
    }

    fn list(&self) -> Result<Vec<ContainerInfo>> {
        Err(self.not_yet("list"))
    }
}
