//! Pause and unpause: what stands still, who may act on it meanwhile, and what ends it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "contract/cgroup.rs"]
mod cgroup;
mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use cgroup::{freeze, freezer, is_unified};
use contract::{Bench, process, refused, with_timeout};
use execdriver::{
    ContainerState, Error, ExecRequest, ExitReason, Hooks, Pid, Pipes, RunOptions, Signal, Target,
};
use host::{assert_gone, assert_no_trace, cgroups_of};
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use support::{Need, among, eventually, skip_unless};

const ROOT: &[Need] = &[Need::Root];

fn state_of(bench: &Bench, id: &str) -> ContainerState {
    let list = bench.other_driver().list().unwrap();
    list.iter().find(|info| info.id == id).unwrap().state
}

/// The processor time that a container has used: what stands still uses none.
fn used(bench: &Bench, id: &str) -> u64 {
    let stats = bench.driver.stats(id).unwrap();
    stats.cgroup.unwrap().cpu_stats.cpu_usage.total_usage
}

/// The file that tells whether the container stands still.
fn freezer_state(id: &str) -> String {
    let files = |dir: PathBuf| [dir.join("freezer.state"), dir.join("cgroup.events")];
    let mut files = cgroups_of(id).into_iter().flat_map(files);
    let first = files.find_map(|file| fs::read_to_string(file).ok());
    first.unwrap().trim().to_owned()
}

#[test]
fn pause() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["spin", "100"]);
    let id = command.id.clone();
    bench.while_running(&command, |_| {
        eventually("it works", || used(&bench, &id) > 0);
        bench.driver.pause(&id).unwrap();
        let state = freezer_state(&id);
        assert!(state == "FROZEN" || state.contains("frozen 1"), "{state}");
        assert_eq!(state_of(&bench, &id), ContainerState::Paused);
        let before = used(&bench, &id);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(used(&bench, &id), before, "no progress");
        bench.driver.pause(&id).unwrap();

        let begun = Instant::now();
        let (error, text) = refused(bench.try_exec(&id, &["true"]));
        assert!(matches!(error, Error::Paused { .. }), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(5), "at once");

        bench.other_driver().unpause(&id).unwrap();
        bench.driver.unpause(&id).unwrap();
        assert_eq!(state_of(&bench, &id), ContainerState::Running);
        eventually("it goes on", || used(&bench, &id) > before);
        assert!(bench.exec(&id, &["true"]).status.success());
    });
    assert_no_trace(&bench, &id);
}

/// The other half of case 60.
#[test]
fn pause_kill_9() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    for own_pids in [true, false] {
        let command = bench.command(&["seq", "orphan", "100", ",", "pause"]);
        let command = command.with_linux(|linux| {
            linux.pid = (!own_pids).then(Pid::host);
        });
        let id = &command.id;
        let (status, pids) = bench.while_running(&command, |_| {
            eventually("both run", || bench.driver.pids(id).unwrap().len() == 2);
            bench.driver.pause(id).unwrap();
            let pids = bench.driver.pids(id).unwrap();
            let target = Target::from(id.as_str());
            bench.other_driver().kill(&target, Signal::KILL).unwrap();
            pids
        });
        assert_eq!(status.code, 137);
        assert_eq!(status.reason, ExitReason::KilledByCaller);
        pids.into_iter().for_each(assert_gone);
        assert_no_trace(&bench, id);
    }
}

#[test]
fn other_signals_wait_for_the_unpause() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["trap", "USR1"]);
    let id = command.id.clone();
    let target = Target::from(id.as_str());
    let (outcome, ()) = bench.during(&command, Pipes::null(), |_| {
        thread::sleep(Duration::from_millis(100));
        bench.driver.pause(&id).unwrap();
        bench
            .driver
            .kill(&target, Signal::new(10).unwrap())
            .unwrap();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(state_of(&bench, &id), ContainerState::Paused);
        bench.driver.unpause(&id).unwrap();
        eventually("it has handled the signal", || {
            !bench
                .driver
                .list()
                .unwrap()
                .iter()
                .any(|info| info.id == id)
        });
    });
    assert!(outcome.out.contains("got SIGUSR1"), "{outcome:?}");
}

#[test]
fn what_does_not_run_cannot_be_paused() {
    let _among = among();
    let bench = Bench::new();
    let missing = |outcome| {
        let (error, text) = refused(outcome);
        let of_kind = matches!(error, Error::NotFound { .. } | Error::NotRunning { .. });
        assert!(of_kind, "{text}");
    };
    missing(bench.driver.pause("nobody"));
    missing(bench.driver.unpause("nobody"));
    let (error, _) = refused(bench.driver.pause("../x"));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{error:?}");
    // One that still starts is not running either.
    let command = bench.command(&["true"]);
    let hooks = Hooks::none().on_pre_start(|context| {
        let (error, text) = refused(bench.driver.pause(context.id));
        assert!(matches!(error, Error::NotRunning { .. }), "{text}");
        Ok(())
    });
    let outcome = bench.run_with(&command, Pipes::null(), &hooks);
    assert!(outcome.status.success());
    missing(bench.driver.pause(&command.id));
}

