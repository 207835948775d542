//! Containers from inside your own program, through a synchronous driver picked by name.
//!
//! ```text
//!  host program                        driver                         kernel
//!  Registry::open("native", root) -->  Arc<dyn Driver>
//!  Command, RunOptions, Pipes, Hooks -> run ... Command -> Spec -> Plan -> launch -> wait
//!                      <- Hooks called back on the calling thread
//!                      <- ExitStatus, after the last byte of output
//!  kill, exec, pids, resize, stats ...  by id, from any thread or process on the same root
//! ```
//!
//! One thread blocks in [`Driver::run`]; everything else is by the container's id. There is no
//! global state: a [`Registry`] is a value, and the state of containers lies below the root that
//! the host names, so that a second process, or the next one after a crash, can act on them.
//!
//! ```no_run
//! use execdriver::{Capture, Command, Hooks, Options, Pipes, Registry, RunOptions};
//!
//! fn main() -> execdriver::Result<()> {
//!     let registry = Registry::with_builtin();
//!     let driver = registry.open_default("/run/my-host".as_ref(), Options::none())?;
//!     let command = Command::linux("job-1", "/srv/rootfs", "/bin/echo").args(["hello"]);
//!     let output = Capture::new(1 << 20);
//!     let pipes = Pipes::null().stdout(&output);
//!     let status = driver.run(&command, &RunOptions::default(), pipes, &Hooks::none())?;
//!     println!("{}: {}", status.code, output.text());
//!     Ok(())
//! }
//! ```
//!
//! Everything of the contract is re-exported from `execdriver-core`; driver authors depend on that
//! package alone.
#![forbid(unsafe_code)]

mod registry;

pub use execdriver_core::*;
pub use registry::{Constructor, Registry};

/// The examples of the README are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
