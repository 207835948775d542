//! The Linux driver of execdriver: namespaces, cgroups and a freestanding init.
#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod apparmor;
mod at;
mod cgroup;
mod container;
mod controllers;
mod criu;
mod dbus;
mod driver;
mod facts;
mod init;
#[cfg(test)]
mod init_parts;
mod launch;
mod netdev;
mod plan;
mod ready;
mod resctrl;
mod seccomp;
mod shared_text;
mod shelf;
mod state;
mod stdio;
#[cfg(test)]
#[path = "../../../tests/support/mod.rs"]
mod support;
mod sys;
#[allow(
    dead_code,
    reason = "one definition for both sides: init decodes, this side encodes"
)]
#[path = "../init/wire.rs"]
mod wire;

pub use driver::NativeDriver;

/// What the program `execdriver-oci` is made of. No interface for others: it changes with that program.
#[doc(hidden)]
pub mod oci {
    pub use crate::cgroup::stats::{Cpuset, EventCounters};
    pub use crate::container::oci::{
        CgroupMode, Checkpoint, Create, Criued, Exec, Launched, OciError, OciResult, Outcome,
        Restore, Runtime, SPEC_VERSION, State, Status, Watch, Watched, features,
    };
    pub use crate::sys::inherited::copy as inherited;
    pub use crate::sys::tty::set_window_size;
}
