//! `--seccomp`: a file of the caller's, or none.

use super::reason;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Far above any profile: Docker's has some 12 KiB.
const LARGEST: u64 = 4 << 20;

/// One `--seccomp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SeccompArg {
    /// No filter.
    Unconfined,
    /// The filter in this file.
    File(PathBuf),
}

impl From<OsString> for SeccompArg {
    fn from(text: OsString) -> Self {
        match text == "unconfined" {
            true => Self::Unconfined,
            false => Self::File(text.into()),
        }
    }
}

impl SeccompArg {
    /// What the command's profile is.
    ///
    /// # Errors
    /// In words with the file's name: it cannot be read, or holds no JSON object.
    pub(crate) fn profile(&self) -> Result<String, String> {
        let Self::File(path) = self else {
            return Ok("unconfined".to_owned());
        };
        let failed = |reason: String| format!("{}: {reason}", path.display());
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
        let read = read.map_err(|error| failed(reason(&error)))?;
        if u64::try_from(read).is_ok_and(|read| read > LARGEST) {
            return Err(failed(format!("it has more than {LARGEST} bytes")));
        }
        let text = String::from_utf8(text).map_err(|error| failed(error.to_string()))?;
        // An empty text would stand for the default, and the word `unconfined` for no filter at all.
        match text.trim_start().starts_with('{') {
            true => Ok(text),
            false => Err(failed("it holds no JSON object".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_with_an_object_is_a_profile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unconfined");
        for (text, words) in [
            (&b""[..], "no JSON object"),
            (b"unconfined", "no JSON object"),
            (b"[]", "no JSON object"),
            (b"{\xff}", "utf-8"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = SeccompArg::File(path.clone()).profile().unwrap_err();
            let name = path.display().to_string();
            assert!(error.contains(&name) && error.contains(words), "{error}");
        }
        std::fs::write(&path, " {}").unwrap();
        assert_eq!(SeccompArg::File(path).profile().unwrap(), " {}");
        assert_eq!(
            SeccompArg::from(OsString::from("unconfined")),
            SeccompArg::Unconfined
        );
        let endless = SeccompArg::File("/dev/zero".into()).profile().unwrap_err();
        assert!(endless.contains("more than"), "{endless}");
    }
}
