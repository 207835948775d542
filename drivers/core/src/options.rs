//! Driver options: `key=value` texts, and the check that none is left over.

use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The options of one driver, as given by the host; a driver takes what it knows, and what is left
/// is an error.
///
/// ```
/// use execdriver_core::Options;
/// let mut options = Options::parse(["native.cgroupdriver = cgroupfs"])?;
/// assert_eq!(options.take("native.cgroupdriver").as_deref(), Some("cgroupfs"));
/// options.reject_rest("native")?;
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    values: BTreeMap<String, String>,
    known: BTreeSet<String>,
}

impl Options {
    /// No options.
    pub fn none() -> Self {
        Self::default()
    }

    /// Parses `key=value` texts. The first `=` splits; both sides are trimmed; keys are
    /// lower-cased, values kept as they are.
    ///
    /// # Errors
    /// [`Error::InvalidCommand`] for a text without `=`, an empty key, or a key given twice.
    pub fn parse<I, S>(texts: I) -> Result<Self>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut options = Self::default();
        for text in texts {
            let text = text.as_ref();
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| Error::invalid("option", format!("{text:?} is not key=value")))?;
            options.insert(key, value)?;
        }
        Ok(options)
    }

    /// Adds one option.
    ///
    /// # Errors
    /// [`Error::InvalidCommand`] for an empty key or a key given twice.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<()> {
        let key = key.trim().to_ascii_lowercase();
        if key.is_empty() {
            return Err(Error::invalid("option", format!("{value:?} has no key")));
        }
        let value = value.trim().to_owned();
        match self.values.insert(key.clone(), value) {
            None => Ok(()),
            Some(_) => Err(Error::invalid("option", format!("{key:?} is given twice"))),
        }
    }

    /// Takes the value of `key` out, if it was given. A key that was asked for once is known.
    pub fn take(&mut self, key: &str) -> Option<String> {
        self.known.insert(key.to_owned());
        self.values.remove(key)
    }

    /// Fails if an option was not taken.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] with the keys that `driver` asked for.
    pub fn reject_rest(&self, driver: &str) -> Result<()> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::UnknownOption {
                driver: driver.to_owned(),
                key: key.clone(),
                known: self.known.iter().cloned().collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_splits_and_only_keys_are_lower_cased() {
        let mut options = Options::parse([" Native.X = A=b "]).unwrap();
        assert_eq!(options.take("native.x").as_deref(), Some("A=b"));
    }

    #[test]
    fn texts_without_equals_empty_keys_and_doubles_are_refused() {
        assert!(Options::parse(["foo"]).is_err());
        assert!(Options::parse(["=foo"]).is_err());
        assert!(Options::parse(["a=1", "A=2"]).is_err());
    }

    #[test]
    fn what_a_driver_did_not_take_is_an_error_that_lists_what_it_knows() {
        let mut options = Options::parse(["foo=1"]).unwrap();
        assert!(options.take("native.a").is_none());
        let error = options.reject_rest("native").unwrap_err();
        assert_eq!(
            error.to_string(),
            "driver \"native\" has no option \"foo\" (known: native.a)"
        );
    }
}
