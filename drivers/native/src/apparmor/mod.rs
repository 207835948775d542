//! The default AppArmor profile: loaded into the kernel by apparmor_parser(8) when it is not there.
//!
//! A program of the host's, executed by its path, without a shell and with nothing of our
//! environment. Whether it did its work is asked of the kernel, not of its exit status, which a host
//! that reaps with `wait(-1)` would steal.

mod profile;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The name of the default profile.
pub(crate) const DEFAULT: &str = "execdriver-default";

/// Where distributions install it; never the caller's `PATH`, for it runs as root.
const PARSERS: [&str; 3] = [
    "/usr/sbin/apparmor_parser",
    "/sbin/apparmor_parser",
    "/usr/bin/apparmor_parser",
];
/// The names of all profiles, each with its mode; for root alone.
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";

/// Makes sure that the default profile is loaded and gives its name, or says why it is not. One
/// that is there already stays as it is: an administrator may have loaded a stricter one.
pub(crate) fn load_default() -> Result<String, String> {
    if is_loaded() {
        return Ok(DEFAULT.to_owned());
    }
    if !nix::unistd::geteuid().is_root() {
        return Err("only root can load it and see whether it is loaded".to_owned());
    }
    let parser = PARSERS.into_iter().find(|path| Path::new(path).exists());
    let Some(parser) = parser else {
        return Err("apparmor_parser is not installed (package apparmor)".to_owned());
    };
    let said = replace(parser).map_err(|error| format!("{parser}: {error}"))?;
    match (is_loaded(), said.trim()) {
        (true, _) => Ok(DEFAULT.to_owned()),
        (false, "") => Err(format!("{parser} did not load it")),
        (false, said) => Err(format!("{parser}: {}", said.replace('\n', "; "))),
    }
}

/// What the parser complains of. It reads all of its input before it says anything, and the text
/// fits into a pipe.
fn replace(parser: &str) -> std::io::Result<String> {
    let mut child = Command::new(parser)
        .args(["--replace", "--skip-cache", "--quiet"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A parser that ends early says why on its other stream.
        let _ = input.write_all(profile::text(DEFAULT).as_bytes());
    }
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        std::io::Read::read_to_string(&mut errors, &mut said)?;
    }
    // Its status may be lost to a host that ignores SIGCHLD.
    let _ = child.wait();
    Ok(said)
}

fn is_loaded() -> bool {
    let profiles = std::fs::read_to_string(LOADED).unwrap_or_default();
    lists(&profiles, DEFAULT)
}

/// A profile in complain mode confines nobody.
fn lists(profiles: &str, name: &str) -> bool {
    profiles
        .lines()
        .any(|line| line.rsplit_once(' ') == Some((name, "(enforce)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_profile_that_is_enforced_counts_as_loaded() {
        let profiles = "docker-default (enforce)\nexecdriver-default (complain)\nx (enforce)\n";
        assert!(lists(profiles, "x"));
        assert!(!lists(profiles, "execdriver-default"));
        assert!(!lists(profiles, "docker"));
        assert!(!lists("", "x"));
    }
}
