//! `peak PROGRAM [ARG]...`: runs the program and prints the bytes that it had in memory at most, wait4(2)'s `ru_maxrss`.
//!
//! Who starts a process counts in that figure: what its memory was at the exec, shared (vfork) or copied (fork), is where the
//! kernel begins (`exec_mmap`). This one has a few pages.
//!
//! # Safety
//! One thread, no libc. The kernel jumps to `_start` with a valid stack that holds the arguments and then the environment, each
//! with a null pointer behind the last.
#![no_std]
#![no_main]
// Nothing here may become a call of a libc's memset.
#![no_builtins]

#[allow(dead_code, reason = "each program makes its own calls")]
mod call;
mod start;

use call::{CLONE, EXECVE, EXIT_GROUP, WAIT4, WRITE, call};
use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

const SIGCHLD: usize = 17;
/// Words of a `struct rusage`.
const USAGE: usize = 18;
/// getrusage(2): two times of two words come before it, in KiB.
const MAX_RSS: usize = 4;

extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: the kernel's stack begins with the count of the arguments.
    let count = unsafe { *stack };
    // Behind the count and our own name.
    let program = stack.wrapping_add(2);
    if count < 2 {
        exit(2);
    }
    let child = call(CLONE, [SIGCHLD, 0, 0, 0, 0, 0]);
    if child == 0 {
        // SAFETY: there is one argument more than our name.
        let path = unsafe { *program };
        let environment = stack.wrapping_add(count + 2) as usize;
        call(EXECVE, [path, program as usize, environment, 0, 0, 0]);
        exit(127);
    }
    let mut status = 0u32;
    let mut usage = MaybeUninit::<[usize; USAGE]>::uninit();
    let status_at = addr_of_mut!(status) as usize;
    let usage_at = usage.as_mut_ptr() as usize;
    let ended = call(WAIT4, [child as usize, status_at, 0, usage_at, 0, 0]);
    // SAFETY: a local, which the kernel has written behind the compiler's back.
    let status = unsafe { addr_of_mut!(status).read_volatile() };
    if child < 0 || ended != child || status != 0 {
        exit(1);
    }
    let figures = usage.as_ptr().cast::<usize>();
    // SAFETY: the kernel has written all of the local, as it says by the answer that was just looked at.
    let peak = unsafe { figures.wrapping_add(MAX_RSS).read_volatile() };
    print(peak << 10);
    exit(0);
}

/// In decimal, and a line's end.
fn print(mut number: usize) {
    let mut text = [b'\n'; 21];
    let mut at = text.len() - 1;
    while at > 0 {
        at -= 1;
        if let Some(digit) = text.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    call(
        WRITE,
        [1, text.as_ptr() as usize + at, text.len() - at, 0, 0, 0],
    );
}

fn exit(code: usize) -> ! {
    call(EXIT_GROUP, [code, 0, 0, 0, 0, 0]);
    loop {}
}
