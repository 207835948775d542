//! Starts init: a vfork-style clone3 on a stack of its own, whose child executes init's program at once.
//!
//! # Safety
//! Runs in the host program, on any thread, beside any others. The child shares our memory but not the frames of our stack, and this
//! thread sleeps (CLONE_VFORK) until the child has executed init or ended, so that what we lend it outlives its use. All
//! signals are blocked meanwhile: no handler of the host ever runs in the child (clone(2), CLONE_VM without CLONE_SIGHAND).
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::raw::clone_and_call;
use super::spawn_child::{ChildArgs, STEP_CAPABILITIES, STEP_DESCRIPTORS, child_main};
use super::wait;

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const NEW_USER: u64 = libc::CLONE_NEWUSER as u64;
const SHARED: u64 = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64;
const DESCRIPTORS: u64 = libc::CLONE_FILES as u64;

/// What is started, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spawn<'a> {
    /// Init's program: close-on-exec and above descriptor 3.
    pub(crate) program: BorrowedFd<'a>,
    /// Becomes descriptor 3 of init, its only one.
    pub(crate) socket: BorrowedFd<'a>,
    /// `CLONE_NEW*` bits, without the cgroup and time namespaces: those are entered later, by init.
    pub(crate) namespaces: u64,
    /// Share the host's table of descriptors until the child has copied what it needs of it.
    pub(crate) share_descriptors: bool,
    /// Directory of a cgroup v2 to start in. Never one that may be frozen: the calling thread would sleep until it thaws.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
}

impl Spawn<'_> {
    fn shared(&self) -> u64 {
        match self.share_descriptors {
            true => SHARED | DESCRIPTORS,
            false => SHARED,
        }
    }
}

/// A started init; it is a child of this process and must be reaped.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// Process id as we see it.
    pub(crate) pid: i32,
    /// The process.
    pub(crate) pidfd: OwnedFd,
    /// Whether it started in the cgroup that was asked for; false when the kernel has no clone3.
    pub(crate) in_cgroup: bool,
}

