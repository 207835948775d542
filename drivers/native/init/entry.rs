//! Where the kernel starts us, and what happens when init itself is wrong.
//!
//! # Safety
//! One thread, no libc: the kernel jumps to `_start` with a valid stack, which is aligned before Rust code runs.

use core::arch::global_asm;
use core::panic::PanicInfo;

use crate::{run, sys};

// Arguments and environment are not used: everything comes in the message.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {main}", "ud2", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "bl {main}", "brk #1", main = sym main);

extern "C" fn main() -> ! {
    run::run()
}

/// Ends without EXECUTING or FAILED, which the parent takes for a failed start.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    sys::exit(run::EXIT_FAILED)
}

/// The precompiled `core` names it in its unwind tables; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
