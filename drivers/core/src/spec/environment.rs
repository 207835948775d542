//! The environment of a process, and the host name that it may carry.

use super::texts;
use crate::{Command, Error, LinuxCommand, NamespaceMode, Result};
use std::collections::HashMap;

/// The most bytes of a host name: `__NEW_UTS_LEN` of the kernel.
const MAX_NAME: usize = 64;

/// Makes a list that of the variables in order: a later duplicate takes the place of the earlier one. What is no `NAME=value` was
/// refused before.
pub(super) fn normalise(entries: &[String], variables: &mut Vec<String>) {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<&str> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = entry.split('=').next().unwrap_or_default();
        let place = *places.entry(name).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(known) => *known = entry,
            None => kept.push(entry),
        }
    }
    texts::refill(variables, kept);
}

/// The host name to set; `None` where the UTS namespace is not the container's own.
///
/// The command's field, else the first `HOSTNAME=` of the environment, else the id (the original
/// left the host's own name visible).
pub(super) fn hostname(command: &Command, linux: &LinuxCommand) -> Result<Option<String>> {
    if linux.uts_mode() != NamespaceMode::Own {
        return Ok(None);
    }
    if !linux.hostname.is_empty() {
        return Ok(Some(linux.hostname.clone()));
    }
    let env = command.process.env.iter().enumerate();
    let mut given =
        env.filter_map(|(index, entry)| Some((index, entry.strip_prefix("HOSTNAME=")?)));
    match given.next().filter(|(_, name)| !name.is_empty()) {
        Some((index, name)) if name.len() > MAX_NAME => Err(Error::invalid(
            format!("process_config.environment[{index}]"),
            format!(
                "got a host name of {} bytes, expected at most {MAX_NAME}",
                name.len()
            ),
        )),
        Some((_, name)) => Ok(Some(name.to_owned())),
        None => {
            let cut = command.id.char_indices().nth(MAX_NAME);
            let end = cut.map_or(command.id.len(), |(at, _)| at);
            Ok(Some(command.id.get(..end).unwrap_or_default().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uts;

    fn normalised(entries: &[&str]) -> Vec<String> {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let mut variables = vec!["OLD=1".to_owned(); 4];
        normalise(&entries, &mut variables);
        variables
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
        assert_eq!(normalised(&entries), entries);
    }

    #[test]
    fn env_dup() {
        assert_eq!(normalised(&["A=1", "B=2", "A=3"]), ["A=3", "B=2"]);
    }

    #[test]
    fn env_eq() {
        assert_eq!(normalised(&["B=x=y"]), ["B=x=y"]);
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
    fn an_empty_hostname_falls_back_to_the_id() {
        let empty = Command::linux("web-1", "/r", "sh").env("HOSTNAME", "");
        assert_eq!(hostname_of(&empty).unwrap().as_deref(), Some("web-1"));
        let long = Command::linux("a".repeat(200), "/r", "sh");
        assert_eq!(hostname_of(&long).unwrap().unwrap().len(), 64);
    }

    #[test]
    fn a_hostname_over_64_bytes_is_refused_and_a_foreign_namespace_is_not_renamed() {
        let long = Command::linux("a", "/r", "sh").env("HOSTNAME", &"h".repeat(65));
        assert!(hostname_of(&long).is_err());
        let host = long.with_linux(|linux| linux.uts = Some(Uts::host()));
        assert_eq!(hostname_of(&host).unwrap(), None);
    }
}
