//! Steps: an operation in the form of the message, and the words that errors describe it with.

use super::PlanError;
use crate::wire::{Op, Reader};
use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One planned action.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    encoded: &'a [u8],
    words: &'a str,
}

impl<'a> Step<'a> {
    /// The operation; `None` never happens for a step that was pushed.
    pub(crate) fn op(self) -> Option<Op<'a>> {
        Op::decode(&mut Reader::new(self.encoded))
    }

    /// What it does: `mount proc on /proc`.
    pub(crate) fn words(self) -> &'a str {
        self.words
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.words, self.op())
    }
}

/// A list of steps. All lie in three blocks of memory: a start takes the allocator's locks, which every thread of the
/// host takes too, a few times for them and not a few times for each.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    encoded: Vec<u8>,
    words: String,
    /// Where each step ends in the two.
    ends: Vec<(usize, usize)>,
}

impl Steps {
    /// An empty list with room for the steps of most containers.
    pub(super) fn with_room() -> Self {
        Steps {
            encoded: Vec::with_capacity(8 << 10),
            words: String::with_capacity(4 << 10),
            ends: Vec::with_capacity(128),
        }
    }

    /// Appends a step.
    pub(super) fn push(&mut self, op: &Op<'_>, words: impl AsRef<str>) {
        op.encode(&mut self.encoded);
        self.words.push_str(words.as_ref());
        self.ends.push((self.encoded.len(), self.words.len()));
    }

    /// Copies the steps of `other` behind these.
    pub(super) fn append(&mut self, other: &Steps) {
        let (encoded, words) = (self.encoded.len(), self.words.len());
        self.encoded.extend_from_slice(&other.encoded);
        self.words.push_str(&other.words);
        let ends = other.ends.iter();
        self.ends
            .extend(ends.map(|(bytes, chars)| (encoded + bytes, words + chars)));
    }

    /// The steps in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Step<'_>> {
        (0..self.ends.len()).filter_map(|index| self.get(index))
    }

    /// The step of this number.
    pub(crate) fn get(&self, index: usize) -> Option<Step<'_>> {
        let (bytes, chars) = *self.ends.get(index)?;
        let before = index.checked_sub(1).and_then(|last| self.ends.get(last));
        let (from, begin) = before.copied().unwrap_or_default();
        Some(Step {
            encoded: self.encoded.get(from..bytes)?,
            words: self.words.get(begin..chars)?,
        })
    }

    /// All operations in the form of the message, and how many.
    pub(super) fn encoded(&self) -> (&[u8], usize) {
        (&self.encoded, self.ends.len())
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A text for the kernel.
pub(super) fn c_string(field: &str, text: &str) -> Result<CString, PlanError> {
    CString::new(text).map_err(|_| PlanError::invalid(field, format!("got a NUL byte in {text:?}")))
}

/// A path for the kernel.
pub(super) fn c_path(field: &str, path: &Path) -> Result<CString, PlanError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| PlanError::invalid(field, format!("got a NUL byte in {path:?}")))
}

/// An absolute path of the container.
pub(super) fn container_path(field: &str, path: &Path) -> Result<CString, PlanError> {
    if !path.is_absolute() {
        let reason = format!("got {path:?}, expected an absolute path");
        return Err(PlanError::invalid(field, reason));
    }
    c_path(field, path)
}
