//! The Linux driver of execdriver: namespaces, cgroups and a freestanding init.
#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod driver;

pub use driver::NativeDriver;
