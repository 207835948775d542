//! The Linux driver of execdriver: namespaces, cgroups and a freestanding init.
#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

#[allow(dead_code, reason = "until the driver calls it")]
mod apparmor;
mod at;
#[allow(dead_code, unused_imports, reason = "until the driver calls it")]
mod cgroup;
#[allow(dead_code, reason = "rooms for what comes next")]
mod container;
mod dbus;
mod driver;
#[allow(dead_code, reason = "until the driver calls it")]
mod facts;
mod init;
#[cfg(test)]
mod init_parts;
#[allow(dead_code, unused_imports, reason = "until the driver calls it")]
mod launch;
#[allow(dead_code, reason = "the launch that uses it comes next")]
mod plan;
#[allow(dead_code, reason = "some is for tests alone")]
mod seccomp;
#[allow(
    dead_code,
    unused_imports,
    reason = "the driver takes it up verb by verb"
)]
mod state;
#[allow(dead_code, unused_imports, reason = "until the driver calls it")]
mod stdio;
#[cfg(test)]
#[path = "../../../tests/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "until the driver calls it")]
mod sys;
#[allow(dead_code, reason = "init uses the decoder, the parent the encoder")]
#[path = "../init/wire.rs"]
mod wire;

pub use driver::NativeDriver;
