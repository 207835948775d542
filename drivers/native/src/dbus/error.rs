//! What can go wrong on the bus.

use std::io;

/// Why a call on the bus has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    /// Nobody listens, or we may not talk to them.
    #[error("cannot connect to the bus at {address:?}")]
    Connect {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("the bus address {address:?} has no unix:path or unix:abstract")]
    Address { address: String },
    #[error("the bus refuses this user: {answer:?}")]
    Refused { answer: String },
    /// It went away in the middle of a conversation.
    #[error("the connection to the bus failed")]
    Io(#[source] io::Error),
    #[error("no answer from the bus to {call} in time")]
    Timeout { call: String },
    /// Not what the protocol allows.
    #[error("the bus sent a malformed message: {0}")]
    Malformed(&'static str),
    /// An error reply, by its name.
    #[error("{name}: {message}")]
    Reply { name: String, message: String },
}

impl BusError {
    /// Whether it is an error reply of this name.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Reply { name, .. } if name == wanted)
    }
}
