//! Containers of the Host Compute Service.
//!
//! ```text
//!  backend    the two traits of a back-end
//!  system,    one compute system or process that is held: calls, and waits for their ends
//!  process
//!  host       the way to the service: every call on a thread of its own, bounded
//!  board      where notices arrive
//!  service    the functions: the library's, or a service in memory
//!  document   what is asked for, and properties and answers: what is told
//! ```

mod answer;
mod backend;
pub(crate) mod board;
mod bounded;
mod code;
pub(crate) mod document;
mod error;
mod folders;
mod guid;
mod hns;
mod host;
#[cfg(test)]
mod memory;
mod network;
mod process;
mod properties;
pub(crate) mod service;
mod system;
#[cfg(test)]
mod tests;

pub(crate) use answer::answer_text;
#[allow(unused_imports, reason = "the driver is about to choose it")]
pub(crate) use backend::{HcsBackend, HcsSettings};
pub(crate) use board::Board;
pub(crate) use code::{Code, Meaning};
pub(crate) use error::HcsError;
pub(crate) use guid::guid_text;
pub(crate) use service::{Operation, Service};

/// Whose the compute systems are.
pub(crate) const OWNER: &str = "execdriver";
