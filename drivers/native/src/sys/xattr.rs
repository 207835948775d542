//! A mark on a cgroup's directory: an extended attribute (xattr(7)), which cgroups of both versions take since Linux 5.7,
//! an ordinary user's too.
//!
//! # Safety
//! The calls take an open descriptor or a path that ends in NUL, a constant name, and at most one byte that is only read.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

const NAME: &CStr = c"user.execdriver";

/// Marks an open directory.
pub(crate) fn mark(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    let value = *b"1";
    // SAFETY: an open descriptor, a constant name, and as many bytes as are said, which are read.
    let set = unsafe {
        libc::fsetxattr(
            dir.as_raw_fd(),
            NAME.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    Errno::result(set).map(drop)
}

/// Whether there is a marked directory.
pub(crate) fn is_marked(path: &CStr) -> bool {
    // SAFETY: a path and a constant name that end in NUL; without room for a value none is written.
    unsafe { libc::getxattr(path.as_ptr(), NAME.as_ptr(), std::ptr::null_mut(), 0) >= 0 }
}
