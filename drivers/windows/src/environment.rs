//! The environment of a process as Windows sees it: names without case, sorted, the last duplicate wins.

use std::collections::BTreeMap;

/// What a Windows process cannot do without, taken from the host where the container's own environment has no other
/// value: the loader, sockets and `cmd` look for these.
pub(crate) const BASE: [&str; 12] = [
    "ComSpec",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "Path",
    "ProgramData",
    "SystemDrive",
    "SystemRoot",
    "TEMP",
    "TMP",
    "windir",
];

/// Variables by their names in capitals, with the name as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment(BTreeMap<String, (String, String)>);

impl Environment {
    /// The variables of `NAME=value` entries. The first `=` behind the first character splits (`=C:=C:\` is a name of
    /// `cmd`'s); whatever follows is the value, `=` included.
    pub(crate) fn of<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Self {
        let mut variables = Self::default();
        for entry in entries {
            let entry = entry.as_ref();
            let from = entry.chars().next().map_or(0, char::len_utf8);
            if let Some(at) = entry.get(from..).and_then(|rest| rest.find('=')) {
                let (name, value) = entry.split_at(from + at);
                variables.set(name, value.get(1..).unwrap_or_default());
            }
        }
        variables
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let pair = (name.to_owned(), value.to_owned());
        self.0.insert(name.to_uppercase(), pair);
    }

    /// A variable's value, by a name in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.get(&name.to_uppercase())?;
        Some(pair.1.as_str())
    }

    /// Adds what is not there: each of [`BASE`] that `host` has.
    pub(crate) fn complete(&mut self, host: impl Fn(&str) -> Option<String>) {
        for name in BASE {
            if self.get(name).is_none()
                && let Some(value) = host(name)
            {
                self.set(name, &value);
            }
        }
    }

    /// Names as given and values, sorted by name without case.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(name, value)| (&**name, &**value))
    }

    /// What `CreateProcessW` takes: `NAME=value` in UTF-16, each ended by a zero, one more at the end. Of an empty
    /// environment both zeros.
    pub(crate) fn block(&self) -> Vec<u16> {
        let mut block = Vec::new();
        for (name, value) in self.iter() {
            block.extend(name.encode_utf16());
            block.push(u16::from(b'='));
            block.extend(value.encode_utf16());
            block.push(0);
        }
        if block.is_empty() {
            block.push(0);
        }
        block.push(0);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_eq() {
        let variables = Environment::of(["B=x=y", "A==", "C="]);
        assert_eq!(variables.get("b"), Some("x=y"));
        assert_eq!(variables.get("A"), Some("="));
        assert_eq!(variables.get("C"), Some(""));
    }

    #[test]
    fn names_have_no_case_and_the_last_duplicate_wins() {
        let variables = Environment::of(["Path=1", "b=2", "PATH=3"]);
        assert_eq!(
            variables.iter().collect::<Vec<_>>(),
            [("b", "2"), ("PATH", "3")]
        );
    }

    #[test]
    fn the_host_only_fills_in_what_is_missing() {
        let mut variables = Environment::of(["PATH=mine"]);
        variables.complete(|name| (name != "TMP").then(|| format!("host's {name}")));
        assert_eq!(variables.get("Path"), Some("mine"));
        assert_eq!(variables.get("systemroot"), Some("host's SystemRoot"));
        assert_eq!(variables.get("TMP"), None);
    }

    #[test]
    fn the_block_ends_with_two_zeros() {
        let text = |block: Vec<u16>| String::from_utf16(&block).unwrap();
        assert_eq!(
            text(Environment::of(["b=2", "A=1"]).block()),
            "A=1\0b=2\0\0"
        );
        assert_eq!(text(Environment::default().block()), "\0\0");
    }
}
