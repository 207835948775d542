//! `flock(2)` on a descriptor that is ours, given back without a word when it is dropped.
//!
//! # Safety
//! The calls take an open descriptor, which the lock owns, and a number.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// An exclusive lock.
///
/// nix has one too, whose drop panics when the kernel refuses to unlock.
#[derive(Debug)]
pub(crate) struct Lock(OwnedFd);

impl Lock {
    /// Takes the lock, or says `EWOULDBLOCK`; the descriptor comes back with the error.
    pub(crate) fn try_exclusive(fd: OwnedFd) -> Result<Self, (OwnedFd, Errno)> {
        match flock(&fd, libc::LOCK_EX | libc::LOCK_NB) {
            Ok(()) => Ok(Self(fd)),
            Err(errno) => Err((fd, errno)),
        }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing unlocks too, unless another thread's child holds a copy for a moment.
        let _ = flock(&self.0, libc::LOCK_UN);
    }
}

fn flock(fd: &OwnedFd, operation: i32) -> Result<(), Errno> {
    // SAFETY: an open descriptor and a number.
    Errno::result(unsafe { libc::flock(fd.as_raw_fd(), operation) }).map(drop)
}
