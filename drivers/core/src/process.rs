//! The process to execute in a container.

use crate::WindowSize;

/// A program with its arguments, environment, user and terminal.
///
/// ```
/// use execdriver_core::ProcessConfig;
/// let process = ProcessConfig::new("/bin/sh").args(["-c", "echo $GREETING"]).env("GREETING", "hi");
/// assert_eq!(process.env, ["GREETING=hi"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessConfig {
    /// Gives the process a terminal instead of three streams.
    pub tty: bool,
    /// The program: a path in the container, or a name that the container's `PATH` resolves.
    pub entrypoint: String,
    /// Its arguments, without the program's own name.
    pub arguments: Vec<String>,
    /// Every capability and no confinement. Linux only.
    pub privileged: bool,
    /// `""`, `name`, `uid`, `name:group`, `uid:gid` ... as the container's `/etc/passwd` and
    /// `/etc/group` know them. Linux only.
    pub user: String,
    /// The terminal's size at its start; `None`: the system's choice.
    ///
    /// Not in the original's JSON; written as `console_size`, `[rows, columns]`, when there is one.
    pub console_size: Option<WindowSize>,
    /// The environment, `NAME=value` each. A later duplicate wins.
    ///
    /// Not in the original's JSON; written as `environment` unless empty.
    pub env: Vec<String>,
}

impl ProcessConfig {
    /// `program` without arguments and with an empty environment.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            entrypoint: program.into(),
            ..Self::default()
        }
    }

    /// Appends arguments.
    pub fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Appends `name=value` to the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    /// The value of the last `name=` in the environment.
    ///
    /// ```
    /// # use execdriver_core::ProcessConfig;
    /// let process = ProcessConfig::new("sh").env("A", "1").env("A", "2=3");
    /// assert_eq!(process.env_value("A"), Some("2=3"));
    /// assert_eq!(process.env_value("B"), None);
    /// ```
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .rev()
            .find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }
}
