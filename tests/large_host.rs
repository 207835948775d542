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
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use support::{Baseline, Need, rounds, skip_unless};

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

/// proc_pid_status(5): `FDSize` is the room of a process's table of descriptors, which never shrinks.
#[test]
fn a_start_does_not_copy_the_descriptors_of_a_host_that_has_thousands() {
    if skip_unless(&[Need::Kernel(6, 11)]) {
        return;
    }
    if !own::in_own_process("a_start_does_not_copy_the_descriptors_of_a_host_that_has_thousands") {
        return;
    }
    let bench = Bench::new();
    // The first start takes the low descriptors that later ones borrow.
    assert_eq!(bench.run(&bench.command(&["exit", "0"])).status.code, 0);
    let many: Vec<File> = std::iter::repeat_with(|| File::open("/dev/null").unwrap())
        .take(3000)
        .collect();
    let baseline = Baseline::take(&bench.rootfs, &[]);
    let command = bench.command(&["pause"]);
    let (_, size) = bench.while_running(&command, |started| {
        let status = fs::read_to_string(format!("/proc/{}/status", started.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
        line.unwrap().trim().parse::<usize>().unwrap()
    });
    assert!(size <= 256, "{size}");
    // More starts at once than there are descriptors to borrow.
    thread::scope(|scope| {
        for code in 0..12 {
            let bench = &bench;
            scope.spawn(move || {
                let command = bench.command(&["exit", &code.to_string()]);
                (0..rounds(5)).for_each(|_| assert_eq!(bench.run(&command).status.code, code));
            });
        }
    });
    baseline.assert_back();
    drop(many);
}

/// A failed assertion must not leave the scope waiting for its threads.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
