//! Sockets, terminals and interface flags.
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call.

use super::abi::{IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS, TIOCSPTLCK, TIOCSWINSZ};
use super::{Errno, Fd, Result, arg, call, nr, numbers};

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const MSG_CTRUNC: u32 = 0x8;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
/// Most descriptors in one message (`SCM_MAX_FD`).
const SCM_MAX_FD: usize = 253;

#[repr(C)]
struct MsgHdr {
    name: usize,
    name_len: u32,
    iov: usize,
    iov_len: usize,
    control: usize,
    control_len: usize,
    flags: u32,
}

/// One ancillary message of descriptors, as it lies in the control buffer.
#[repr(C, align(8))]
struct Rights {
    len: usize,
    level: i32,
    kind: i32,
    fds: [i32; SCM_MAX_FD],
}

const RIGHTS_HEADER: usize = 16;

/// `socketpair(2)`: connected, close-on-exec.
pub(crate) fn pair() -> Result<(Fd, Fd)> {
    const AF_UNIX: usize = 1;
    const SOCK_STREAM_CLOEXEC: usize = 0o2_000_001;
    let mut fds = [-1i32; 2];
    let place = fds.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes two descriptors.
    unsafe {
        call(
            nr::SOCKETPAIR,
            [AF_UNIX, SOCK_STREAM_CLOEXEC, 0, place, 0, 0],
        )
    }?;
    let [one, other] = fds;
    Ok((Fd::own(one), Fd::own(other)))
}

/// `accept4(2)`: the next connection, close-on-exec.
pub(crate) fn accept(listener: i32) -> Result<Fd> {
    const SOCK_CLOEXEC: usize = 0o2_000_000;
    loop {
        match numbers(nr::ACCEPT4, [arg(listener), 0, 0, SOCK_CLOEXEC, 0, 0]) {
            Err(Errno::EINTR) => {}
            other => return Ok(Fd::own(other? as i32)),
        }
    }
}

/// `recvmsg(2)` on the socket: bytes into the buffers in turn, descriptors (close-on-exec) into `fds`.
///
/// Returns the bytes and the number of descriptors.
pub(crate) fn receive(
    socket: i32,
    first: &mut [u8],
    second: &mut [u8],
    fds: &mut [i32],
) -> Result<(usize, usize)> {
    let iov = [
        first.as_mut_ptr().expose_provenance(),
        first.len(),
        second.as_mut_ptr().expose_provenance(),
        second.len(),
    ];
    let mut rights = Rights {
        len: 0,
        level: 0,
        kind: 0,
        fds: [-1; SCM_MAX_FD],
    };
    let mut header = MsgHdr {
        name: 0,
        name_len: 0,
        iov: iov.as_ptr().expose_provenance(),
        iov_len: 2,
        control: (&raw mut rights).expose_provenance(),
        control_len: size_of::<Rights>(),
        flags: 0,
    };
    let got = loop {
        // SAFETY: `header` names two buffers and a control area of exactly the lengths that it says.
        match unsafe {
            call(
                nr::RECVMSG,
                [
                    arg(socket),
                    (&raw mut header).expose_provenance(),
                    MSG_CMSG_CLOEXEC,
                    0,
                    0,
                    0,
                ],
            )
        } {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut count = 0;
    if header.control_len >= RIGHTS_HEADER
        && rights.level == SOL_SOCKET
        && rights.kind == SCM_RIGHTS
    {
        count = rights.len.saturating_sub(RIGHTS_HEADER) / size_of::<i32>();
    }
    let (Some(from), Some(to)) = (rights.fds.get(..count), fds.get_mut(..count)) else {
        return Err(Errno::EPROTO);
    };
    to.copy_from_slice(from);
    if header.flags & MSG_CTRUNC != 0 {
        Err(Errno::EPROTO)
    } else {
        Ok((got, count))
    }
}

/// `sendmsg(2)` of all bytes with at most one descriptor; no signal when nobody listens.
pub(crate) fn send(socket: i32, bytes: &[u8], fd: Option<i32>) -> Result<()> {
    let iov = [bytes.as_ptr().expose_provenance(), bytes.len()];
    let mut rights = Rights {
        len: RIGHTS_HEADER + 4,
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        fds: [-1; SCM_MAX_FD],
    };
    let mut header = MsgHdr {
        name: 0,
        name_len: 0,
        iov: iov.as_ptr().expose_provenance(),
        iov_len: 1,
        control: 0,
        control_len: 0,
        flags: 0,
    };
    if let Some(fd) = fd {
        rights.fds[0] = fd;
        header.control = (&raw const rights).expose_provenance();
        header.control_len = RIGHTS_HEADER + 8;
    }
    loop {
        // SAFETY: `header` names one buffer and a control area of the length that it says.
        match unsafe {
            call(
                nr::SENDMSG,
                [
                    arg(socket),
                    (&raw const header).expose_provenance(),
                    MSG_NOSIGNAL,
                    0,
                    0,
                    0,
                ],
            )
        } {
            Err(Errno::EINTR) => {}
            // A record is far smaller than the socket's buffer, so it goes out whole.
            Ok(sent) if sent == bytes.len() => return Ok(()),
            Ok(_) => return Err(Errno::EPROTO),
            Err(error) => return Err(error),
        }
    }
}

/// Sets the `lo` interface up.
pub(crate) fn loopback_up() -> Result<()> {
    const AF_INET: usize = 2;
    const SOCK_DGRAM_CLOEXEC: usize = 2 | 0o2_000_000;
    /// `struct ifreq`: the name, then a union of 24 bytes.
    #[repr(C, align(8))]
    struct IfReq {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }
    let socket = Fd::own(numbers(nr::SOCKET, [AF_INET, SOCK_DGRAM_CLOEXEC, 0, 0, 0, 0])? as i32);
    let mut request = IfReq {
        name: [0; 16],
        flags: 0,
        rest: [0; 22],
    };
    request.name[..2].copy_from_slice(b"lo");
    let pointer = (&raw mut request).expose_provenance();
    // SAFETY: `request` is a whole ifreq, which the call reads and writes.
    unsafe {
        call(
            nr::IOCTL,
            [arg(socket.raw()), SIOCGIFFLAGS, pointer, 0, 0, 0],
        )
    }?;
    request.flags |= IFF_UP;
    let pointer = (&raw const request).expose_provenance();
    // SAFETY: as above.
    unsafe {
        call(
            nr::IOCTL,
            [arg(socket.raw()), SIOCSIFFLAGS, pointer, 0, 0, 0],
        )
    }
    .map(drop)
}

/// An `ioctl(2)` whose argument is a number.
pub(crate) fn ioctl_number(fd: i32, request: usize, number: usize) -> Result<usize> {
    numbers(nr::IOCTL, [arg(fd), request, number, 0, 0, 0])
}

/// `TIOCSPTLCK` with 0: unlocks the slave of a terminal.
pub(crate) fn unlock_terminal(master: i32) -> Result<()> {
    let unlock = 0i32;
    // SAFETY: the kernel reads one int.
    unsafe {
        call(
            nr::IOCTL,
            [
                arg(master),
                TIOCSPTLCK,
                (&raw const unlock).expose_provenance(),
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `TIOCSWINSZ`.
pub(crate) fn set_window(terminal: i32, rows: u16, cols: u16) -> Result<()> {
    let size = [rows, cols, 0, 0];
    // SAFETY: the kernel reads a winsize, four shorts.
    unsafe {
        call(
            nr::IOCTL,
            [
                arg(terminal),
                TIOCSWINSZ,
                size.as_ptr().expose_provenance(),
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}
