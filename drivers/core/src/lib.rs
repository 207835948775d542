//! The contract of execdriver: data types, the `Driver` trait, console threads; no OS calls.
//!
//! Everything that a host program and a driver must agree on lives here and behaves the same on
//! every operating system:
//!
//! - **what to run**: a `Command` in Docker's own words and JSON, translated to an OCI `Spec`;
//! - **how to talk to it**: [`Pipes`] of [`Stdio`], [`Terminal`], [`Signal`];
//! - **what came of it**: [`ExitStatus`], [`Error`].
//!
//! Host programs normally depend on the `execdriver` package, which re-exports all of this.
#![forbid(unsafe_code)]

pub mod capabilities;
pub mod error;
pub mod exit;
pub mod options;
pub mod pipes;
pub mod signal;
mod stage;
pub mod terminal;

pub use capabilities::{Capabilities, Control, Enforcement};
pub use error::{BoxError, Error, Result};
pub use exit::{ExitReason, ExitStatus};
pub use options::Options;
pub use pipes::{Capture, Pipes, Stdio};
pub use signal::Signal;
pub use stage::HookStage;
pub use terminal::{Terminal, WindowSize};
