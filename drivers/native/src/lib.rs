//! The Linux driver of execdriver: namespaces, cgroups and a freestanding init.
#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod driver;
#[allow(dead_code, reason = "until the driver calls it")]
mod sys;

pub use driver::NativeDriver;
