//! Descriptors that whoever started this program has left open for it.
//!
//! # Safety
//! A number is only ever given to the kernel, which says whether it is an open descriptor; what is owned is the copy.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A copy of the descriptor with this number, close-on-exec, with a number of its own from `above` on.
///
/// # Errors
/// `EBADF` when it is not open, or is one of this program's own, which are all close-on-exec.
pub fn copy(number: RawFd, above: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: fcntl(2) with F_GETFD takes a number; one that is not open is EBADF.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if Errno::result(flags)? & libc::FD_CLOEXEC != 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: fcntl(2) with F_DUPFD_CLOEXEC takes numbers; one that is not open is EBADF.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, above) };
    let copy = Errno::result(copy)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
