//! The execdriver contract as tests that any driver can run.
//!
//! A driver's author implements [`Subject`], which says how to make commands that do a few simple
//! [`Act`]s, and lets [`conformance_suite!`] write one `#[test]` for each rule:
//!
//! ```
//! use execdriver_conformance::{Act, Subject, conformance_suite};
//! # use execdriver_core::{Command, Driver, ProcessConfig};
//! # use std::sync::Arc;
//! struct Mine;
//!
//! impl Subject for Mine {
//!     fn driver(&self) -> Arc<dyn Driver> {
//!         todo!("open the driver on a root of this test program")
//!     }
//!     fn command(&self, id: &str, act: &Act) -> Command {
//!         todo!("a command that does `act`")
//!     }
//!     fn process(&self, act: &Act) -> ProcessConfig {
//!         todo!("a process for an exec that does `act`")
//!     }
//! }
//!
//! conformance_suite!(Mine);
//! ```
//!
//! What a driver says it cannot do ([`execdriver_core::Capabilities`], group `operations`) must be
//! answered with `Unsupported`; everything else must work. Limits are tried where the driver says
//! that it has them: group `cgroups`, `limits of memory`, `limits of swap`, `limits of processes`.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this package is tests: a broken rule is a panic"
)]

mod act;
mod bench;
pub mod exec;
pub mod hooks;
pub mod ids;
pub mod limits;
pub mod others;
pub mod pause;
pub mod signals;
pub mod status;
pub mod streams;
mod suite;

pub use act::{Act, Subject};
