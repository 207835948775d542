//! PID 1 of a container whose payload is not made for it: forwards signals, reaps orphans, passes the status on.
//!
//! Runs as the payload's user with the payload's capabilities, undumpable, with one descriptor at most. It ends when the
//! payload ends, and the kernel then ends everything else in the pid namespace.

use crate::capabilities;
use crate::run::{Done, EXIT_FAILED, Failure, Init};
use crate::sys::abi::{Errno, PR_SET_CHILD_SUBREAPER, SIGCHLD};
use crate::sys::{self, Fd, fs, process, socket};
use crate::wire::{Detail, GO, NO_SLOT};

const ALL: u64 = u64::MAX;

/// Returns in the payload; the caller's process stays here for good.
pub(crate) fn stay(init: &mut Init, status: u16) -> Done {
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
    let (ours, theirs) = socket::pair()?;
    // No exit signal: the exec gives it one, and so tells a program that ended from one that never ran.
    let (payload, _) = process::fork(0, 0)?;
    if payload == 0 {
        ours.close();
        process::set_signal_mask(0)?;
        let mut go = [0];
        if fs::read(theirs.raw(), &mut go) != Ok(1) {
            sys::exit(EXIT_FAILED);
        }
        init.alive = Some(theirs);
        return Ok(());
    }
    theirs.close();
    // Before any code of the payload's runs: what it could do to this process, it could do with this process's rights.
    if let Some(guard) = init.guard {
        capabilities::load_filter(init, 0, guard)?;
    }
    await_exec(&ours, payload)?;
    keep_only(status)?;
    watch(payload, status)
}

/// Lets the payload go on, and waits until its program is executed. Its end of the socket is closed by that, or by its
/// end, which would else look alike; init's own socket stays open until it is known.
fn await_exec(ours: &Fd, payload: i32) -> Done {
    fs::write(ours.raw(), &[GO])?;
    let mut nothing = [0];
    while matches!(fs::read(ours.raw(), &mut nothing), Err(Errno::EINTR)) {}
    match process::wait_unless_executed(payload)? {
        None => Ok(()),
        Some(ended) => Err(Failure {
            value: u64::from(ended.status.cast_unsigned()),
            ..Failure::of(Detail::NotExecuted)
        }),
    }
}

/// Closes everything but the status descriptor: readers of the payload's pipes must see it end. Init's own socket goes last,
/// so that a failure can be told.
fn keep_only(status: Option<i32>) -> Done {
    // Slots lie above the socket, so 0 is never the kept one.
    match status.map(|fd| fd as u32) {
        Some(kept) => {
            fs::close_range(kept + 1, u32::MAX)?;
            fs::close_range(0, kept - 1)?;
        }
        None => fs::close_range(0, u32::MAX)?,
    }
    Ok(())
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
            Err(_) => sys::exit(EXIT_FAILED),
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
