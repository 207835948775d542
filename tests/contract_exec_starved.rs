//! Execs that the kernel has no memory for: killed in a cgroup of their own, or started where the container has used all.
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

use cgroup::{directory, is_unified};
use contract::{Bench, SOON, chain, process};
use execdriver::{
    Command, Error, ExecRequest, ExitReason, Hooks, LinuxResources, Pipes, Resources, Signal,
};
use host::alive;
use std::fs::{self, File};
use support::{Baseline, Need, alone, among, rounds, skip_unless, unique_id, within};

/// Root makes cgroups wherever there are any.
const LIMITS: &[Need] = &[Need::Root, Need::Cgroups];
const MIB: i64 = 1 << 20;

fn memory(mebibytes: i64) -> Resources {
    Resources {
        memory: mebibytes * MIB,
        linux: Some(LinuxResources {
            memory_swap: mebibytes * MIB,
            ..LinuxResources::default()
        }),
        ..Resources::default()
    }
}

fn container(bench: &Bench, mebibytes: i64) -> Command {
    Command {
        id: unique_id("starved"),
        resources: Some(memory(mebibytes)),
        ..bench.command(&["pause"])
    }
}

#[test]
fn an_oom_kill_in_the_cgroup_of_an_exec_is_the_containers_too() {
    let _among = among();
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    for kills in 0..3 {
        let command = container(&bench, 256);
        let (status, ()) = bench.while_running(&command, |_| {
            for _ in 0..kills {
                let request = ExecRequest::new(process(&["alloc", "64"])).resources(memory(16));
                // Another driver, as in another process.
                let other = bench.other_driver();
                let status = other.exec(&command.id, &request, Pipes::null(), &Hooks::none());
                assert!(status.unwrap().oom_killed);
            }
            let stats = bench.driver.stats(&command.id).unwrap();
            let events = stats.cgroup.unwrap().memory_stats.events;
            assert_eq!(events.oom_kill, kills);
        });
        assert_eq!(status.oom_killed, kills > 0, "{kills}: {status:?}");
        assert_eq!(status.reason, ExitReason::KilledByCaller);
    }
}

#[test]
fn an_exec_among_the_containers_processes_that_the_kernel_kills_for_memory_says_so() {
    let _among = among();
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench, 16);
    let (status, ()) = bench.while_running(&command, |_| {
        let starved = bench.exec(&command.id, &["alloc", "64"]).status;
        assert_eq!(starved.signal, Some(Signal::KILL));
        assert!(starved.oom_killed, "{starved:?}");
        let killed = bench.exec(&command.id, &["signal", "9"]).status;
        assert_eq!(killed.signal, Some(Signal::KILL));
        assert!(!killed.oom_killed, "{killed:?}");
    });
    assert!(status.oom_killed);
}

/// What a container's file system in memory holds is charged to it and can go nowhere.
fn fill(bench: &Bench, id: &str, init: u32, mebibytes: usize) {
    let path = format!("/proc/{init}/root/dev/shm/full");
    let pipes = Pipes::null().stdout(File::create(path).unwrap());
    let bytes = (mebibytes << 20).to_string();
    let request = ExecRequest::new(process(&["big", &bytes]));
    let status = bench.driver.exec(id, &request, pipes, &Hooks::none());
    assert!(status.unwrap().success());
}

/// Leaves the container so much memory above what it uses.
fn leave(id: &str, bytes: u64) {
    let [used, limit] = match is_unified() {
        true => ["memory.current", "memory.max"],
        false => ["memory.usage_in_bytes", "memory.limit_in_bytes"],
    };
    let directory = directory(id, "memory");
    // Each processor has pages in stock for the cgroup that used memory there last, up to 64, and these count as used: an
    // exec would live on them, and on what can be taken back from files. This gives both back (mm/memcontrol.c) and kills
    // nobody; a kernel without the file, or one that is busy, leaves them.
    let give_back: &[(&str, &str)] = match is_unified() {
        true => &[("memory.high", "0"), ("memory.high", "max")],
        false => &[("memory.force_empty", "0")],
    };
    for (file, value) in give_back {
        let _ = fs::write(directory.join(file), value);
    }
    // What it uses may just change, and the kernel says no.
    let set = within(SOON, || {
        let used: u64 = fs::read_to_string(directory.join(used))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        fs::write(directory.join(limit), (used + bytes).to_string()).is_ok()
    });
    assert!(set, "the limit of memory cannot be set");
}

#[test]
fn an_exec_into_a_container_at_its_limit_of_memory_runs_or_says_what_was_wanting() {
    let _alone = alone();
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    bench.says(&["true"]);
    let (mut ran, mut starved, mut lost) = (0, 0, 0);
    let steps = [0u64, 4, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];
    // Which it is, the kernel decides: what it has in stock counts as used. So once more, if need be.
    for kibibytes in steps.repeat(5) {
        if kibibytes == 0 && ran > 0 && starved > 0 {
            break;
        }
        let baseline = Baseline::take(&bench.rootfs, &["starved-"]);
        let command = container(&bench, 16);
        let (status, ()) = bench.while_running(&command, |init| {
            fill(&bench, &command.id, init.pid, 8);
            leave(&command.id, kibibytes << 10);
            for _ in 0..rounds(4) {
                match bench.try_exec(&command.id, &["true"]) {
                    Ok(outcome) if outcome.status.success() => ran += 1,
                    Ok(outcome) if outcome.status.oom_killed => starved += 1,
                    // With its container's first process, all others of its pid namespace die.
                    Ok(outcome) if outcome.status.signal == Some(Signal::KILL) => {
                        assert!(
                            within(SOON, || !alive(init.pid)),
                            "{kibibytes} KiB: {outcome:?}"
                        );
                        lost += 1;
                    }
                    Ok(outcome) => panic!("{kibibytes} KiB: {outcome:?}"),
                    Err(Error::NotRunning { .. } | Error::NotFound { .. }) => lost += 1,
                    Err(error) => {
                        let text = chain(&error);
                        assert!(text.contains("memory"), "{kibibytes} KiB: {text}");
                        starved += 1;
                    }
                }
            }
        });
        // The kernel may have chosen the container's first process instead.
        if status.reason != ExitReason::KilledByCaller {
            assert!(status.oom_killed, "{kibibytes} KiB: {status:?}");
        }
        baseline.assert_back();
    }
    println!("{ran} ran, {starved} starved, {lost} found their container gone");
    assert!(ran > 0 && starved > 0, "{ran} ran, {starved} starved");
}
