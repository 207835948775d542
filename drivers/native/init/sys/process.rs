//! Processes: namespaces, limits, signals, clone, wait, execute.
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call. `fork` shares nothing: the copy
//! has its own memory and the one thread there is.

use core::ffi::CStr;
use core::ffi::c_char;

use super::abi::{CLONE_PIDFD, CloneArgs, SIGNALS};
use super::{Errno, Fd, Result, arg, call, nr, numbers};
use crate::wire::FILTER_NEW_LISTENER;

/// How a child ended, as `waitid(2)` tells it.
pub(crate) struct Ended {
    pub(crate) pid: i32,
    /// In the form of `wait(2)`: the exit code times 256, or the signal with 128 for a core dump.
    pub(crate) status: i32,
}

/// `clone3(2)`, or the older `clone(2)`, without a shared resource. In the child the result is 0 and no descriptor.
pub(crate) fn fork(flags: u64, exit_signal: i32) -> Result<(i32, Option<Fd>)> {
    let mut pidfd = -1i32;
    let mut args = CloneArgs {
        flags,
        exit_signal: exit_signal as u64,
        ..CloneArgs::default()
    };
    if flags & CLONE_PIDFD != 0 {
        args.pidfd = (&raw mut pidfd).expose_provenance() as u64;
    }
    let size = size_of::<CloneArgs>();
    let new = [(&raw const args).expose_provenance(), size, 0, 0, 0, 0];
    // SAFETY: no memory is shared and no new stack is given, so the child goes on here with a copy of everything.
    let pid = match unsafe { call(nr::CLONE3, new) } {
        // A sandbox around us that cannot look into its arguments. In clone(2) the exit signal is the lowest byte, and
        // the pidfd goes where the parent's copy of the pid would; no flag of ours has another argument.
        Err(Errno::ENOSYS) => {
            let flags = flags as usize | exit_signal as usize;
            let old = [flags, 0, (&raw mut pidfd).expose_provenance(), 0, 0, 0];
            // SAFETY: as above; the kernel writes the pidfd, an int, before it returns.
            unsafe { call(nr::CLONE, old) }
        }
        other => other,
    }?;
    let pidfd = (pid != 0 && pidfd >= 0).then(|| Fd::own(pidfd));
    Ok((pid as i32, pidfd))
}

/// `setns(2)`.
pub(crate) fn setns(fd: i32, flags: u32) -> Result<()> {
    numbers(nr::SETNS, [arg(fd), flags as usize, 0, 0, 0, 0]).map(drop)
}

