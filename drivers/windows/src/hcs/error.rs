//! What can go wrong between the driver and the compute service.

use super::{Code, Meaning, answer_text};
use execdriver_core::Error;
use std::time::Duration;

/// One failure, in the terms of the compute service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HcsError {
    /// A call, or the operation that it began, failed.
    #[error("{call} of {object}: {code}{}", said(answer))]
    Call {
        /// The call's name: `HcsStartComputeSystem`.
        call: &'static str,
        /// Whose: `container "web-1"`.
        object: String,
        code: Code,
        /// The result document, or nothing.
        answer: String,
    },
    /// An operation did not end within its bound.
    #[error("{call} of {object} was not finished after {bound:?}")]
    Timeout {
        call: &'static str,
        object: String,
        bound: Duration,
    },
    /// The system ended while an operation was waited for.
    #[error("{object} exited unexpectedly during {call}: {code}{}", said(answer))]
    Exited {
        call: &'static str,
        object: String,
        code: Code,
        answer: String,
    },
    /// The service went away.
    #[error("lost communication with the compute service during {call} of {object}")]
    Disconnected { call: &'static str, object: String },
    /// The library of this Windows has no such function.
    #[error("the compute service of this Windows has no {call}")]
    Missing { call: &'static str },
    /// The library could not be had.
    #[error("load {library}")]
    Load {
        library: String,
        source: std::io::Error,
    },
    /// A document of the service's could not be read.
    #[error("read the document that {call} of {object} gave")]
    Document {
        call: &'static str,
        object: String,
        source: serde_json::Error,
    },
    /// A thread that a call waits on could not be started.
    #[error("start a thread for {call} of {object}")]
    Thread {
        call: &'static str,
        object: String,
        source: std::io::Error,
    },
    /// The network service said no.
    #[error("{request}: the network service said: {reason}")]
    Network { request: String, reason: String },
}

fn said(answer: &str) -> String {
    match answer_text(answer) {
        text if text.is_empty() => String::new(),
        text => format!(": {text}"),
    }
}

impl HcsError {
    /// What the service's code says, where there is one.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Call { code, .. } | Self::Exited { code, .. } => Some(code.meaning()),
            _ => None,
        }
    }

    /// Whether it says that the object is gone, or going, which is what whoever ends it wants.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Exited { .. })
            || matches!(
                self.meaning(),
                Some(
                    Meaning::NotFound
                        | Meaning::AlreadyStopped
                        | Meaning::ProcessStopped
                        | Meaning::UnexpectedExit
                )
            )
    }
}

impl From<HcsError> for Error {
    fn from(error: HcsError) -> Self {
        match error {
            HcsError::Timeout { .. } => Self::Timeout {
                operation: error.to_string(),
            },
            HcsError::Missing { .. } => Self::unsupported(crate::NAME, error.to_string()),
            HcsError::Call { .. }
            | HcsError::Exited { .. }
            | HcsError::Disconnected { .. }
            | HcsError::Load { .. }
            | HcsError::Document { .. }
            | HcsError::Thread { .. }
            | HcsError::Network { .. } => Self::Driver {
                driver: crate::NAME.to_owned(),
                operation: "use the compute service".to_owned(),
                source: Some(Box::new(error)),
            },
        }
    }
}
