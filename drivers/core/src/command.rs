//! What the caller wants to run: one type for every platform.

use crate::{
    Error, LinuxCommand, Mount, Network, ProcessConfig, Resources, Result, WindowsCommand,
};
use std::path::PathBuf;

/// A container to run, in Docker's own words and JSON.
///
/// The same type on every operating system: common fields are here, [`Platform`] holds the rest.
/// Nothing writes into it; the pid, the terminal and the OOM channel go to the `Start` hook.
///
/// A path of the host is a [`PathBuf`], a path in the container a [`String`].
///
/// ```
/// use execdriver_core::{Command, Mount};
/// let mut command = Command::linux("web-1", "/srv/rootfs", "/bin/sh").args(["-c", "exit 3"]);
/// command.mounts.push(Mount::read_only("/data", "/mnt"));
/// assert_eq!(command.process.arguments, ["-c", "exit 3"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// The container's name under the driver's root: see [`ContainerId`](crate::ContainerId).
    pub id: String,
    /// Kept for the JSON; nothing reads it.
    pub init_path: String,
    /// The SELinux label of its files.
    pub mount_label: String,
    /// What of the host it sees, and where.
    pub mounts: Vec<Mount>,
    /// `None`: a network namespace of its own.
    pub network: Option<Network>,
    /// What to execute.
    pub process: ProcessConfig,
    /// The SELinux label of its processes.
    pub process_label: String,
    /// `None`: no limits.
    pub resources: Option<Resources>,
    /// The directory that becomes its `/`: absolute, not a symbolic link.
    pub rootfs: PathBuf,
    /// The directory in the container to start in; empty: `/`.
    pub working_dir: String,
    /// Kept for the JSON; nothing reads it.
    pub tmp_dir: PathBuf,
    /// Kept for the JSON; nothing reads or writes it.
    pub container_pid: i32,
    /// What only one operating system knows.
    pub platform: Platform,
}

impl Command {
    /// A Linux container `id` that executes `program` on `rootfs`.
    pub fn linux(
        id: impl Into<String>,
        rootfs: impl Into<PathBuf>,
        program: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            rootfs: rootfs.into(),
            process: ProcessConfig::new(program),
            ..Self::default()
        }
    }

    /// A Windows container `id` that executes `program` on `rootfs`.
    pub fn windows(
        id: impl Into<String>,
        rootfs: impl Into<PathBuf>,
        program: impl Into<String>,
    ) -> Self {
        Self {
            platform: Platform::Windows(WindowsCommand::default()),
            ..Self::linux(id, rootfs, program)
        }
    }

    /// Appends arguments of the program.
    pub fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.process = self.process.args(arguments);
        self
    }

    /// Appends `name=value` to the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.process = self.process.env(name, value);
        self
    }

    /// The Linux part, if it is a Linux command.
    pub fn as_linux(&self) -> Option<&LinuxCommand> {
        match &self.platform {
            Platform::Linux(linux) => Some(linux),
            Platform::Windows(_) => None,
        }
    }

    /// The Linux part, to change it.
    pub fn as_linux_mut(&mut self) -> Option<&mut LinuxCommand> {
        match &mut self.platform {
            Platform::Linux(linux) => Some(linux),
            Platform::Windows(_) => None,
        }
    }

    /// The Windows part, if it is a Windows command.
    pub fn as_windows(&self) -> Option<&WindowsCommand> {
        match &self.platform {
            Platform::Windows(windows) => Some(windows),
            Platform::Linux(_) => None,
        }
    }

    /// The Windows part, to change it.
    pub fn as_windows_mut(&mut self) -> Option<&mut WindowsCommand> {
        match &mut self.platform {
            Platform::Windows(windows) => Some(windows),
            Platform::Linux(_) => None,
        }
    }

    /// The Linux part for `driver`, which runs nothing else.
    ///
    /// # Errors
    /// `WrongPlatform`.
    pub fn require_linux(&self, driver: &str) -> Result<&LinuxCommand> {
        self.as_linux().ok_or_else(|| self.wrong_platform(driver))
    }

    /// The Windows part for `driver`, which runs nothing else.
    ///
    /// # Errors
    /// `WrongPlatform`.
    pub fn require_windows(&self, driver: &str) -> Result<&WindowsCommand> {
        self.as_windows().ok_or_else(|| self.wrong_platform(driver))
    }

    fn wrong_platform(&self, driver: &str) -> Error {
        Error::WrongPlatform {
            driver: driver.to_owned(),
            found: self.platform.name().to_owned(),
        }
    }

    /// Changes the Linux part in place; a Windows command is left as it is.
    ///
    /// ```
    /// # use execdriver_core::Command;
    /// let command = Command::linux("a", "/", "sh").with_linux(|linux| linux.init = true);
    /// assert!(command.as_linux().unwrap().init);
    /// ```
    pub fn with_linux(mut self, change: impl FnOnce(&mut LinuxCommand)) -> Self {
        if let Some(linux) = self.as_linux_mut() {
            change(linux);
        }
        self
    }
}

/// The flavour of a command with what only it knows.
///
/// ```
/// use execdriver_core::Platform;
/// assert_eq!(Platform::default().name(), "linux");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one a container, and a box would stand in every caller's way"
)]
pub enum Platform {
    /// A Linux container.
    Linux(LinuxCommand),
    /// A Windows container.
    Windows(WindowsCommand),
}

impl Platform {
    /// `linux` or `windows`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linux(_) => "linux",
            Self::Windows(_) => "windows",
        }
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self::Linux(LinuxCommand::default())
    }
}
