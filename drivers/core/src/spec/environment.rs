//! The environment of a process, and the host name that it may carry.

use super::text::{invalid, no_nul};
use crate::{Command, LinuxCommand, NamespaceMode, Result};

/// The most bytes of a host or domain name: `__NEW_UTS_LEN` of the kernel.
const MAX_NAME: usize = 64;

/// The variables in order: a later duplicate takes the place of the earlier one.
pub(super) fn normalise(field: &str, entries: &[String]) -> Result<Vec<String>> {
    let mut variables: Vec<String> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        no_nul(format_args!("{field}[{index}]"), entry)?;
        let Some((name, _)) = entry.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(invalid(
                format_args!("{field}[{index}]"),
                format!("invalid environment {entry:?}, expected NAME=value"),
            ));
        };
        let same = |known: &&mut String| known.split_once('=').is_some_and(|(n, _)| n == name);
        match variables.iter_mut().find(same) {
            Some(known) => known.clone_from(entry),
            None => variables.push(entry.clone()),
        }
    }
    Ok(variables)
}

/// The host name to set; `None` where the UTS namespace is not the container's own.
///
/// The command's field, else the first `HOSTNAME=` of the environment, else the id (the original
/// left the host's own name visible).
pub(super) fn hostname(command: &Command, linux: &LinuxCommand) -> Result<Option<String>> {
    if !own_name("hostname", &linux.hostname, linux)? {
        return Ok(None);
    }
    if !linux.hostname.is_empty() {
        return Ok(Some(linux.hostname.clone()));
    }
    let given = (0..)
        .zip(&command.process.env)
        .find_map(|(index, entry): (usize, _)| Some((index, entry.strip_prefix("HOSTNAME=")?)));
    match given {
        Some((index, name)) if !name.is_empty() => {
            let field = format!("process_config.environment[{index}]");
            check_name(&field, name)?;
            Ok(Some(name.to_owned()))
        }
        // Ids are ASCII, so any byte is a boundary.
        _ => Ok(Some(command.id.chars().take(MAX_NAME).collect())),
    }
}

/// The domain name to set, if any.
pub(super) fn domainname(linux: &LinuxCommand) -> Result<Option<String>> {
    let own = own_name("domainname", &linux.domainname, linux)?;
    Ok(Some(linux.domainname.clone()).filter(|name| own && !name.is_empty()))
}

/// Whether the UTS namespace is the container's own; a name asked for in another's is an error.
fn own_name(field: &str, name: &str, linux: &LinuxCommand) -> Result<bool> {
    check_name(field, name)?;
    let own = linux.uts_mode() == NamespaceMode::Own;
    if !own && !name.is_empty() {
        return Err(invalid(
            format_args!("{field}"),
            format!("got {name:?}, but the UTS namespace is not the container's own"),
        ));
    }
    Ok(own)
}

fn check_name(field: &str, name: &str) -> Result<()> {
    no_nul(format_args!("{field}"), name)?;
    if name.len() > MAX_NAME {
        return Err(invalid(
            format_args!("{field}"),
            format!(
                "got a name of {} bytes, expected at most {MAX_NAME}",
                name.len()
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uts;

    fn normalised(entries: &[&str]) -> Result<Vec<String>> {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        normalise("process_config.environment", &entries)
    }

    fn hostname_of(command: &Command) -> Result<Option<String>> {
        hostname(command, command.as_linux().unwrap())
    }

    #[test]
    fn env_exact() {
        let entries = [
            "PATH=/bin",
            "HOSTNAME=a",
            "FALSE=true",
            "TRICKY=tri\ncky\n",
            "HOME=",
        ];
        assert_eq!(normalised(&entries).unwrap(), entries);
    }

    #[test]
    fn env_dup() {
        assert_eq!(normalised(&["A=1", "B=2", "A=3"]).unwrap(), ["A=3", "B=2"]);
    }

    #[test]
    fn env_eq() {
        assert_eq!(normalised(&["B=x=y"]).unwrap(), ["B=x=y"]);
    }

    #[test]
    fn env_no_eq() {
        assert_eq!(
            normalised(&["A=1", "NOEQ"]).unwrap_err().to_string(),
            "invalid process_config.environment[1]: invalid environment \"NOEQ\", expected \
             NAME=value"
        );
        for bad in ["", "=x", "A=\0"] {
            assert!(normalised(&[bad]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hostname_comes_from_the_field_then_the_environment_then_the_id() {
        let mut command = Command::linux("web-1", "/r", "sh");
        assert_eq!(hostname_of(&command).unwrap().as_deref(), Some("web-1"));
        command.process.env = vec!["HOSTNAME=foo.bar.baz".into(), "HOSTNAME=other".into()];
        assert_eq!(
            hostname_of(&command).unwrap().as_deref(),
            Some("foo.bar.baz")
        );
        command = command.with_linux(|linux| linux.hostname = "mine".into());
        assert_eq!(hostname_of(&command).unwrap().as_deref(), Some("mine"));
    }

    #[test]
    fn an_empty_hostname_and_one_without_equals_fall_back_to_the_id() {
        for entry in ["HOSTNAME=", "HOSTNAME"] {
            let mut command = Command::linux("web-1", "/r", "sh");
            command.process.env = vec![entry.into()];
            assert_eq!(hostname_of(&command).unwrap().as_deref(), Some("web-1"));
        }
        let long = Command::linux("a".repeat(200), "/r", "sh");
        assert_eq!(hostname_of(&long).unwrap().unwrap().len(), 64);
    }

    #[test]
    fn names_over_64_bytes_and_names_for_a_foreign_namespace_are_refused() {
        let long = Command::linux("a", "/r", "sh").env("HOSTNAME", &"h".repeat(65));
        assert!(hostname_of(&long).is_err());
        let host = Command::linux("a", "/r", "sh")
            .env("HOSTNAME", "x")
            .with_linux(|linux| linux.uts = Some(Uts::host()));
        assert_eq!(hostname_of(&host).unwrap(), None);
        let host = host.with_linux(|linux| linux.domainname = "d".into());
        assert!(domainname(host.as_linux().unwrap()).is_err());
    }
}
