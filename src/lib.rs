//! Containers from inside your own program, through a synchronous driver picked by name.
#![forbid(unsafe_code)]

mod registry;

pub use execdriver_core::*;
pub use registry::{Constructor, Registry};
