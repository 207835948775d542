//! Sets the loopback interface up.
//!
//! # Safety
//! One ordinary call on a socket of our own, in the network namespace of the calling thread.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_short};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Of netdevice(7).
#[allow(clippy::cast_possible_truncation, reason = "the lowest seven bits")]
const FLAGS: c_short = (libc::IFF_UP | libc::IFF_RUNNING) as c_short;

/// Sets `lo` of the calling thread's network namespace up.
pub(crate) fn set_up() -> nix::Result<()> {
    let socket = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: a structure of numbers, for which all zeroes are a value.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as c_char, b'o' as c_char]);
    request.ifr_ifru.ifru_flags = FLAGS;
    // SAFETY: netdevice(7): the call reads one `ifreq`, whose name ends with a NUL.
    let result = unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS as _,
            &raw const request,
        )
    };
    Errno::result(result).map(drop)
}