#[test]
fn without_a_cgroup_a_pause_is_refused_with_the_mend() {
    let _among = among();
    if skip_unless(&[Need::OrdinaryUser, Need::UserNamespaces]) {
        return;
    }
    let bench = Bench::new();
    if bench.driver.capabilities().enforces("operations", "pause") {
        return;
    }
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        for outcome in [
            bench.driver.pause(&command.id),
            bench.driver.unpause(&command.id),
        ] {
            let (error, text) = refused(outcome);
            assert!(matches!(error, Error::Unsupported { .. }), "{text}");
            assert!(text.contains("cgroup") && text.contains('('), "{text}");
        }
    });
}

#[test]
fn a_timeout_ends_a_paused_container() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    for grace in [Duration::ZERO, Duration::from_millis(50)] {
        let hooks = Hooks::none().on_start(|context| Ok(bench.driver.pause(context.id)?));
        let status = with_timeout(|options| {
            let options = options.kill_grace(grace);
            bench.driver.run(&command, &options, Pipes::null(), &hooks)
        });
        let status = status.unwrap();
        assert_eq!(status.reason, ExitReason::TimedOut);
        assert_no_trace(&bench, &command.id);
    }
}

#[test]
fn a_start_hook_that_pauses_and_fails_leaves_nothing() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let hooks = Hooks::none().on_start(|context| {
        bench.driver.pause(context.id)?;
        Err("no".into())
    });
    let options = RunOptions::default();
    let outcome = bench.driver.run(&command, &options, Pipes::null(), &hooks);
    let (error, text) = refused(outcome);
    assert!(matches!(error, Error::Hook { .. }), "{text}");
    assert_no_trace(&bench, &command.id);
}

#[test]
fn an_exec_in_a_paused_container_can_time_out_and_be_killed_without_the_container_going_on() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        let pause = || Hooks::none().on_start(|context| Ok(bench.driver.pause(context.id)?));
        let status = with_timeout(|options| {
            let request = ExecRequest::new(process(&["pause"])).options(options);
            bench.driver.exec(id, &request, Pipes::null(), &pause())
        });
        assert_eq!(status.unwrap().reason, ExitReason::TimedOut);
        assert_eq!(state_of(&bench, id), ContainerState::Paused);
        bench.driver.unpause(id).unwrap();

        let request = ExecRequest::new(process(&["pause"])).exec_id("e");
        let hooks = Hooks::none().on_start(|context| {
            bench.driver.pause(context.id)?;
            let exec = Target::exec(context.id, "e");
            Ok(bench.other_driver().kill(&exec, Signal::KILL)?)
        });
        let status = bench.driver.exec(id, &request, Pipes::null(), &hooks);
        assert_eq!(status.unwrap().reason, ExitReason::KilledByCaller);
        assert_eq!(state_of(&bench, id), ContainerState::Paused);
        bench.driver.unpause(id).unwrap();
    });
    assert_no_trace(&bench, id);
}

#[test]
fn a_paused_container_is_terminated() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["seq", "orphan", "100", ",", "pause"]);
    let (status, ()) = bench.while_running(&command, |_| {
        bench.driver.pause(&command.id).unwrap();
        let (error, text) = refused(bench.driver.clean(&command.id));
        assert!(matches!(error, Error::Running { .. }), "{text}");
        bench.other_driver().terminate(&command.id).unwrap();
    });
    assert_eq!(status.code, 137);
    assert_no_trace(&bench, &command.id);
}

#[test]
fn a_part_that_froze_itself_neither_hinders_a_pause_nor_the_kill() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::Freezer]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["seq", "orphan", "100", ",", "pause"]);
    let id = &command.id;
    let (status, pids) = bench.while_running(&command, |init| {
        let below = freezer(id).join("below");
        fs::create_dir(&below).unwrap();
        // The second may be the orphan's parent, which ends.
        eventually("both run, and one is below", || {
            let pids = bench.driver.pids(id).unwrap();
            let other = pids.iter().find(|pid| **pid != init.pid);
            let into = below.join("cgroup.procs");
            pids.len() == 2 && other.is_some_and(|pid| fs::write(&into, pid.to_string()).is_ok())
        });
        let pids = bench.driver.pids(id).unwrap();
        freeze(&below, true);
        bench.driver.pause(id).unwrap();
        bench.driver.unpause(id).unwrap();
        let (file, frozen) = match is_unified() {
            true => ("cgroup.freeze", "1"),
            false => ("freezer.state", "FROZEN"),
        };
        let state = fs::read_to_string(below.join(file)).unwrap();
        assert_eq!(state.trim(), frozen, "what the container did stays");
        pids
    });
    assert_eq!(status.code, 137);
    pids.into_iter().for_each(assert_gone);
    assert_no_trace(&bench, id);
}
