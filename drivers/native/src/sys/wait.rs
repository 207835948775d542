//! Reaping a child by its pidfd, with what it used.
//!
//! # Safety
//! Ordinary calls of the host program, from any thread. They name one child by descriptor, so no other child of the host is touched.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;
use core::time::Duration;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

/// How a child ended and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reaped {
    /// `si_code`: `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED`.
    pub(crate) code: i32,
    /// Exit code or signal number.
    pub(crate) status: i32,
    /// User time of it and of the children that it reaped.
    pub(crate) user: Duration,
    /// System time, likewise.
    pub(crate) system: Duration,
    /// Largest resident set of one of them, in bytes.
    pub(crate) max_rss: u64,
}

/// Waits until the child has ended, and reaps it. ECHILD: it is no child of ours, or somebody else reaped it.
pub(crate) fn reap(pidfd: &impl AsFd) -> Result<Reaped, Errno> {
    let fd = pidfd.as_fd().as_raw_fd();
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // __WALL: also a child that does not announce its end by SIGCHLD.
    let options = libc::WEXITED | libc::__WALL;
    loop {
        // libc's waitid has no argument for the usage.
        // SAFETY: both structures are ours and as large as the kernel's.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                fd,
                info.as_mut_ptr(),
                options,
                usage.as_mut_ptr(),
            )
        };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: zeroed, which is a value of this plain structure, then filled by the kernel.
    let info = unsafe { info.assume_init() };
    // SAFETY: likewise.
    let usage = unsafe { usage.assume_init() };
    // SAFETY: waitid succeeded for a child that ended, so the union holds the status.
    let status = unsafe { info.si_status() };
    Ok(Reaped {
        code: info.si_code,
        status,
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
    })
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u32::try_from(time.tv_usec).unwrap_or(0);
    Duration::new(seconds, micros.saturating_mul(1000))
}
