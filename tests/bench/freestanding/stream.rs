//! `stream`: writes as many MiB to its output as its first argument says; without one, reads its input to the end.
//!
//! # Safety
//! One thread, no libc. The kernel jumps to `_start` with a valid stack that holds the arguments, each with its NUL, and
//! a null pointer behind the last.
#![no_std]
#![no_main]
// Nothing here may become a call of a libc's memset.
#![no_builtins]

#[allow(dead_code, reason = "each program makes its own calls")]
mod call;
mod start;

use call::{EXIT_GROUP, READ, WRITE, call};
use core::ptr::addr_of_mut;

/// What a pipe holds.
const BLOCK: usize = 64 << 10;
static mut BUFFER: [u8; BLOCK] = [0; BLOCK];

/// The stack as the kernel leaves it: the count, then a pointer for each argument.
#[repr(C)]
struct Stack {
    count: usize,
    args: [*const u8; 2],
}

extern "C" fn main(stack: *const Stack) -> ! {
    // SAFETY: the kernel's stack begins with the count and at least two pointers, the second of them null without arguments.
    let stack = unsafe { &*stack };
    let done = if stack.count < 2 {
        drain()
    } else {
        pour(mebibytes(stack.args[1]))
    };
    call(EXIT_GROUP, [usize::from(!done), 0, 0, 0, 0, 0]);
    loop {}
}

fn mebibytes(mut text: *const u8) -> usize {
    let mut number = 0;
    loop {
        // SAFETY: an argument ends with a NUL, and the loop with it.
        let digit = unsafe { *text };
        if digit == 0 {
            return number;
        }
        number = number * 10 + usize::from(digit.wrapping_sub(b'0'));
        text = text.wrapping_add(1);
    }
}

fn pour(mebibytes: usize) -> bool {
    let mut left = mebibytes << 20;
    while left > 0 {
        let want = if left < BLOCK { left } else { BLOCK };
        let wrote = call(WRITE, [1, addr_of_mut!(BUFFER) as usize, want, 0, 0, 0]);
        if wrote <= 0 {
            return false;
        }
        left -= wrote as usize;
    }
    true
}

fn drain() -> bool {
    loop {
        match call(READ, [0, addr_of_mut!(BUFFER) as usize, BLOCK, 0, 0, 0]) {
            0 => return true,
            read if read < 0 => return false,
            _ => {}
        }
    }
}
