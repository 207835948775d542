//! Whose namespace: its own, the host's, another container's, or one at a path.

use std::path::PathBuf;
use std::str::FromStr;

/// The value of `--network`, `--ipc`, `--pid` and `--uts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Namespace {
    /// One of its own.
    #[default]
    Own,
    /// The host's.
    Host,
    /// That of another container under this root.
    Container(String),
    /// The one at this path.
    Path(PathBuf),
}

impl FromStr for Namespace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if matches!(text, "none" | "private") => Ok(Self::Own),
            None if text == "host" => Ok(Self::Host),
            Some(("container", id)) if !id.is_empty() => Ok(Self::Container(id.to_owned())),
            Some(("ns", path)) if path.starts_with('/') => Ok(Self::Path(path.into())),
            _ => Err(format!(
                "{text:?} is not one of none, private, host, container:ID, ns:/PATH"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_and_nothing_else() {
        assert_eq!("none".parse(), Ok(Namespace::Own));
        assert_eq!("container:a".parse(), Ok(Namespace::Container("a".into())));
        assert_eq!("ns:/run/n".parse(), Ok(Namespace::Path("/run/n".into())));
        for text in ["", "bridge", "container:", "ns:relative", "host:x"] {
            assert!(text.parse::<Namespace>().is_err(), "{text:?}");
        }
    }
}
