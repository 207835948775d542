//! A static `true` without a libc: what every side of the benchmark runs.
//!
//! # Safety
//! The kernel jumps to `_start`; it asks for nothing but its end.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::panic::PanicInfo;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor edi, edi", "mov eax, 231", "syscall", "ud2");
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, #0", "mov x8, #94", "svc 0", "brk #1");

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// The precompiled `core` names it in its unwind tables; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
