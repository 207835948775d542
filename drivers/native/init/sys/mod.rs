//! System calls: the raw gate, error numbers, descriptors. Everything above it is safe code.
//!
//! # Safety
//! init is single-threaded and has no signal handlers, so a buffer that is lent to the kernel for one call is touched by
//! nobody else. Every wrapper passes pointers that come from references which live across the call.

pub(crate) mod abi;
pub(crate) mod arena;
pub(crate) mod credentials;
pub(crate) mod fs;
pub(crate) mod landlock;
pub(crate) mod mount;
pub(crate) mod nr;
pub(crate) mod process;
pub(crate) mod schedule;
pub(crate) mod socket;

use core::arch::asm;

pub(crate) use abi::Errno;

/// A result of the kernel.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// Below the lowest limit of open files that hosts set in earnest.
const KEPT_OPEN: i32 = 64;

/// An open descriptor. Every one is close-on-exec, so the first few dozen that are no longer needed are left to the
/// `execve` that comes anyway; above [`KEPT_OPEN`] they are closed when dropped.
#[derive(Debug)]
pub(crate) struct Fd(i32);

impl Fd {
    /// Takes over a descriptor that nobody else closes.
    pub(crate) const fn own(raw: i32) -> Fd {
        Fd(raw)
    }

    /// The number, for a call.
    pub(crate) const fn raw(&self) -> i32 {
        self.0
    }

    /// Closes it now, for its other end waits for that.
    pub(crate) fn close(self) {
        close(self.leak());
    }

    /// Leaves it open for good.
    pub(crate) fn leak(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        if self.0 >= KEPT_OPEN {
            close(self.0);
        }
    }
}

#[cold]
#[inline(never)]
fn close(fd: i32) {
    // Its error says nothing that we could act on.
    let _ = numbers(nr::CLOSE, [arg(fd), 0, 0, 0, 0, 0]);
}

/// Ends the process.
pub(crate) fn exit(status: i32) -> ! {
    loop {
        let _ = numbers(nr::EXIT_GROUP, [arg(status), 0, 0, 0, 0, 0]);
    }
}

/// A descriptor or another signed number as the kernel wants it.
#[inline(always)]
fn arg(number: i32) -> usize {
    number as isize as usize
}

/// A system call with up to six arguments.
///
/// # Safety
/// Pointers among the arguments must be valid for what the call does with them.
#[inline(always)]
unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize> {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's contract; the kernel clobbers rcx and r11 only.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") args[0], in("rsi") args[1],
            in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller's contract; the kernel preserves all other registers.
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") args[0] as isize => result, in("x1") args[1],
            in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5], options(nostack));
    }
    if (-4095..0).contains(&result) {
        Err(Errno(-(result as i32)))
    } else {
        Ok(result as usize)
    }
}

/// Calls that take only numbers.
fn numbers(number: usize, args: [usize; 6]) -> Result<usize> {
    // SAFETY: only used with calls that take no pointer, or where zero stands for none.
    unsafe { call(number, args) }
}
