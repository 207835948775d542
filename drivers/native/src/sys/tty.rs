//! Terminals: the ioctls that no safe wrapper offers.
//!
//! # Safety
//! The descriptor is borrowed, so it is open for the call; the structure lives on our stack and is
//! only read by the kernel.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Sets a terminal's window size in characters; its foreground process group gets SIGWINCH when it
/// changes (ioctl_tty(2), TIOCSWINSZ).
pub fn set_window_size(fd: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCSWINSZ reads one `winsize` through the pointer, which is valid for that.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Opens the slave of an unlocked master without any path (ioctl_tty(2), TIOCGPTPEER), never as
/// our own controlling terminal.
pub(crate) fn open_peer(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the argument of TIOCGPTPEER is a number.
    let fd = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
