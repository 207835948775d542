//! The options before the verb.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use execdriver_native::oci::Runtime;
use std::ffi::OsString;
use std::path::PathBuf;

/// Options of every verb.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// The directory of the containers' state [default: /run/execdriver-oci, for ordinary users below $XDG_RUNTIME_DIR].
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A file to which errors are appended too.
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// The form of what goes to the log.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Say more in the log.
    #[arg(long)]
    pub(super) debug: bool,
    /// Let systemd make the cgroups.
    #[arg(long)]
    systemd_cgroup: bool,
    /// `true` or `auto`: without the cgroups that an ordinary user may not have; `false`: what cannot be enforced is an
    /// error.
    #[arg(long, value_name = "WHEN", value_parser = ["true", "false", "auto"], default_value = "auto")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rootless: String,
    /// The program of CRIU.
    #[arg(long, value_name = "PATH", default_value = "criu")]
    pub(super) criu: PathBuf,
    /// Print the version.
    #[arg(long, short = 'v')]
    pub(super) version: bool,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// `time="..." level=error msg="..."`.
    Text,
    /// One object a line.
    Json,
}

impl Global {
    /// What a command line that is wrong says of the log all the same: clients look there for why.
    pub(super) fn of_words(words: impl Iterator<Item = OsString>) -> Self {
        let mut global = Self {
            root: None,
            log: None,
            log_format: LogFormat::Text,
            debug: false,
            systemd_cgroup: false,
            rootless: "auto".to_owned(),
            criu: PathBuf::from("criu"),
            version: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else { continue };
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (text, None),
            };
            match name {
                // What follows is a program's.
                "--" => break,
                "--log" => global.log = value.or_else(|| words.next()).map(PathBuf::from),
                "--log-format" if value.or_else(|| words.next()) == Some("json".into()) => {
                    global.log_format = LogFormat::Json;
                }
                _ => {}
            }
        }
        global
    }

    /// Whether what an ordinary user's container lacks is an error: `--rootless=false`.
    pub(super) fn is_strict(&self) -> bool {
        self.rootless == "false"
    }

    /// The runtime at the root.
    pub(super) fn open(&self) -> Result<Runtime, Failure> {
        let root = match &self.root {
            Some(root) => root.clone(),
            None => default_root()?,
        };
        Ok(Runtime::open(&root, self.systemd_cgroup)?)
    }
}

fn default_root() -> Result<PathBuf, Failure> {
    if !is_ordinary() {
        return Ok(PathBuf::from("/run/execdriver-oci"));
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(directory) if !directory.is_empty() => {
            Ok(PathBuf::from(directory).join("execdriver-oci"))
        }
        _ => Err(Failure::usage(
            "where is the state to be kept? XDG_RUNTIME_DIR is not set: give --root",
        )),
    }
}

/// Whether we are no root, or one that is somebody else outside: rootless clients start us so, and /run is not theirs.
pub(super) fn is_ordinary() -> bool {
    if !nix::unistd::geteuid().is_root() {
        return true;
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let words: Vec<&str> = map.split_whitespace().collect();
    words != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_found_in_a_command_line_that_is_wrong() {
        let of = |words: &[&str]| Global::of_words(words.iter().map(OsString::from));
        let global = of(&["--log=/l", "--bogus", "--log-format", "json", "create"]);
        assert_eq!(global.log, Some(PathBuf::from("/l")));
        assert_eq!(global.log_format, LogFormat::Json);
        let global = of(&["exec", "x", "--", "--log", "/l"]);
        assert_eq!(global.log, None);
    }
}
