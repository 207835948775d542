//! The bare system call instruction, for code that may not touch libc's state.
//!
//! # Safety
//! `syscall` is used by the child of [`super::spawn`], which shares the memory of the calling thread (its TLS and with it
//! `errno`), and by the parent around that clone. `clone_and_call` starts that child. Nothing here allocates or unwinds.
#![allow(unsafe_code)]

use core::arch::asm;
use core::ffi::{c_long, c_void};

use nix::errno::Errno;

/// Makes a system call; unused arguments are 0.
///
/// # Safety
/// The arguments must be what the call numbered `nr` asks for, with pointers that stay good while it runs.
#[inline(always)]
pub(super) unsafe fn syscall(nr: c_long, args: [usize; 5]) -> Result<usize, Errno> {
    let ret: c_long;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the x86_64 Linux convention; the kernel changes rax, rcx and r11 only, and memory as the caller vouches for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") 0usize,
            out("rcx") _, out("r11") _,
            options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the aarch64 Linux convention; the kernel changes x0 only, and memory as the caller vouches for.
    unsafe {
        asm!(
            "svc 0",
            in("x8") nr,
            inlateout("x0") args[0] as c_long => ret,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") 0usize,
            options(nostack),
        );
    }
    result(ret)
}

/// Makes a clone call whose child, on the new stack named by `args`, runs `entry(arg)`; only the parent returns.
///
/// # Safety
/// As for [`syscall`], and: `args` give the child a 16-byte aligned stack of its own, and `arg` is what `entry` asks for
/// and lives until the child has ended or executed a program.
pub(super) unsafe fn clone_and_call(
    nr: c_long,
    args: [usize; 5],
    entry: extern "C" fn(*const c_void) -> !,
    arg: *const c_void,
) -> Result<usize, Errno> {
    let ret: c_long;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as in `syscall`; the child (rax 0) never leaves `entry`, so it never runs code that relies on the old stack.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") nr => ret,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4],
            in("r12") arg, in("r13") entry,
            out("rcx") _, out("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `syscall`; the child (x0 0) never leaves `entry`, so it never runs code that relies on the old stack.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            in("x8") nr,
            inlateout("x0") args[0] as c_long => ret,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4],
            in("x20") arg, in("x21") entry,
        );
    }
    result(ret)
}

/// The kernel answers an error as its negated number, from -4095 to -1.
#[inline(always)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an error is at most 4095, a long is a word"
)]
fn result(ret: c_long) -> Result<usize, Errno> {
    if (-4095..0).contains(&ret) {
        return Err(Errno::from_raw(-ret as i32));
    }
    Ok(ret as usize)
}
