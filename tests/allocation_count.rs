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
mod support;

use contract::{Bench, process};
use execdriver::{ExecRequest, Hooks, Pipes, RunOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use support::{Need, skip_unless, unique_id};

/// What a process makes once is no start's, and a wait that ends early or late asks once more: the least of some rounds counts.
const ROUNDS: usize = 20;

/// The tests of this file write the same page.
static PAGE: Mutex<()> = Mutex::new(());

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
    let here = hierarchies();
    println!("{act} {here} {least}");
    let _page = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::fs::read_to_string(page()).unwrap_or_default();
    if std::env::var_os("EXECDRIVER_WRITE_GOLDEN").is_some_and(|value| value == "1") {
        // A virtual machine sees the project read-only; its line was printed.
        let _ = std::fs::write(page(), with_line(&text, act, here, least));
        return;
    }
    let most = expected(&figures(&text)[act], here);
    assert!(
        least <= most + most * 3 / 100,
        "{act}: memory is asked for {least} times, where {most} were expected; if that must be, say why and take the figure \
         anew (see above)"
    );
}

/// Of version 1: a start has a cgroup in each.
fn hierarchies() -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let version_1 = |line: &&str| line.split(' ').nth(2) == Some("cgroup");
    mounts.lines().filter(version_1).count()
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/allocations.txt")
}

/// `run 9 400`: the act, the hierarchies, the figure. A `#` begins a comment.
fn figures(text: &str) -> BTreeMap<String, BTreeMap<usize, usize>> {
    let mut found: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        let [act, hierarchies, figure] = words[..] else {
            panic!("{line:?}");
        };
        let act = found.entry(act.to_owned()).or_default();
        act.insert(hierarchies.parse().unwrap(), figure.parse().unwrap());
    }
    found
}

/// What this kind of host may make: on the line between the figures of the committed kinds.
fn expected(known: &BTreeMap<usize, usize>, here: usize) -> usize {
    let (few, low) = known.first_key_value().unwrap();
    let (many, high) = known.last_key_value().unwrap();
    let span = (many - few).max(1);
    let at = here.clamp(*few, *many) - few;
    (low * (span - at.min(span)) + high * at) / span
}

fn with_line(text: &str, act: &str, hierarchies: usize, figure: usize) -> String {
    let start = format!("{act} {hierarchies} ");
    let kept = text.lines().filter(|line| !line.starts_with(&start));
    let mut lines: Vec<_> = kept.map(str::to_owned).collect();
    lines.push(format!("{start}{figure}"));
    lines.sort();
    lines.join("\n") + "\n"
}

#[test]
fn other_hosts_are_expected_to_lie_between_those_that_were_counted() {
    let text = with_line("# act, hierarchies, figure\nrun 9 400\n", "run", 0, 220);
    assert_eq!(text, "# act, hierarchies, figure\nrun 0 220\nrun 9 400\n");
    let known = &figures(&text)["run"];
    assert_eq!(
        [0, 3, 9, 12].map(|here| expected(known, here)),
        [220, 280, 400, 400]
    );
    assert_eq!(expected(&BTreeMap::from([(9, 400)]), 9), 400);
    assert_eq!(expected(&BTreeMap::from([(0, 300), (9, 210)]), 3), 270);
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
