//! A program of the host's that starts with no signal blocked, whatever we ourselves have blocked.
//!
//! # Safety
//! What runs between fork and exec allocates nothing and takes no lock: it is one call, sigprocmask(2), on a set that was
//! made before.
#![allow(unsafe_code)]

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the child of `command` begin with every signal let through.
pub(crate) fn unmask(command: &mut Command) {
    let none = SigSet::empty();
    let clear = move || Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&none), None)?);
    // SAFETY: the closure only makes a system call, which signal-safety(7) allows after a fork of threads.
    unsafe { command.pre_exec(clear) };
}