/// Why init did not start; nothing is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// The clone itself.
    #[error("cannot clone the first process")]
    Clone(#[source] Errno),
    /// The child could not carry its capabilities over the exec.
    #[error("cannot keep the capabilities of the new user namespace")]
    Capabilities(#[source] Errno),
    /// The child could not arrange its descriptors.
    #[error("cannot arrange the descriptors of the first process")]
    Descriptors(#[source] Errno),
    /// The exec of init's program.
    #[error("cannot execute the init program")]
    Exec(#[source] Errno),
}

impl SpawnError {
    /// What the kernel said.
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Self::Clone(errno)
            | Self::Capabilities(errno)
            | Self::Descriptors(errno)
            | Self::Exec(errno) => *errno,
        }
    }
}

/// Starts init. When it returns, init's program has been executed; three system calls.
pub(crate) fn spawn(spawn: &Spawn) -> Result<Spawned, SpawnError> {
    let stack = Stack::new();
    let args = ChildArgs {
        socket: spawn.socket.as_raw_fd(),
        program: spawn.program.as_raw_fd(),
        shares_descriptors: spawn.share_descriptors,
        keep_capabilities: spawn.namespaces & NEW_USER != 0,
        step: AtomicU32::new(0),
        errno: AtomicI32::new(0),
    };
    let signals = SignalsBlocked::block().map_err(SpawnError::Clone)?;
    let cloned = clone(spawn, &stack, &args);
    drop(signals);
    let spawned = cloned.map_err(SpawnError::Clone)?;
    let errno = args.errno.load(Ordering::Relaxed);
    if errno == 0 {
        return Ok(spawned);
    }
    // It ended itself, so this does not block; who else may have reaped it is of no interest here.
    let _ = wait::reap(&spawned.pidfd);
    let errno = Errno::from_raw(errno);
    Err(match args.step.load(Ordering::Relaxed) {
        STEP_CAPABILITIES => SpawnError::Capabilities(errno),
        STEP_DESCRIPTORS => SpawnError::Descriptors(errno),
        _ => SpawnError::Exec(errno),
    })
}

/// clone3, or clone where a kernel or a filter does not know clone3: container engines answer ENOSYS, older ones EPERM.
fn clone(spawn: &Spawn, stack: &Stack, args: &ChildArgs) -> Result<Spawned, Errno> {
    match clone3(spawn, stack, args) {
        Err(Errno::ENOSYS) => clone_legacy(spawn, stack, args),
        Err(Errno::EPERM) => clone_legacy(spawn, stack, args).map_err(|_| Errno::EPERM),
        other => other,
    }
}

fn clone3(spawn: &Spawn, stack: &Stack, child: &ChildArgs) -> Result<Spawned, Errno> {
    let mut pidfd: RawFd = -1;
    let into_cgroup = if spawn.cgroup.is_some() {
        CLONE_INTO_CGROUP
    } else {
        0
    };
    let args = libc::clone_args {
        flags: spawn.shared() | CLONE_CLEAR_SIGHAND | into_cgroup | spawn.namespaces,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: stack.bottom() as u64,
        stack_size: Stack::SIZE as u64,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: spawn
            .cgroup
            .map_or(0, |cgroup| u64::from(cgroup.as_raw_fd().cast_unsigned())),
    };
    let numbers = [(&raw const args) as usize, size_of_val(&args), 0, 0, 0];
    let child = ptr::from_ref(child).cast::<c_void>();
    // SAFETY: `args` names a stack that nobody else uses; CLONE_VFORK makes us sleep until the child needs neither it nor `child`.
    let pid = unsafe { clone_and_call(libc::SYS_clone3, numbers, child_main, child) }?;
    Ok(Spawned {
        pid: pid_number(pid),
        pidfd: adopt(pidfd),
        in_cgroup: spawn.cgroup.is_some(),
    })
}

fn clone_legacy(spawn: &Spawn, stack: &Stack, child: &ChildArgs) -> Result<Spawned, Errno> {
    let mut pidfd: RawFd = -1;
    let flags = spawn.shared() | spawn.namespaces | u64::from(libc::SIGCHLD.cast_unsigned());
    // The pidfd is stored where the parent's thread id would be; x86_64 and aarch64 differ only in arguments that are 0 here.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "both architectures have 64 bits"
    )]
    let numbers = [
        flags as usize,
        stack.bottom() + Stack::SIZE,
        (&raw mut pidfd) as usize,
        0,
        0,
    ];
    let child = ptr::from_ref(child).cast::<c_void>();
    // SAFETY: the second number is the top of a stack that nobody else uses; CLONE_VFORK as above.
    let pid = unsafe { clone_and_call(libc::SYS_clone, numbers, child_main, child) }?;
    Ok(Spawned {
        pid: pid_number(pid),
        pidfd: adopt(pidfd),
        in_cgroup: false,
    })
}

fn adopt(pidfd: RawFd) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor for us (CLONE_PIDFD); nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(pidfd) }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a pid is at most 2^22"
)]
fn pid_number(raw: usize) -> i32 {
    raw as i32
}

/// The child's stack: a part of this thread's, which sleeps until the child needs it no more.
///
/// A mapping of its own would take the lock on the host's memory map for writing three times a start, in a queue with
/// every thread of the host that allocates.
#[repr(C, align(16))]
struct Stack(UnsafeCell<MaybeUninit<[u8; Stack::SIZE]>>);

impl Stack {
    /// The child's few frames take two KiB at most, in an unoptimised build. All of it is touched
    /// (stack probes), and what is touched is the calling thread's until it ends.
    const SIZE: usize = 4 << 10;

    fn new() -> Self {
        Stack(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// The lowest usable address.
    fn bottom(&self) -> usize {
        self.0.get() as usize
    }
}

/// Every signal blocked in this thread, also the two that libc keeps for itself and its own mask functions leave out.
struct SignalsBlocked {
    before: u64,
    /// The mask is the thread's.
    _not_send: core::marker::PhantomData<*const ()>,
}

impl SignalsBlocked {
    fn block() -> Result<Self, Errno> {
        Ok(SignalsBlocked {
            before: set_signal_mask(u64::MAX)?,
            _not_send: core::marker::PhantomData,
        })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // It can only fail for bad arguments, and it took these before.
        let _ = set_signal_mask(self.before);
    }
}

/// Sets the mask and returns the one before.
fn set_signal_mask(mask: u64) -> Result<u64, Errno> {
    let mut before = 0u64;
    let size = size_of::<u64>();
    // SAFETY: the kernel's signal set has 8 bytes on both architectures; it reads the first and writes the second.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut before,
            size,
        )
    };
    Errno::result(result)?;
    Ok(before)
}
