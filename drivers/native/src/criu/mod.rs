//! CRIU (<https://criu.org>), which saves the processes of a container to files and makes them anew from those.
//!
//! ```text
//! checkpoint:  mounts of the container -> Request -> `criu swrk` -> files, and ours beside them (Saved)
//! restore:     Saved + document        -> Request -> `criu swrk` -> a child of ours that is the container's first process
//! ```
//!
//! It is a program of the host's, spoken to over a socket: its requests and answers are protocol buffers
//! (criu's `images/rpc.proto`), of which [`wire`] knows the two kinds of fields that they have.

mod error;
mod log;
mod message;
mod mounts;
mod saved;
mod session;
mod started;
mod wire;

pub(crate) use error::CriuError;
pub use message::CgroupMode;
pub(crate) use message::{Kind, Reply, Request};
pub(crate) use mounts::{Mount, external, read as read_mounts};
pub(crate) use saved::{Saved, SavedMount, SavedPoint, is_handed_on};
pub(crate) use session::{Criu, ENDED, Session};
pub(crate) use started::Root;
