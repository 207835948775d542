//! pidfds: open, signal, and the exit status of a process that somebody else reaped.
//!
//! # Safety
//! Ordinary calls of the host program, from any thread; they take numbers and one structure on our stack.
#![allow(unsafe_code)]

use core::ffi::c_ulong;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// Linux 6.15: the exit code is there once the process has been reaped.
const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)` with the structure's first published size.
const PIDFD_GET_INFO: c_ulong =
    3 << 30 | (size_of::<PidfdInfo>() as c_ulong) << 16 | 0xFF << 8 | 11;

/// `struct pidfd_info` of linux/pidfd.h.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    /// pid, tgid, ppid and the eight user and group ids.
    ids: [u32; 11],
    exit_code: i32,
}

/// `pidfd_open(2)`.
pub(crate) fn open(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: takes numbers only.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    #[allow(clippy::cast_possible_truncation, reason = "a descriptor is an int")]
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `pidfd_send_signal(2)`; ESRCH when the process has been reaped.
pub(crate) fn send_signal(pidfd: BorrowedFd, signal: i32) -> Result<(), Errno> {
    let null = core::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed: the kernel fills in what kill(2) would.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            null,
            0,
        )
    };
    Errno::result(result).map(drop)
}

/// The wait status of a process that was reaped, by whomever; `None` while it was not. A kernel before 6.15 answers an error.
pub(crate) fn exit_status(pidfd: BorrowedFd) -> Result<Option<i32>, Errno> {
    let mut info = PidfdInfo {
        mask: PIDFD_INFO_EXIT,
        ..PidfdInfo::default()
    };
    // SAFETY: the request's size field says how large the structure is; the kernel reads and writes that much.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    Errno::result(result)?;
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}
