//! Steps: an operation in the form of the message, and the words that errors describe it with.

use super::PlanError;
use crate::wire::{Op, Reader};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One planned action.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Step {
    encoded: Box<[u8]>,
    words: String,
}

impl Step {
    /// The operation; `None` never happens for a step that was pushed.
    pub(crate) fn op(&self) -> Option<Op<'_>> {
        Op::decode(&mut Reader::new(&self.encoded))
    }

    /// What it does: `mount proc on /proc`.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.words, self.op())
    }
}

/// A list of steps in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    /// Appends a step.
    pub(super) fn push(&mut self, op: &Op<'_>, words: impl Into<String>) {
        if self.0.capacity() == 0 {
            // At once what most need, and too large for a thread's own store of freed blocks.
            self.0.reserve(32);
        }
        let mut encoded = Vec::new();
        op.encode(&mut encoded);
        self.0.push(Step {
            encoded: encoded.into_boxed_slice(),
            words: words.into(),
        });
    }

    /// Moves the steps of `other` behind these.
    pub(super) fn append(&mut self, mut other: Steps) {
        self.0.append(&mut other.0);
    }

    /// The steps in order.
    pub(super) fn into_vec(self) -> Vec<Step> {
        self.0
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
