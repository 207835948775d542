//! The Windows driver of execdriver: one driver over the Host Compute Service or over job objects.
//!
//! ```text
//!  driver     the contract: hooks, pipes, timeouts, state on disk; knows no Windows call
//!  backend    what it asks of a way to make containers: two traits
//!  hcs, job   the two ways
//!  sys        every call of Windows, and all unsafe code
//! ```
//!
//! Everything but `job` and `sys` is data and decisions: it compiles and is tested on every system.
#![deny(unsafe_code)]
#![cfg_attr(
    not(windows),
    allow(
        dead_code,
        reason = "what uses the decisions is built for Windows alone"
    )
)]

mod backend;
mod command_line;
mod driver;
mod environment;
mod exit;
mod hcs;
#[cfg(windows)]
mod job;
mod limits;
mod names;
mod settings;
mod state;
#[cfg(windows)]
mod sys;

pub use driver::WindowsDriver;
#[cfg(windows)]
pub use sys::console::RawConsole;

/// The name that the driver is registered under.
const NAME: &str = "windows";
