//! What some hosts do to their signals, and Rust has no safe word for.
//!
//! # Safety
//! Called in a process of one test alone; neither disposition runs code.
#![allow(unsafe_code)]

use nix::sys::signal::{SigHandler, Signal, signal};

/// The kernel reaps every child at once, and nobody gets a status by wait(2).
pub(crate) fn ignore_children() {
    // SAFETY: no handler's code is installed.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.expect("SIGCHLD can be ignored");
}

/// A write to a closed pipe ends the process, as in every program that is not Rust's.
pub(crate) fn die_of_closed_pipes() {
    // SAFETY: no handler's code is installed.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.expect("SIGPIPE has a default");
}
