//! What the child of the vfork-style clone does before it becomes init: five system calls at most, more in a new user namespace.
//!
//! # Safety
//! Runs in a process of its own that borrows the memory of the host program while the thread that made it sleeps; other
//! threads of the host go on beside it. Its table of descriptors is the host's, too, until it has made a copy. So: bare system calls only, no allocation, no lock, no libc, no panic, no write
//! to anything but its own stack and the two atomics of [`ChildArgs`]. All signals are blocked throughout; init empties the mask.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_int, c_uint, c_void};
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::os::fd::RawFd;

use nix::errno::Errno;

use super::raw::syscall;

/// The descriptor under which init finds the socket.
pub(super) const SOCKET_FD: RawFd = 3;

/// Values of [`ChildArgs::step`].
pub(super) const STEP_CAPABILITIES: u32 = 1;
pub(super) const STEP_DESCRIPTORS: u32 = 2;
pub(super) const STEP_EXEC: u32 = 3;
const FIRST_FREE: c_uint = 4;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// What the child is told, and where it leaves its error.
pub(super) struct ChildArgs {
    pub(super) socket: RawFd,
    /// Init's program: close-on-exec, above [`SOCKET_FD`].
    pub(super) program: RawFd,
    /// The table of descriptors is the host's.
    pub(super) shares_descriptors: bool,
    /// Carry all capabilities over the exec in the ambient set.
    pub(super) keep_capabilities: bool,
    /// A `STEP_*`.
    pub(super) step: AtomicU32,
    /// 0 while nothing failed.
    pub(super) errno: AtomicI32,
}

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The child's whole life.
pub(super) extern "C" fn child_main(arg: *const c_void) -> ! {
    // SAFETY: `spawn` passes its `ChildArgs`, which outlives us: its thread sleeps until we are gone.
    let args = unsafe { &*arg.cast::<ChildArgs>() };
    let errno = become_init(args);
    args.errno.store(errno as i32, Ordering::Relaxed);
    loop {
        // SAFETY: ends this process only: the clone had no CLONE_THREAD.
        let _ = unsafe { syscall(libc::SYS_exit_group, [127, 0, 0, 0, 0]) };
    }
}

/// Returns only on failure.
fn become_init(args: &ChildArgs) -> Errno {
    args.step.store(STEP_CAPABILITIES, Ordering::Relaxed);
    if args.keep_capabilities
        && let Err(errno) = raise_ambient()
    {
        return errno;
    }
    args.step.store(STEP_DESCRIPTORS, Ordering::Relaxed);
    if args.shares_descriptors
        && let Err(errno) = copy_descriptors(args.socket.max(args.program))
    {
        return errno;
    }
    if let Err(errno) = arrange_descriptors(args.socket, args.program) {
        return errno;
    }
    args.step.store(STEP_EXEC, Ordering::Relaxed);
    const NAME: &CStr = c"init";
    let argv = [NAME.as_ptr(), ptr::null()];
    let path = c"".as_ptr() as usize;
    let flags = libc::AT_EMPTY_PATH.cast_unsigned() as usize;
    let envp = (&raw const argv[1]) as usize;
    // SAFETY: NUL-terminated constants and null-terminated arrays on our stack; the empty environment is argv's null.
    let result = unsafe {
        syscall(
            libc::SYS_execveat,
            [fd(args.program), path, argv.as_ptr() as usize, envp, flags],
        )
    };
    result.err().unwrap_or(Errno::ENOEXEC)
}

/// Inheritable = permitted, and everything ambient: until the id maps are written our uid is unmapped, and the exec would
/// drop every capability. Permitted stays as it is: a change would make the *host's* memory non-dumpable (prctl(2),
/// PR_SET_DUMPABLE), since it is shared.
fn raise_ambient() -> Result<(), Errno> {
    let header = CapHeader {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    let mut data = [CapData {
        effective: 0,
        permitted: 0,
        inheritable: 0,
    }; 2];
    let header_ptr = (&raw const header) as usize;
    // SAFETY: version 3 of the interface reads one header and writes two data elements.
    unsafe {
        syscall(
            libc::SYS_capget,
            [header_ptr, data.as_mut_ptr() as usize, 0, 0, 0],
        )
    }?;
    let [low, high] = &mut data;
    low.inheritable = low.permitted;
    high.inheritable = high.permitted;
    let permitted = u64::from(high.permitted) << 32 | u64::from(low.permitted);
    // SAFETY: version 3 of the interface reads one header and two data elements.
    unsafe {
        syscall(
            libc::SYS_capset,
            [header_ptr, data.as_ptr() as usize, 0, 0, 0],
        )
    }?;
    let mut cap = 0;
    while cap < 64 {
        if permitted >> cap & 1 == 1 {
            let raise = [
                libc::PR_CAP_AMBIENT as usize,
                libc::PR_CAP_AMBIENT_RAISE as usize,
                cap,
                0,
                0,
            ];
            // SAFETY: takes numbers only.
            unsafe { syscall(libc::SYS_prctl, raise) }?;
        }
        cap += 1;
    }
    Ok(())
}

/// Gives up the host's table for a copy of its beginning: in a host with thousands of descriptors a whole copy and its end would
/// take longer than the rest of the exec.
///
/// The kernel copies 64 at a time and would close what of these is not wanted, here, while the parent waits and a file system
/// may flush: so all 64 are.
fn copy_descriptors(needed: RawFd) -> Result<(), Errno> {
    let last = needed.max(SOCKET_FD).cast_unsigned() | 63;
    close_range(last + 1, c_uint::MAX, libc::CLOSE_RANGE_UNSHARE)
}

/// The socket becomes descriptor 3; the exec closes everything else, the program included.
///
/// Close-on-exec, not closed here: the exec lets the parent go on before it closes them, so that a slow close (a network
/// file system flushes) does not hold the parent up.
fn arrange_descriptors(socket: RawFd, program: RawFd) -> Result<(), Errno> {
    if socket == SOCKET_FD {
        // SAFETY: takes numbers only.
        unsafe {
            syscall(
                libc::SYS_fcntl,
                [fd(socket), libc::F_SETFD as usize, 0, 0, 0],
            )
        }?;
    } else {
        // SAFETY: takes numbers only; the descriptor table is our own copy.
        unsafe { syscall(libc::SYS_dup3, [fd(socket), fd(SOCKET_FD), 0, 0, 0]) }?;
    }
    close_range(0, 2, libc::CLOSE_RANGE_CLOEXEC).or_else(|errno| match errno {
        Errno::EINVAL => close_range(0, 2, 0),
        errno => Err(errno),
    })?;
    close_range(FIRST_FREE, c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC).or_else(|errno| match errno {
        Errno::EINVAL => close_all_but(program.cast_unsigned()),
        errno => Err(errno),
    })
}

/// For Linux 5.10, whose close_range(2) cannot mark yet; the program is close-on-exec since it was made.
fn close_all_but(program: c_uint) -> Result<(), Errno> {
    if program > FIRST_FREE {
        close_range(FIRST_FREE, program - 1, 0)?;
    }
    close_range(program + 1, c_uint::MAX, 0)
}

fn close_range(first: c_uint, last: c_uint, flags: c_uint) -> Result<(), Errno> {
    // SAFETY: takes numbers only; the descriptor table is our own copy, or becomes it by this call.
    unsafe {
        syscall(
            libc::SYS_close_range,
            [first as usize, last as usize, flags as usize, 0, 0],
        )
    }
    .map(drop)
}

fn fd(fd: RawFd) -> usize {
    fd.cast_unsigned() as usize
}
