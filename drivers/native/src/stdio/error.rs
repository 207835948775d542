//! Why a process's streams could not be set up.

use execdriver_core::Error;
use std::io;

/// A step of the set-up that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub(crate) struct StdioError {
    step: String,
    source: io::Error,
}

impl StdioError {
    pub(super) fn new(step: impl Into<String>, source: io::Error) -> Self {
        Self {
            step: step.into(),
            source,
        }
    }
}

impl From<StdioError> for Error {
    fn from(error: StdioError) -> Self {
        Self::Setup {
            step: error.step,
            source: Some(Box::new(error.source)),
        }
    }
}
