//! A large host program: neither its memory nor a lock that one of its threads holds reaches a launch.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "hosts/own.rs"]
mod own;
mod support;

use contract::Bench;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use support::rounds;

/// Allocates and frees, small and large, until it is told to stop.
fn allocate(stop: &AtomicBool) {
    let mut size = 1_usize;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..8 {
            size = size * 7 % 65_537;
            std::hint::black_box(Vec::<u8>::with_capacity(size));
        }
        // Thirty-two threads that never give way leave next to nothing of a small machine for the runs.
        thread::yield_now();
    }
}

/// The number of runs is that of a suite which people wait for, and with EXECDRIVER_SOAK=1 a thousand.
#[test]
fn no_run_hangs_or_fails_in_a_large_host_whose_threads_allocate() {
    if !own::in_own_process("no_run_hangs_or_fails_in_a_large_host_whose_threads_allocate") {
        return;
    }
    let soak = std::env::var_os("EXECDRIVER_SOAK").is_some_and(|value| value == "1");
    let runs = if soak { 1000 } else { rounds(300) };
    let bench = Bench::new();
    let ballast = vec![1_u8; 1 << 30];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| allocate(&stop));
        }
        let stop = StopWhenDropped(&stop);
        for run in 0..runs {
            let code = i32::try_from(run % 200).unwrap();
            let command = bench.command(&["exit", &code.to_string()]);
            assert_eq!(bench.run(&command).status.code, code, "run {run}");
        }
        drop(stop);
    });
    std::hint::black_box(&ballast);
}

/// A failed assertion must not leave the scope waiting for its threads.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
