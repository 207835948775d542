//! The system calls of the floor's parent.
//!
//! # Safety
//! Descriptors are owned or borrowed, paths are NUL-terminated, buffers outlive their call. [`vfork_into`] is the one
//! that is more than a call: its child shares our memory and stack until it has executed the program, so between the
//! two system calls it does nothing but move registers, and our thread sleeps meanwhile.

use std::arch::asm;
use std::ffi::{CStr, CString, c_int};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::time::{Duration, Instant};

use crate::adopt;

const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Starts the program of `memfd` in new namespaces, vfork-style; gives its pidfd.
pub(crate) fn vfork_into(
    memfd: &OwnedFd,
    args: &[CString],
    cgroup: Option<&OwnedFd>,
) -> io::Result<OwnedFd> {
    let mut argv: Vec<*const libc::c_char> = args.iter().map(|arg| arg.as_ptr()).collect();
    argv.push(ptr::null());
    let mut pidfd: c_int = -1;
    let shared = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | NAMESPACES;
    let mut flags = u64::from(shared.cast_unsigned()) | CLONE_CLEAR_SIGHAND;
    if cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    // No stack: as with vfork(2) the child has ours, and uses none of it.
    let clone = libc::clone_args {
        flags,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: cgroup.map_or(0, |dir| u64::from(dir.as_raw_fd().cast_unsigned())),
        child_tid: 0,
        parent_tid: 0,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
    };
    let envp = (&raw const argv[args.len()]).cast_mut();
    let empty = c"".as_ptr();
    let ret: i64;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the child only moves registers between its two calls; what they point to lives until it has executed.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov edi, r8d",
            "mov rsi, r9",
            "mov rdx, r12",
            "mov r10, r13",
            "mov r8d, {empty_path}",
            "mov eax, {execveat}",
            "syscall",
            "mov edi, 127",
            "mov eax, {exit}",
            "syscall",
            "2:",
            execveat = const libc::SYS_execveat,
            exit = const libc::SYS_exit_group,
            empty_path = const libc::AT_EMPTY_PATH,
            inlateout("rax") libc::SYS_clone3 => ret,
            in("rdi") &raw const clone,
            in("rsi") size_of_val(&clone),
            in("r8") memfd.as_raw_fd() as isize,
            in("r9") empty,
            in("r12") argv.as_ptr(),
            in("r13") envp,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the child only moves registers between its two calls; what they point to lives until it has executed.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x0, x9",
            "mov x1, x10",
            "mov x2, x11",
            "mov x3, x12",
            "mov x4, {empty_path}",
            "mov x8, {execveat}",
            "svc 0",
            "mov x0, 127",
            "mov x8, {exit}",
            "svc 0",
            "2:",
            execveat = const libc::SYS_execveat,
            exit = const libc::SYS_exit_group,
            empty_path = const libc::AT_EMPTY_PATH,
            in("x8") libc::SYS_clone3,
            inlateout("x0") (&raw const clone) as i64 => ret,
            in("x1") size_of_val(&clone),
            in("x9") memfd.as_raw_fd() as isize,
            in("x10") empty,
            in("x11") argv.as_ptr(),
            in("x12") envp,
        );
    }
    if ret < 0 {
        return Err(io::Error::from_raw_os_error(
            i32::try_from(-ret).unwrap_or(libc::EINVAL),
        ));
    }
    Ok(adopt(pidfd))
}

/// A sealed memfd with a program in it.
pub(crate) fn sealed_memfd(program: &[u8]) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a constant.
    let fd = adopt(check(unsafe {
        libc::memfd_create(c"floor".as_ptr(), flags)
    })?);
    write(&fd, program)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: takes numbers only.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(fd)
}

/// A pipe whose second end a child of [`vfork_into`] inherits until it executes its payload: it cannot mark it itself
/// before the first exec, so the child closes it by the flag that `F_SETFD` gives it there.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let ends = ends.map(adopt);
    // SAFETY: takes numbers only.
    check(unsafe { libc::fcntl(ends[1].as_raw_fd(), libc::F_SETFD, 0) })?;
    let [ours, theirs] = ends;
    Ok((ours, theirs))
}

/// Blocks until the payload runs (`None`) or the child reports the line and the errno of what failed.
pub(crate) fn read_report(pipe: &OwnedFd) -> io::Result<Option<(u32, i32)>> {
    let mut report = [0u8; 8];
    // SAFETY: the kernel writes at most eight bytes.
    let got = check_size(unsafe {
        libc::read(pipe.as_raw_fd(), report.as_mut_ptr().cast(), report.len())
    })?;
    let [a, b, c, d, e, f, g, h] = report;
    Ok((got == report.len()).then(|| {
        (
            u32::from_ne_bytes([a, b, c, d]),
            i32::from_ne_bytes([e, f, g, h]),
        )
    }))
}

/// Reads a pipe until all its writers are gone.
pub(crate) fn read_to_end(pipe: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0u8; 4096];
    // SAFETY: the kernel writes at most as many bytes as there is room for.
    while check_size(unsafe {
        libc::read(pipe.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len())
    })? > 0
    {}
    Ok(())
}

/// Puts a filter on this thread, and says how long the call took.
pub(crate) fn load_filter(program: &[u8]) -> io::Result<Duration> {
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let header = libc::sock_fprog {
        len: u16::try_from(program.len() / 8).map_err(too_long)?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    let start = Instant::now();
    // SAFETY: the header names as many instructions as there are, which the kernel copies bytewise and only reads.
    let loaded = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const header,
        )
    };
    let time = start.elapsed();
    match loaded {
        0 => Ok(time),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reaps the process; 0 means that it ended by itself with code 0.
pub(crate) fn wait(pidfd: &OwnedFd) -> io::Result<i32> {
    // SAFETY: all zero is a siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let fd = pidfd.as_raw_fd().cast_unsigned();
    // SAFETY: the kernel writes one siginfo_t.
    check(unsafe { libc::waitid(libc::P_PIDFD, fd, &raw mut info, libc::WEXITED) })?;
    // SAFETY: waitid filled it in for a child.
    Ok(unsafe { info.si_status() })
}

pub(crate) fn open(path: &CStr, flags: c_int) -> io::Result<OwnedFd> {
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::open(path.as_ptr(), flags) }).map(adopt)
}

pub(crate) fn write(fd: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads `len` bytes.
    let written =
        check_size(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })?;
    if written == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

pub(crate) fn mkdir(path: &CStr) -> io::Result<()> {
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::mkdir(path.as_ptr(), 0o755) }).map(drop)
}

pub(crate) fn rmdir(path: &CStr) -> io::Result<()> {
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::rmdir(path.as_ptr()) }).map(drop)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
