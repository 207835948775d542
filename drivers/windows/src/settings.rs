//! The driver's options, parsed: which back-end, and what the original could be told.

use crate::NAME;
use execdriver_core::{Error, Isolation, Options, Result};

/// What the options say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    /// `windows.backend`; `None`: HCS where the host has it, else jobs.
    pub(crate) backend: Option<Choice>,
    /// `isolation`: of commands that leave theirs unset.
    pub(crate) isolation: Isolation,
    /// `forcekill`: a container is terminated where it would be shut down.
    pub(crate) force_kill: bool,
    /// `dummy`: HCS makes containers that run nothing, for tests of it.
    pub(crate) dummy: bool,
    /// `windows.token`: processes of jobs get a token without privileges.
    pub(crate) restricted_token: bool,
}

/// A back-end by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The Host Compute Service.
    Hcs,
    /// Job objects.
    Job,
}

impl Settings {
    /// Takes the options that this driver knows.
    ///
    /// # Errors
    /// `InvalidOption` with what was expected.
    pub(crate) fn take(options: &mut Options) -> Result<Self> {
        let backends = [("hcs", Some(Choice::Hcs)), ("job", Some(Choice::Job))];
        let isolations = [
            ("", Isolation::Unset),
            ("default", Isolation::Default),
            ("process", Isolation::Process),
            ("hyperv", Isolation::HyperV),
        ];
        let tokens = [("own", false), ("restricted", true)];
        Ok(Self {
            backend: one_of(options, "windows.backend", &backends)?,
            isolation: one_of(options, "isolation", &isolations)?,
            force_kill: one_of(options, "forcekill", &SWITCH)?,
            dummy: one_of(options, "dummy", &SWITCH)?,
            restricted_token: one_of(options, "windows.token", &tokens)?,
        })
    }
}

const SWITCH: [(&str, bool); 4] = [("1", true), ("true", true), ("0", false), ("false", false)];

fn one_of<T: Clone + Default>(options: &mut Options, key: &str, known: &[(&str, T)]) -> Result<T> {
    let Some(value) = options.take(key) else {
        return Ok(T::default());
    };
    let found = known
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&value));
    found.map(|(_, meaning)| meaning.clone()).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Error::InvalidOption {
            driver: NAME.to_owned(),
            key: key.to_owned(),
            value,
            reason: format!("expected one of {}", names.join(", ")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(texts: &[&str]) -> Result<Settings> {
        let mut options = Options::parse(texts).unwrap();
        let settings = Settings::take(&mut options)?;
        options.reject_rest(NAME)?;
        Ok(settings)
    }

    #[test]
    fn options_are_known_by_name_and_values_in_any_case() {
        let settings = take(&["windows.backend=JOB", "isolation=HyperV", "forcekill=1"]).unwrap();
        assert_eq!(settings.backend, Some(Choice::Job));
        assert_eq!(settings.isolation, Isolation::HyperV);
        assert!(settings.force_kill && !settings.dummy);
        assert_eq!(take(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn an_unknown_value_or_key_is_an_error_that_lists_what_is_known() {
        let error = take(&["windows.backend=lxc"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option \"windows.backend\" of driver \"windows\" cannot be \"lxc\": expected one of hcs, job"
        );
        assert!(take(&["forcekill=yes"]).is_err());
        let error = take(&["terminate=1"]).unwrap_err().to_string();
        assert!(error.contains("windows.backend"), "{error}");
    }
}
