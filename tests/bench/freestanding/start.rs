//! How a program without a libc begins, and what the compiler wants of it.
//!
//! # Safety
//! The kernel jumps to `_start` with a valid stack: the count of the arguments, the arguments, the environment, a null pointer
//! behind the last of each. `main` of the program gets its address, on an aligned stack.

use crate::call::{EXIT_GROUP, call};
use core::arch::global_asm;
use core::panic::PanicInfo;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym crate::main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "mov x0, sp", "bl {main}", "brk #1", main = sym crate::main);

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        call(EXIT_GROUP, [126, 0, 0, 0, 0, 0]);
    }
}

/// The precompiled `core` names it in its unwind tables; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
