//! How often a start asks for memory, against the figures in fixtures/allocations.txt: growth by more than 3 % fails.
//!
//! Threads that allocate hold the locks of the C library's allocator, so each call of a start in a busy host may wait. A figure that
//! is to move is taken anew by `EXECDRIVER_WRITE_GOLDEN=1 cargo test --test allocation_count -- --nocapture` as root, which
//! writes the line of this kind of host; in a virtual machine (tests/vm/run.sh) it is printed to be copied. Say in the commit why.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod allocations;
mod contract;
mod figures;
mod support;

use contract::{Bench, process};
use execdriver::{ExecRequest, Hooks, Pipes, RunOptions};
use figures::{Page, between, figures, most, with_line};
use support::{Need, skip_unless, unique_id};

/// What a process makes once is no start's, and a wait that ends early or late asks once more: the least of some rounds counts.
const ROUNDS: usize = 20;

static PAGE: Page<1> = Page::new("allocations.txt");

#[test]
fn a_run_asks_for_memory_no_more_often_than_it_did() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["true"]);
    let (options, hooks) = (RunOptions::default(), Hooks::none());
    judge("run", || {
        command.id = unique_id("counted");
        allocations::of(|| {
            let ran = bench.driver.run(&command, &options, Pipes::null(), &hooks);
            assert_eq!(ran.unwrap().code, 0);
        })
    });
}

#[test]
fn an_exec_asks_for_memory_no_more_often_than_it_did() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    let request = ExecRequest::new(process(&["true"]));
    let hooks = Hooks::none();
    bench.while_running(&sleeper, |_| {
        judge("exec", || {
            allocations::of(|| {
                let driver = &bench.driver;
                let ran = driver.exec(&sleeper.id, &request, Pipes::null(), &hooks);
                assert_eq!(ran.unwrap().code, 0);
            })
        });
    });
}

fn judge(act: &str, mut count: impl FnMut() -> usize) {
    let least = (0..ROUNDS).map(|_| count()).min().unwrap();
    let Some([figure]) = PAGE.expected(act, [least]) else {
        return;
    };
    assert!(
        least <= most(figure),
        "{act}: memory is asked for {least} times, where {figure} were expected; if that must be, say why and take the figure \
         anew (see above)"
    );
}

#[test]
fn other_hosts_are_expected_to_lie_between_those_that_were_counted() {
    let text = "# act, hierarchies, figures\nrun 0 1 1\nrun 9 400 30\nrun.locks 0 7 8\n";
    let text = with_line(text, "run", 0, [220, 39]);
    assert_eq!(
        text,
        "# act, hierarchies, figures\nrun 0 220 39\nrun 9 400 30\nrun.locks 0 7 8\n"
    );
    let known = &figures(&text)["run"];
    assert_eq!(
        [0, 3, 9, 12].map(|here| between(known, here)),
        [[220, 39], [280, 36], [400, 30], [400, 30]]
    );
    assert_eq!(between(&figures(&text)["run.locks"], 9), [7, 8]);
}

#[test]
fn a_block_and_another_size_of_it_are_counted_and_other_threads_are_not() {
    let counted = allocations::of(|| {
        let mut block = Vec::with_capacity(1);
        block.push(1_u64);
        block.reserve_exact(1000);
        std::hint::black_box(&block);
    });
    assert_eq!(counted, 2);
    let thread = std::thread::spawn(|| allocations::of(|| drop(std::hint::black_box(Box::new(1)))));
    assert_eq!(thread.join().unwrap(), 1);
}
