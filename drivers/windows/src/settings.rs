//! The driver's options, parsed: which back-end, and what the original could be told.

use crate::NAME;
use crate::hcs::document::Schema;
use execdriver_core::{Error, Isolation, Options, Result};
use std::time::Duration;

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
    /// `windows.schema`: of the documents for HCS; `None`: what fits the isolation.
    pub(crate) schema: Option<Schema>,
    /// `windows.hcs.library`: the compute service's library by an absolute path, for tests; `None`: the system's own.
    pub(crate) hcs_library: Option<String>,
    /// `windows.hcs.timeout`: how long the compute service may take for one call or operation.
    pub(crate) hcs_timeout: Option<Duration>,
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
        let schemas = [("v1", Some(Schema::V1)), ("v2", Some(Schema::V2))];
        let tokens = [("own", false), ("restricted", true)];
        Ok(Self {
            backend: one_of(options, "windows.backend", &backends)?,
            isolation: one_of(options, "isolation", &isolations)?,
            force_kill: one_of(options, "forcekill", &SWITCH)?,
            dummy: one_of(options, "dummy", &SWITCH)?,
            restricted_token: one_of(options, "windows.token", &tokens)?,
            schema: one_of(options, "windows.schema", &schemas)?,
            hcs_library: library(options)?,
            hcs_timeout: timeout(options)?,
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
        invalid(key, value, format!("expected one of {}", names.join(", ")))
    })
}

fn invalid(key: &str, value: String, reason: String) -> Error {
    Error::InvalidOption {
        driver: NAME.to_owned(),
        key: key.to_owned(),
        value,
        reason,
    }
}

/// A library is loaded from where nobody else can put one, so its path has no part that depends on where the host is.
fn library(options: &mut Options) -> Result<Option<String>> {
    const KEY: &str = "windows.hcs.library";
    let Some(path) = options.take(KEY) else {
        return Ok(None);
    };
    let bytes = path.as_bytes();
    let drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
    let absolute = drive && matches!(bytes.get(2), Some(b'\\' | b'/'));
    match absolute {
        true => Ok(Some(path)),
        false => Err(invalid(KEY, path, "expected an absolute path".to_owned())),
    }
}

fn timeout(options: &mut Options) -> Result<Option<Duration>> {
    const KEY: &str = "windows.hcs.timeout";
    let Some(value) = options.take(KEY) else {
        return Ok(None);
    };
    let seconds = value.parse().ok().filter(|s| (1..=3600).contains(s));
    match seconds {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(invalid(KEY, value, "expected 1 to 3600 seconds".to_owned())),
    }
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
        let hcs = [
            "windows.hcs.timeout=7",
            r"windows.hcs.library=C:\x\fake.dll",
            "windows.schema=v1",
        ];
        let settings = take(&hcs).unwrap();
        assert_eq!(settings.hcs_timeout, Some(Duration::from_secs(7)));
        assert_eq!(settings.hcs_library.as_deref(), Some(r"C:\x\fake.dll"));
        assert_eq!(settings.schema, Some(Schema::V1));
    }

    #[test]
    fn an_unknown_value_or_key_is_an_error_that_lists_what_is_known() {
        let error = take(&["windows.backend=lxc"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option \"windows.backend\" of driver \"windows\" cannot be \"lxc\": expected one of hcs, job"
        );
        assert!(take(&["forcekill=yes"]).is_err());
        for bad in [
            "windows.hcs.timeout=0",
            "windows.hcs.library=vmcompute.dll",
            "windows.schema=v3",
        ] {
            assert!(
                matches!(take(&[bad]), Err(Error::InvalidOption { .. })),
                "{bad}"
            );
        }
        let error = take(&["terminate=1"]).unwrap_err().to_string();
        assert!(error.contains("windows.backend"), "{error}");
    }
}
