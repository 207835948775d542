//! PID 1 of a container whose payload is not made for it: forwards signals, reaps orphans, passes the status on.
//!
//! Runs as the payload's user with the payload's capabilities, undumpable, with one descriptor at most. It ends when the
//! payload ends, and the kernel then ends everything else in the pid namespace.

use crate::run::{Done, Init};
use crate::sys::abi::{Errno, PR_SET_CHILD_SUBREAPER, SIGCHLD};
use crate::sys::{self, fs, process};
use crate::wire::NO_SLOT;

const ALL: u64 = u64::MAX;

/// Returns in the payload; the caller's process stays here for good.
pub(crate) fn stay(init: &Init, status: u16) -> Done {
    let status = if status == NO_SLOT {
        None
    } else {
        Some(init.slot(status)?)
    };
    // Blocked, not ignored: PID 1 gets only signals that it blocks or handles, and rt_sigtimedwait(2) takes them one by one.
    process::set_signal_mask(ALL)?;
    if process::pid() != 1 {
        process::prctl(PR_SET_CHILD_SUBREAPER, 1, 0)?;
    }
    let (payload, _) = process::fork(0, SIGCHLD)?;
    if payload == 0 {
        return Ok(process::set_signal_mask(0)?);
    }
    keep_only(status);
    watch(payload, status)
}

/// Closes everything but the status descriptor: readers of the payload's pipes must see it end.
fn keep_only(status: Option<i32>) {
    let kept = status.map_or(0, |fd| fd as u32);
    if status.is_none() {
        let _ = fs::close_range(0, u32::MAX);
        return;
    }
    // Slots lie above the socket, so 0 is never the kept one.
    let _ = fs::close_range(0, kept - 1);
    let _ = fs::close_range(kept + 1, u32::MAX);
}

fn watch(payload: i32, status: Option<i32>) -> ! {
    loop {
        match process::next_signal(ALL) {
            Ok(SIGCHLD) => {
                while let Ok(Some(ended)) = process::reap() {
                    if ended.pid == payload {
                        end(ended.status, status);
                    }
                }
            }
            // A payload that is just gone is found by the next SIGCHLD.
            Ok(signal) => drop(process::kill(payload, signal)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => sys::exit(crate::run::EXIT_FAILED),
        }
    }
}

/// Ends as a shell would report the payload.
fn end(wait_status: i32, status: Option<i32>) -> ! {
    if let Some(fd) = status {
        let _ = fs::write(fd, &wait_status.to_le_bytes());
    }
    let signal = wait_status & 0x7f;
    sys::exit(if signal == 0 {
        wait_status >> 8 & 0xff
    } else {
        128 + signal
    })
}
