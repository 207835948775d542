//! The paths, ports and peers that a process may use: landlock(7).

use crate::wire::fields;
use serde::{Deserialize, Serialize};

/// What the process, and everything that it starts, may use, whatever its user may do otherwise.
///
/// Each part restricts only when it is there: paths when any of the four lists has one, ports when
/// their list is `Some`. Paths are those of the container, are looked up when it starts (a symbolic
/// link leads to what it names then), and stand for everything below them. What is not listed is
/// denied with `EACCES`; a path that does not exist is an error. Nobody in the container can take
/// the rules back, root included, and mounting is denied with `EPERM` once there are paths.
///
/// The rules hold for the first process and for an exec each on its own: with
/// [`Landlock::scope_signals`] neither can signal the other.
///
/// ```
/// use execdriver_core::{Command, Landlock};
/// let rules = Landlock {
///     read: vec!["/usr".into(), "/lib".into()],
///     write: vec!["/tmp".into()],
///     connect_tcp: Some(vec![443]),
///     ..Landlock::default()
/// };
/// assert!(rules.has_paths() && rules.bind_tcp.is_none());
/// let command = Command::linux("job-1", "/srv/rootfs", "/usr/bin/cc")
///     .with_linux(|linux| linux.landlock = Some(rules));
/// assert!(command.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Landlock {
    /// Paths to read and execute.
    #[serde(
        serialize_with = "fields::null_if_empty",
        deserialize_with = "fields::list"
    )]
    pub read: Vec<String>,
    /// Paths to read, execute, write, make, rename and remove, and device nodes to control.
    #[serde(
        serialize_with = "fields::null_if_empty",
        deserialize_with = "fields::list"
    )]
    pub write: Vec<String>,
    /// Paths to read, with nothing to execute. In the JSON when there are any.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "fields::list"
    )]
    pub read_noexec: Vec<String>,
    /// As `write`, with nothing to execute. In the JSON when there are any.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "fields::list"
    )]
    pub write_noexec: Vec<String>,
    /// The TCP ports to listen on; `None`: any. Needs ABI 4 (Linux 6.7). In the JSON when given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_tcp: Option<Vec<u16>>,
    /// The TCP ports to connect to; `None`: any. Needs ABI 4 (Linux 6.7). In the JSON when given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_tcp: Option<Vec<u16>>,
    /// No signals to processes outside of the rules. Needs ABI 6 (Linux 6.12).
    #[serde(skip_serializing_if = "fields::is_default")]
    pub scope_signals: bool,
    /// No connections to abstract UNIX sockets of processes outside of the rules. Needs ABI 6.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub scope_abstract_sockets: bool,
    /// What the kernel is too old for is left out and listed in the exit status's `unenforced`,
    /// instead of an error: before ABI 3 (Linux 6.2) truncation of files that may only be read,
    /// before 4 ports, before 6 signals and sockets. Some Landlock there must be.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub best_effort: bool,
}

impl Landlock {
    /// Whether files are restricted.
    pub fn has_paths(&self) -> bool {
        self.paths().next().is_some()
    }

    /// Every path with the field that it stands in: `landlock.read[0]`.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (String, &str)> {
        [
            ("read", &self.read),
            ("write", &self.write),
            ("read_noexec", &self.read_noexec),
            ("write_noexec", &self.write_noexec),
        ]
        .into_iter()
        .flat_map(|(key, paths)| {
            let field = move |index| format!("landlock.{key}[{index}]");
            let paths = paths.iter().enumerate();
            paths.map(move |(index, path)| (field(index), path.as_str()))
        })
    }
}
