//! Bytes and descriptors over a stream socket, without blocking.
//!
//! # Safety
//! Ordinary calls of the host program, from any thread. Received descriptors are owned from the moment they are seen, so none leaks.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::mem::{self, MaybeUninit};
use core::ptr;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// Bytes of a descriptor in a control message.
const FD_LEN: u32 = 4;

/// As many descriptors as one message takes (`SCM_MAX_FD`, unix(7)).
const FDS_MAX: usize = 253;

/// Room for a header and as many descriptors, in headers, so that it is aligned for one.
const CONTROL_HEADERS: usize =
    1 + (FDS_MAX * size_of::<RawFd>()).div_ceil(size_of::<libc::cmsghdr>());

/// Sends some of `bytes`, at least one, with all of `fds`; EAGAIN when the socket is full, EINVAL when there are more than 253 of them.
/// Never raises SIGPIPE.
pub(crate) fn send(
    socket: BorrowedFd,
    bytes: &[IoSlice],
    fds: &[BorrowedFd],
) -> Result<usize, Errno> {
    // On the stack: a list of the heap, zeroed, takes the allocator's lock (calloc(3)).
    let mut control = [MaybeUninit::<libc::cmsghdr>::zeroed(); CONTROL_HEADERS];
    // SAFETY: all zeroes is a value of this plain structure.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    // An IoSlice has the layout of an iovec (its documentation); the kernel reads from them only.
    message.msg_iov = bytes.as_ptr().cast_mut().cast::<libc::iovec>();
    message.msg_iovlen = bytes.len() as _;
    if !fds.is_empty() {
        message.msg_controllen = pack(&mut control, fds)? as _;
        message.msg_control = control.as_mut_ptr().cast::<c_void>();
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    loop {
        // SAFETY: the message names the caller's bytes and our control space, each with its size.
        match Errno::result(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) })
        {
            Err(Errno::EINTR) => {}
            other => return other.map(isize::cast_unsigned),
        }
    }
}

/// Writes the control message of these descriptors, and says how long it is.
fn pack(
    control: &mut [MaybeUninit<libc::cmsghdr>; CONTROL_HEADERS],
    fds: &[BorrowedFd],
) -> Result<usize, Errno> {
    if fds.len() > FDS_MAX {
        return Err(Errno::EINVAL);
    }
    let length = u32::try_from(fds.len()).map_err(|_| Errno::EINVAL)? * FD_LEN;
    let header = control.as_mut_ptr().cast::<libc::cmsghdr>();
    // SAFETY: all zeroes is a value of this plain structure.
    let mut first: libc::cmsghdr = unsafe { mem::zeroed() };
    first.cmsg_level = libc::SOL_SOCKET;
    first.cmsg_type = libc::SCM_RIGHTS;
    // SAFETY: computes a size.
    first.cmsg_len = unsafe { libc::CMSG_LEN(length) } as _;
    // SAFETY: the space begins with room for a header.
    unsafe { header.write(first) };
    // SAFETY: computes where in the space the data begin, behind the header that was just written.
    let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
    for (index, fd) in fds.iter().enumerate() {
        // SAFETY: the space has room for 253 of them behind the header, and there are not more.
        unsafe { data.wrapping_add(index).write_unaligned(fd.as_raw_fd()) };
    }
    // SAFETY: computes a size.
    Ok(unsafe { libc::CMSG_SPACE(length) } as usize)
}

/// Receives up to `buffer.len()` bytes and at most one descriptor; 0 bytes is the end of file, EAGAIN nothing yet.
///
/// A descriptor that came but found no room in our table is ENOBUFS.
pub(crate) fn receive(
    socket: BorrowedFd,
    buffer: &mut [u8],
) -> Result<(usize, Option<OwnedFd>), Errno> {
    // Room for one header and one descriptor, with the alignment of the header; the kernel drops further descriptors.
    let mut control = [MaybeUninit::<libc::cmsghdr>::zeroed(); 2];
    // SAFETY: all zeroes is a value of this plain structure.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast::<c_void>(),
        iov_len: buffer.len(),
    };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast::<c_void>();
    // SAFETY: computes a size.
    let space = unsafe { libc::CMSG_SPACE(FD_LEN) };
    message.msg_controllen = space as _;
    let received = loop {
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: the message names our buffer and our control space, each with its size.
        match Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) }) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let fd = received_fd(&message);
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(Errno::ENOBUFS);
    }
    Ok((received.cast_unsigned(), fd))
}

fn received_fd(message: &libc::msghdr) -> Option<OwnedFd> {
    // SAFETY: recvmsg has set the control length to what it filled in.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    if header.is_null() {
        return None;
    }
    // SAFETY: not null, so it lies inside our control space, which is aligned for it.
    let cmsg = unsafe { ptr::read(header) };
    // SAFETY: computes a size.
    let length = unsafe { libc::CMSG_LEN(FD_LEN) };
    if cmsg.cmsg_level != libc::SOL_SOCKET
        || cmsg.cmsg_type != libc::SCM_RIGHTS
        || cmsg.cmsg_len < length as _
    {
        return None;
    }
    // SAFETY: the header is ours and its data follow it.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: the length was checked to hold one descriptor number.
    let fd = unsafe { ptr::read_unaligned(data.cast::<RawFd>()) };
    // SAFETY: the kernel just made this descriptor for us.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}
