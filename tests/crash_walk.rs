//! The host program is killed at each system call of a run: the next one ends and removes whatever was left.
//!
//! At some thirty of the calls in an ordinary run of the tests; with EXECDRIVER_SOAK=1 at each.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "contract/ahead.rs"]
mod ahead;
mod contract;
mod support;
mod walk;

use contract::{Bench, SOON, chain};
use execdriver::{
    Command, ContainerState, Driver, Hooks, Options, Pipes, Registry, RunOptions, Signal, Target,
};
use std::path::Path;
use std::sync::{Arc, Mutex};
use support::{Baseline, Need, alone, skip_unless, unique_id, within};
use walk::{Session, Verdict};

/// The test that is the host program in another process.
const HOST: &str = "the_host_program";
const STATE: &str = "EXECDRIVER_TEST_STATE";
const COMMAND: &str = "EXECDRIVER_TEST_COMMAND";
/// How many of its containers are made ahead.
const POOL: &str = "EXECDRIVER_TEST_POOL";

fn open(root: &Path, pool: &str) -> Arc<dyn Driver> {
    let registry = Registry::with_builtin();
    let options = Options::parse([format!("native.sandbox_pool={pool}")]).unwrap();
    registry.open("native", root, options).unwrap()
}

/// Until a run finds all that can be made ahead.
fn fill(driver: &dyn Driver, command: &Command) {
    let name = Mutex::new(String::new());
    let kill = Target::from(command);
    support::eventually("one waits", || {
        let hooks = Hooks::none().on_start(|context| {
            *name.lock().unwrap() = ahead::cgroup_name(context.pid);
            Ok(driver.kill(&kill, Signal::KILL)?)
        });
        let options = RunOptions::default();
        driver
            .run(command, &options, Pipes::null(), &hooks)
            .unwrap();
        name.lock().unwrap().starts_with("ready-")
    });
    support::eventually("the next one waits", || {
        ahead::processes(&ahead::own()).len() == 2
    });
}

/// Does nothing unless it was started by a walk.
#[test]
fn the_host_program() {
    let Some(directory) = walk::directory() else {
        return;
    };
    let command: Command = serde_json::from_str(&std::env::var(COMMAND).unwrap()).unwrap();
    let pool = std::env::var(POOL).unwrap();
    let driver = open(Path::new(&std::env::var_os(STATE).unwrap()), &pool);
    if pool != "0" {
        fill(&*driver, &command);
    }
    let act = || {
        // It ends itself once it runs, so that the calls of its end are seen too.
        let kill = Target::from(&command);
        let hooks = Hooks::none().on_start(|_| Ok(driver.kill(&kill, Signal::KILL)?));
        let options = RunOptions::default();
        match driver.run(&command, &options, Pipes::null(), &hooks) {
            Ok(status) => format!("ok {}", status.code),
            Err(error) => chain(&error),
        }
    };
    walk::act_in_rounds(&directory, act, |said| said);
}

/// Kills the host at call `index` of a run of `command`. How many calls there were.
fn run_and_kill(bench: &Bench, command: &Command, pool: &str, index: usize) -> (usize, String) {
    let state = bench.rootfs.state();
    let text = serde_json::to_string(command).unwrap();
    let environment = [
        (STATE, state.as_path()),
        (COMMAND, Path::new(&text)),
        (POOL, Path::new(pool)),
    ];
    let mut session = Session::begin(HOST, &environment, None);
    let mut place = String::new();
    let round = session.round(&mut |call| {
        if call.index != index {
            return Verdict::Pass;
        }
        place = call.to_string();
        Verdict::KillHost
    });
    (round.calls, place)
}

/// Ends and removes what a killed host has left, in the one way or the other.
fn put_right(driver: &dyn Driver, id: &str, by_terminate: bool) -> Result<(), String> {
    let listed = driver
        .list()
        .map_err(|error| format!("list: {}", chain(&error)))?;
    for info in listed {
        if by_terminate {
            driver
                .terminate(&info.id)
                .map_err(|error| format!("terminate: {}", chain(&error)))?;
        } else if info.state != ContainerState::Stopped {
            // One that was still starting goes on without its host, or ends by itself.
            // Its end may have been on its way.
            let _ = driver.kill(&Target::from(&*info.id), Signal::KILL);
        }
    }
    let mut last = Ok(());
    // Its first process may take a moment to end.
    within(SOON, || {
        last = driver
            .clean(id)
            .map_err(|error| format!("clean: {}", chain(&error)));
        last.is_ok()
    });
    last
}

fn walk(pool: &str, command: impl Fn(&Bench) -> Command) {
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let (all, _) = run_and_kill(&bench, &command(&bench), pool, usize::MAX);
    assert!(all > 100, "only {all} calls were seen");
    let soak = std::env::var_os("EXECDRIVER_SOAK").is_some_and(|value| value == "1");
    let stride = if soak { 1 } else { all / 30 };
    let mut wrong = Vec::new();
    for index in (0..all).step_by(stride) {
        let command = command(&bench);
        let id = &*command.id;
        let baseline = Baseline::take(&bench.rootfs, &[id]);
        let (_, place) = run_and_kill(&bench, &command, pool, index);
        if place.is_empty() {
            continue; // This run made fewer calls.
        }
        let mut complaint = |what: String| wrong.push(format!("killed at {place}: {what}"));
        if let Err(error) = put_right(&*bench.driver, id, index / stride % 2 == 0) {
            complaint(error);
        }
        if !within(std::time::Duration::from_secs(3), || {
            baseline.left().is_empty()
        }) {
            complaint(baseline.left().join("\n"));
        }
        match bench.try_run(&Command {
            process: contract::process(&["true"]),
            ..command.clone()
        }) {
            Ok(outcome) if outcome.status.code == 0 => {}
            other => complaint(format!("the next run: {other:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn whatever_a_host_that_is_killed_in_a_run_leaves_can_be_terminated_or_cleaned() {
    walk("0", |bench| Command {
        id: unique_id("killed"),
        ..bench.command(&["pause"])
    });
}

#[test]
fn whatever_a_host_that_is_killed_in_a_run_with_a_parent_cgroup_leaves_goes_with_its_parents() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    walk("0", |bench| {
        let id = unique_id("killed");
        let parent = format!("/parent-{id}/below");
        let command = Command {
            id,
            ..bench.command(&["pause"])
        };
        command.with_linux(|linux| linux.cgroup_parent = parent.clone())
    });
}

/// What is the container's goes with it, what still waited with the next host program that keeps any.
#[test]
fn whatever_a_host_that_is_killed_in_a_run_of_what_was_made_ahead_leaves_is_removed() {
    if skip_unless(&[Need::Root]) || !ahead::may_wait() {
        return;
    }
    walk("2", |bench| Command {
        id: unique_id("killed"),
        ..bench.command(&["pause"])
    });
    let bench = Bench::new();
    let driver = open(&bench.rootfs.state(), "2");
    fill(&*driver, &bench.command(&["pause"]));
    drop(driver);
    let left = ahead::of_the_dead();
    assert!(left.is_empty(), "{left:?}");
}
