//! A driver without an operating system, for the unit tests of host programs.
//!
//! [`FakeDriver`] is a real driver: it obeys hooks, pipes, signals, timeouts and the rules of the
//! contract, and passes the same conformance suite as the others. What its programs do is said by
//! [`Script`]s, plain data. [`Faulty`] wraps any driver and fails on cue.
//!
//! ```
//! use execdriver_core::{Capture, Command, Driver, Hooks, Pipes, RunOptions};
//! use execdriver_fake::{FakeDriver, Script};
//!
//! let driver = FakeDriver::new().script("/bin/solver", Script::prints("42\n").exit(3));
//! let output = Capture::new(1024);
//! let command = Command::linux("case-1", "/rootfs", "/bin/solver");
//! let pipes = Pipes::null().stdout(&output);
//! let status = driver.run(&command, &RunOptions::default(), pipes, &Hooks::none())?;
//! assert_eq!((status.code, output.text().as_str()), (3, "42\n"));
//! assert_eq!(driver.runs()[0].id, "case-1");
//! # Ok::<(), execdriver_core::Error>(())
//! ```
#![forbid(unsafe_code)]

mod driver;
mod faulty;
mod life;
mod limits;
mod process;
mod script;
mod streams;
mod table;

pub use driver::FakeDriver;
pub use faulty::{Fault, Faulty, Operation};
pub use script::{Script, StartFailure};
