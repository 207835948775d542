//! Texts for the kernel: no NUL byte in them, and one behind. Short ones take no memory of the host program's.

use super::PlanError;
use super::encode::{PackedStrings, Plain};
use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Room for nearly every path of a container and of a cgroup, the NUL included.
const SHORT: usize = 192;

/// A text with its NUL.
pub(super) enum Text {
    /// Zeroes from its end on.
    Short([u8; SHORT]),
    /// It has more bytes than that.
    Long(CString),
}

impl Text {
    /// `None`: there is a NUL byte in it.
    fn new(bytes: &[u8]) -> Option<Self> {
        let Plain(bytes) = Plain::new(bytes)?;
        let mut short = [0; SHORT];
        let room = short.split_last_mut().map(|(_nul, room)| room);
        match room.and_then(|room| room.get_mut(..bytes.len())) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Some(Self::Short(short))
            }
            None => CString::new(bytes).ok().map(Self::Long),
        }
    }
}

impl Deref for Text {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        match self {
            Self::Short(bytes) => CStr::from_bytes_until_nul(bytes).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

/// A text for the kernel.
pub(super) fn c_string(field: impl fmt::Display, text: &str) -> Result<Text, PlanError> {
    Text::new(text.as_bytes()).ok_or_else(|| nul(field, text))
}

/// A path for the kernel.
pub(super) fn c_path(field: impl fmt::Display, path: &Path) -> Result<Text, PlanError> {
    Text::new(path.as_os_str().as_bytes()).ok_or_else(|| nul(field, path))
}

/// An absolute path of the container.
pub(super) fn container_path(field: impl fmt::Display, path: &Path) -> Result<Text, PlanError> {
    absolute(&field, path)?;
    c_path(field, path)
}

/// Refuses what [`container_path`] does.
pub(super) fn check_container_path(field: impl fmt::Display, path: &Path) -> Result<(), PlanError> {
    absolute(&field, path)?;
    plain_path(field, path).map(|_| ())
}

/// A text to be packed.
pub(super) fn plain(field: impl fmt::Display, text: &str) -> Result<Plain<'_>, PlanError> {
    Plain::new(text.as_bytes()).ok_or_else(|| nul(field, text))
}

/// A path to be packed.
pub(super) fn plain_path(field: impl fmt::Display, path: &Path) -> Result<Plain<'_>, PlanError> {
    Plain::new(path.as_os_str().as_bytes()).ok_or_else(|| nul(field, path))
}

/// Texts one behind the other.
pub(super) fn packed(
    field: impl fmt::Display,
    texts: &[impl AsRef<str>],
) -> Result<PackedStrings, PlanError> {
    let bytes = texts.iter().map(|text| text.as_ref().len() + 1).sum();
    let mut packed = PackedStrings::with_capacity(bytes);
    for text in texts {
        packed.push(plain(&field, text.as_ref())?);
    }
    Ok(packed)
}

fn absolute(field: impl fmt::Display, path: &Path) -> Result<(), PlanError> {
    if path.is_absolute() {
        return Ok(());
    }
    let reason = format!("got {path:?}, expected an absolute path");
    Err(PlanError::invalid(field, reason))
}

fn nul(field: impl fmt::Display, text: impl fmt::Debug) -> PlanError {
    PlanError::invalid(field, format!("got a NUL byte in {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_keep_all_their_bytes() {
        for length in [0, 1, SHORT - 2, SHORT - 1, SHORT, SHORT + 1, 4096] {
            let given = "x".repeat(length);
            let text = c_string("field", &given).unwrap();
            assert_eq!(text.to_bytes(), given.as_bytes(), "{length}");
            assert_eq!(matches!(text, Text::Short(_)), length < SHORT, "{length}");
        }
    }

    #[test]
    fn a_nul_byte_is_refused_wherever_it_is() {
        for given in ["\0", "a\0", "\0b", &"x\0".repeat(SHORT)] {
            let error = c_string("field", given).err().unwrap().to_string();
            assert!(
                error.starts_with("invalid field: got a NUL byte in"),
                "{error}"
            );
            assert!(c_path("field", Path::new(given)).is_err());
            assert!(container_path("field", &Path::new("/").join(given)).is_err());
            assert!(check_container_path("field", &Path::new("/").join(given)).is_err());
            assert!(packed("field", &["a", given]).is_err());
        }
    }
}
