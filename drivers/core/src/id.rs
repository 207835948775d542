//! The rule for ids of containers and execs.

use crate::{Error, Result};
use std::fmt;

/// An id that is safe as a file name on every operating system: 1 to 200 letters, digits, `_`
/// and `-`. Every verb of every driver parses what it is given before it touches anything.
///
/// ```
/// use execdriver_core::ContainerId;
/// assert_eq!(ContainerId::parse("web-1")?.as_str(), "web-1");
/// assert!(ContainerId::parse("../x").is_err());
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(String);

/// The most bytes of an id: with a suffix it is still a file name (255 bytes at most).
const MAX_LEN: usize = 200;

const RULE: &str = "1 to 200 ASCII letters, digits, _ and -";

impl ContainerId {
    /// Checks an id.
    ///
    /// # Errors
    /// `InvalidCommand` when it is empty, too long, or has another character.
    pub fn parse(id: &str) -> Result<Self> {
        Self::check(id).map(|()| Self(id.to_owned()))
    }

    /// Checks an id for who keeps it as it is.
    ///
    /// # Errors
    /// As [`ContainerId::parse`].
    pub fn check(id: &str) -> Result<()> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let reason = if id.is_empty() {
            format!("got an empty one, expected {RULE}")
        } else if id.len() > MAX_LEN {
            format!("got one of {} bytes, expected {RULE}", id.len())
        } else if let Some(bad) = id.chars().find(|c| !allowed(*c)) {
            format!("got {bad:?} in {id:?}, expected {RULE}")
        } else {
            return Ok(());
        };
        Err(Error::invalid("id", reason))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ContainerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_bad() {
        let long = "a".repeat(201);
        for bad in [
            "", "a.b", "../x", "..", "a/b", "a b", "a\0", "\u{e9}", "a\n", &long,
        ] {
            let error = ContainerId::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("invalid id: got"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn ids_of_every_allowed_character_and_length_pass() {
        let long = "a".repeat(200);
        for good in ["a", "Z_9-", "-", "4fa6e0f0c678", &long] {
            assert_eq!(ContainerId::parse(good).unwrap().to_string(), good);
        }
    }
}