/// `unshare(2)`.
pub(crate) fn unshare(flags: u32) -> Result<()> {
    numbers(nr::UNSHARE, [flags as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// `prctl(2)` with numbers.
pub(crate) fn prctl(option: usize, second: usize, third: usize) -> Result<usize> {
    numbers(nr::PRCTL, [option, second, third, 0, 0, 0])
}

/// `prlimit(2)` of ourselves: sets a limit when given, returns the one before, soft then hard.
pub(crate) fn limit(resource: u32, new: Option<[u64; 2]>) -> Result<[u64; 2]> {
    let mut old = [0u64; 2];
    let new = new
        .as_ref()
        .map_or(0, |new| new.as_ptr().expose_provenance());
    // SAFETY: `new` is none or points to an rlimit64 that outlives the call; `old` is one.
    unsafe {
        call(
            nr::PRLIMIT64,
            [
                0,
                resource as usize,
                new,
                old.as_mut_ptr().expose_provenance(),
                0,
                0,
            ],
        )
    }?;
    Ok(old)
}

/// `seccomp(2)` with a filter; its listener if the flags ask for one, close-on-exec.
pub(crate) fn seccomp(flags: u32, program: &[u8]) -> Result<Option<Fd>> {
    const SECCOMP_SET_MODE_FILTER: usize = 1;
    #[repr(C)]
    struct SockFprog {
        len: u16,
        filter: usize,
    }
    if !program.len().is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let len = u16::try_from(program.len() / 8).map_err(|_| Errno::EINVAL)?;
    let prog = SockFprog {
        len,
        filter: program.as_ptr().expose_provenance(),
    };
    // SAFETY: `filter` points to `len` instructions of 8 bytes; the kernel copies them bytewise.
    let fd = unsafe {
        call(
            nr::SECCOMP,
            [
                SECCOMP_SET_MODE_FILTER,
                flags as usize,
                (&raw const prog).expose_provenance(),
                0,
                0,
                0,
            ],
        )
    }?;
    Ok((flags & FILTER_NEW_LISTENER != 0).then(|| Fd::own(fd as i32)))
}

/// `sethostname(2)`.
pub(crate) fn set_hostname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `len` bytes.
    unsafe {
        call(
            nr::SETHOSTNAME,
            [name.as_ptr().expose_provenance(), name.len(), 0, 0, 0, 0],
        )
    }
    .map(drop)
}

/// `setdomainname(2)`.
pub(crate) fn set_domainname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `len` bytes.
    unsafe {
        call(
            nr::SETDOMAINNAME,
            [name.as_ptr().expose_provenance(), name.len(), 0, 0, 0, 0],
        )
    }
    .map(drop)
}

/// `setpgid(2)`: leads a process group of its own.
pub(crate) fn lead_group() -> Result<()> {
    numbers(nr::SETPGID, [0; 6]).map(drop)
}

/// `setsid(2)`.
pub(crate) fn setsid() -> Result<()> {
    numbers(nr::SETSID, [0; 6]).map(drop)
}

/// `setpriority(2)` of ourselves to 0.
pub(crate) fn reset_nice() -> Result<()> {
    numbers(nr::SETPRIORITY, [0; 6]).map(drop)
}

/// `sched_setaffinity(2)` to every processor.
pub(crate) fn reset_affinity() -> Result<()> {
    let all = [u64::MAX; 128];
    // SAFETY: the kernel reads at most `len` bytes.
    unsafe {
        call(
            nr::SCHED_SETAFFINITY,
            [
                0,
                size_of_val(&all),
                all.as_ptr().expose_provenance(),
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `keyctl(2)` with `KEYCTL_JOIN_SESSION_KEYRING` and no name.
pub(crate) fn new_session_keyring() -> Result<()> {
    numbers(nr::KEYCTL, [1, 0, 0, 0, 0, 0]).map(drop)
}

/// `rt_sigprocmask(2)`: sets the mask, bit n-1 for signal n.
pub(crate) fn set_signal_mask(mask: u64) -> Result<()> {
    const SIG_SETMASK: usize = 2;
    // SAFETY: the kernel reads 8 bytes.
    unsafe {
        call(
            nr::RT_SIGPROCMASK,
            [
                SIG_SETMASK,
                (&raw const mask).expose_provenance(),
                0,
                8,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `rt_sigaction(2)`: every signal to its default. Those that cannot be set are at it already.
pub(crate) fn reset_handlers() {
    let default = [0u64; 4];
    for signal in 1..=SIGNALS {
        // SAFETY: the kernel reads a sigaction of at most 32 bytes, all zero: SIG_DFL.
        let _ = unsafe {
            call(
                nr::RT_SIGACTION,
                [
                    arg(signal),
                    default.as_ptr().expose_provenance(),
                    0,
                    8,
                    0,
                    0,
                ],
            )
        };
    }
}

/// `rt_sigtimedwait(2)` without limit: the next of the blocked signals.
pub(crate) fn next_signal(mask: u64) -> Result<i32> {
    // SAFETY: the kernel reads 8 bytes; no information is asked for.
    unsafe {
        call(
            nr::RT_SIGTIMEDWAIT,
            [(&raw const mask).expose_provenance(), 0, 0, 8, 0, 0],
        )
    }
    .map(|signal| signal as i32)
}

/// Waits for a child of no exit signal: one that was cloned so and has executed nothing since, for `execve(2)` gives it
/// SIGCHLD (clone(2), `__WCLONE`). `None` when the child has executed something, whether it still runs or not.
pub(crate) fn wait_unless_executed(pid: i32) -> Result<Option<Ended>> {
    const P_PID: usize = 1;
    const WEXITED_WCLONE: usize = 4 | 0x8000_0000;
    loop {
        match wait(P_PID, pid, WEXITED_WCLONE) {
            Err(Errno::ECHILD) => return Ok(None),
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Waits for a child; its status.
pub(crate) fn wait_child(pid: i32) -> Result<i32> {
    const P_PID: usize = 1;
    const WEXITED: usize = 4;
    loop {
        match wait(P_PID, pid, WEXITED) {
            Err(Errno::EINTR) => {}
            // It was one that never executed anything, and was waited for as such.
            Err(Errno::ECHILD) => return Ok(0),
            other => return Ok(other?.map_or(0, |ended| ended.status)),
        }
    }
}

/// `waitid(2)` of any child without blocking; `None` when none has ended.
pub(crate) fn reap() -> Result<Option<Ended>> {
    const P_ALL: usize = 0;
    const WNOHANG_WEXITED: usize = 1 | 4;
    wait(P_ALL, 0, WNOHANG_WEXITED)
}

/// `waitid(2)`.
fn wait(of: usize, which: i32, options: usize) -> Result<Option<Ended>> {
    const CLD_EXITED: i32 = 1;
    const CLD_DUMPED: i32 = 3;
    // siginfo_t: signo, errno, code, padding, pid, uid, status.
    let mut info = [0i32; 32];
    // SAFETY: the kernel writes a siginfo of 128 bytes.
    unsafe {
        call(
            nr::WAITID,
            [
                of,
                arg(which),
                info.as_mut_ptr().expose_provenance(),
                options,
                0,
                0,
            ],
        )
    }?;
    let [_, _, code, _, pid, _, status, ..] = info;
    let status = match code {
        CLD_EXITED => (status & 0xff) << 8,
        CLD_DUMPED => status | 0x80,
        _ => status,
    };
    Ok((pid != 0).then_some(Ended { pid, status }))
}

/// `kill(2)`.
pub(crate) fn kill(pid: i32, signal: i32) -> Result<()> {
    numbers(nr::KILL, [arg(pid), arg(signal), 0, 0, 0, 0]).map(drop)
}

/// `getpid(2)`.
pub(crate) fn pid() -> i32 {
    numbers(nr::GETPID, [0; 6]).map_or(0, |pid| pid as i32)
}

/// `ppoll(2)` of one descriptor without waiting: whether it is readable or hung up. A pidfd is once its process is dead.
pub(crate) fn is_ready(fd: i32) -> Result<bool> {
    poll(fd, Some(&mut [0, 0]))
}

/// The same, waiting for as many milliseconds, or for ever with 0.
pub(crate) fn wait_ready(fd: i32, milliseconds: u64) -> Result<bool> {
    let mut left = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    loop {
        // The kernel writes back what is left.
        match poll(fd, (milliseconds != 0).then_some(&mut left)) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

fn poll(fd: i32, time: Option<&mut [u64; 2]>) -> Result<bool> {
    const POLLIN: u64 = 1;
    // struct pollfd: fd, events, revents.
    let mut poll = u64::from(fd as u32) | POLLIN << 32;
    let time = time.map_or(0, |time| time.as_mut_ptr().expose_provenance());
    // SAFETY: one pollfd, and a timespec or none.
    unsafe {
        call(
            nr::PPOLL,
            [(&raw mut poll).expose_provenance(), 1, time, 0, 0, 0],
        )
    }
    .map(|ready| ready != 0)
}

/// `ppoll(2)` of nothing: sleeps, less than a second.
pub(crate) fn pause(milliseconds: u64) {
    let time = [0, milliseconds * 1_000_000];
    // SAFETY: no descriptors and a timespec.
    let _ = unsafe {
        call(
            nr::PPOLL,
            [0, 0, time.as_ptr().expose_provenance(), 0, 0, 0],
        )
    };
}

/// `mmap(2)`: fresh zeroed memory that is never unmapped.
pub(crate) fn map(len: usize) -> Result<&'static mut [u8]> {
    const READ_WRITE: usize = 1 | 2;
    const PRIVATE_ANONYMOUS_NORESERVE: usize = 0x02 | 0x20 | 0x4000;
    // SAFETY: a new mapping touches no existing one.
    let start = unsafe {
        call(
            nr::MMAP,
            [0, len, READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE, arg(-1), 0],
        )
    }?;
    // SAFETY: the kernel gave `len` bytes, readable and writable, zeroed, known to nobody else.
    Ok(unsafe {
        core::slice::from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(start), len)
    })
}

/// `execve(2)`; returns only when it failed.
///
/// `argv` and `envp` must end with a null pointer, else nothing is executed.
pub(crate) fn execute(path: &CStr, argv: &[*const c_char], envp: &[*const c_char]) -> Errno {
    if argv.last().is_none_or(|last| !last.is_null())
        || envp.last().is_none_or(|last| !last.is_null())
    {
        return Errno::EINVAL;
    }
    let args = [
        path.as_ptr().expose_provenance(),
        argv.as_ptr().expose_provenance(),
        envp.as_ptr().expose_provenance(),
        0,
        0,
        0,
    ];
    // SAFETY: the arrays end with null, and a null inside only ends them earlier; their pointers come from `CStr`s of
    // the message, which is never unmapped.
    unsafe { call(nr::EXECVE, args) }
        .err()
        .unwrap_or(Errno::EINVAL)
}
