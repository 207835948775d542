//! A process that does nothing until a signal ends it: what the benchmark's crowd is made of.
//!
//! # Safety
//! The kernel jumps to `_start`; every system call has constant arguments, and nothing is read.
#![no_std]
#![no_main]

#[allow(dead_code, reason = "each program makes its own calls")]
mod call;
mod start;

use call::{PPOLL, call};

extern "C" fn main() -> ! {
    loop {
        call(PPOLL, [0; 6]);
    }
}
