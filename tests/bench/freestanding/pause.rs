//! A process that does nothing until a signal ends it: what the benchmark's crowd is made of.
//!
//! # Safety
//! The kernel jumps to `_start`; every system call has constant arguments, and nothing is read.
#![no_std]
#![no_main]

#[allow(dead_code, reason = "each program makes its own calls")]
mod call;

use call::{PPOLL, call};
use core::arch::global_asm;
use core::panic::PanicInfo;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {main}", "ud2", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x30, #0", "bl {main}", "brk #1", main = sym main);

extern "C" fn main() -> ! {
    loop {
        call(PPOLL, [0; 6]);
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// The precompiled `core` names it in its unwind tables; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
