//! Memory exhaustion: the flag of the exit status, the notices, and a container that waits instead.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, SOON};
use execdriver::{
    Command, ContainerState, HookContext, Hooks, LinuxResources, OomEvents, Pipes, Resources,
    Signal, Target,
};
use host::{assert_no_trace, cgroups_of};
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;
use support::{Baseline, Need, alone, among, skip_unless, unique_id, within};

const MIB: i64 = 1 << 20;

/// The memory controller of this host, whichever version has it.
fn without_memory_controller() -> bool {
    let unified = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let memory: &[Need] = match unified.contains("memory") {
        true => &[Need::Root, Need::CgroupV2],
        false => &[Need::Root, Need::CgroupV1("memory")],
    };
    skip_unless(memory)
}

fn limited(bench: &Bench, words: &[&str], disable_kill: bool) -> Command {
    let linux = LinuxResources {
        memory_swap: 10 * MIB,
        oom_kill_disable: disable_kill,
        ..LinuxResources::default()
    };
    Command {
        resources: Some(Resources {
            memory: 10 * MIB,
            linux: Some(linux),
            ..Resources::default()
        }),
        ..bench.command(words)
    }
}

#[test]
fn oom_init() {
    let _among = among();
    if without_memory_controller() {
        return;
    }
    let bench = Bench::new();
    let kept = RefCell::new(None::<OomEvents>);
    let keep = |context: &HookContext<'_>| {
        assert!(context.oom.try_recv().is_err());
        kept.replace(Some(context.oom.clone()));
        Ok(())
    };
    let hooks = Hooks::none().on_start(keep);
    let command = limited(&bench, &["alloc", "200"], false);
    let outcome = bench.run_with(&command, Pipes::null(), &hooks);
    assert_eq!(outcome.status.code, 137, "{outcome:?}");
    assert!(outcome.status.oom_killed);
    let events: Vec<_> = kept.take().unwrap().iter().collect();
    assert!(!events.is_empty(), "told, and the channel closed");
    assert!(events.iter().all(|event| event.kills <= 1), "{events:?}");
    assert_no_trace(&bench, &command.id);

    let plain = limited(&bench, &["echo", "hello"], false);
    let outcome = bench.run_with(&plain, Pipes::null(), &hooks);
    assert_eq!((outcome.status.code, outcome.status.oom_killed), (0, false));
    assert_eq!(kept.take().unwrap().iter().count(), 0);
}

#[test]
fn oom_child() {
    let _among = among();
    if without_memory_controller() {
        return;
    }
    let bench = Bench::new();
    let words = ["seq", "fork", "alloc", "200", ",", "true"];
    let status = bench.run(&limited(&bench, &words, false)).status;
    assert_eq!((status.code, status.oom_killed), (0, true));
}

#[test]
fn oom_disable() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::CgroupV1("memory")]) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, &["alloc", "200"], true);
    let id = command.id.as_str();
    let (send, receive) = mpsc::channel();
    let (status, ()) = thread::scope(|scope| {
        let run = scope.spawn(|| {
            let hooks = Hooks::none().on_start(move |context| Ok(send.send(context.oom.clone())?));
            bench.run_with(&command, Pipes::null(), &hooks).status
        });
        let events = receive.recv_timeout(SOON).unwrap();
        let event = events.recv_timeout(SOON);
        let list = bench.driver.list().unwrap();
        let stats = bench.driver.stats(id);
        let killed = bench.driver.kill(&Target::from(id), Signal::KILL);
        assert_eq!(event.unwrap().kills, 0);
        let state = list
            .iter()
            .find(|info| info.id == id)
            .map(|info| info.state);
        assert_eq!(state, Some(ContainerState::Running), "it waits");
        let memory = stats.unwrap().cgroup.unwrap().memory_stats;
        assert!(memory.events.under_oom, "{memory:?}");
        killed.unwrap();
        (run.join().unwrap(), ())
    });
    assert_eq!((status.code, status.oom_killed), (137, false));
    assert_no_trace(&bench, id);
}

#[test]
fn what_happens_while_the_start_hook_runs_is_told_afterwards() {
    let _among = among();
    if without_memory_controller() {
        return;
    }
    let bench = Bench::new();
    let words = ["seq", "fork", "alloc", "200", ",", "pause"];
    let command = limited(&bench, &words, false);
    let kept = RefCell::new(None::<OomEvents>);
    let hooks = Hooks::none()
        .on_pre_start(|context| {
            kept.replace(Some(context.oom.clone()));
            Ok(())
        })
        .on_start(|context| {
            let killed = || {
                let stats = bench.driver.stats(context.id).unwrap();
                stats.cgroup.unwrap().memory_stats.events.oom_kill == 1
            };
            assert!(within(SOON, killed), "the kernel kills the child");
            Ok(bench.driver.kill(&Target::from(context.id), Signal::KILL)?)
        });
    let status = bench.run_with(&command, Pipes::null(), &hooks).status;
    assert_eq!((status.code, status.oom_killed), (137, true));
    let last = kept.take().unwrap().iter().last();
    assert_eq!(last.map(|event| event.kills), Some(1));
}

#[test]
fn defect_27_notices_that_nobody_reads_leave_neither_thread_nor_descriptor() {
    let _alone = alone();
    if without_memory_controller() {
        return;
    }
    let bench = Bench::new();
    let stem = unique_id("contract-oom");
    let words = ["seq", "fork", "alloc", "200", ",", "fork", "alloc", "200"];
    let mut command = limited(&bench, &words, false);
    command.id.clone_from(&stem);
    let run = || {
        let hooks = Hooks::none().on_start(|_| Ok(()));
        assert!(
            bench
                .run_with(&command, Pipes::null(), &hooks)
                .status
                .oom_killed
        );
    };
    run();
    let baseline = Baseline::take(&bench.rootfs, &[&stem]);
    (0..3).for_each(|_| run());
    baseline.assert_back();
    assert!(cgroups_of(&stem).is_empty());
}

/// Issue: a container starts under a limit of 1 MiB, and its end for want of memory is told as such every time.
#[test]
fn a_container_under_1_mib_is_told_as_out_of_memory_every_time() {
    let _among = among();
    if without_memory_controller() {
        return;
    }
    let bench = Bench::new();
    for round in 0..20 {
        let mut command = limited(&bench, &["alloc", "50"], false);
        if let Some(resources) = &mut command.resources {
            resources.memory = MIB;
            resources.linux.as_mut().unwrap().memory_swap = MIB;
        }
        let status = bench.run(&command).status;
        assert_eq!(
            (status.code, status.oom_killed),
            (137, true),
            "{round}: {status:?}"
        );
    }
}
