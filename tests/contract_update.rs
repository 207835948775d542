//! The contract's case 70: other limits for a container that runs, all of them or none.
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

use cgroup::{is_unified, reads};
use contract::{Bench, Outcome, SOON, process, refused};
use execdriver::{Command, Error, ExecRequest, LinuxResources, Pipes, Resources, Result, Rlimit};
use host::assert_no_trace;
use std::{fs, thread};
use support::{Need, skip_unless, within};

/// Root makes cgroups wherever there are any.
const LIMITS: &[Need] = &[Need::Root, Need::Cgroups];
const MIB: i64 = 1 << 20;

fn resources(change: impl FnOnce(&mut Resources, &mut LinuxResources)) -> Resources {
    let (mut resources, mut linux) = (Resources::default(), LinuxResources::default());
    change(&mut resources, &mut linux);
    resources.linux = Some(linux);
    resources
}

fn memory(mebibytes: i64) -> Resources {
    resources(|common, _| common.memory = mebibytes * MIB)
}

fn limited(bench: &Bench, words: &[&str], resources: Resources) -> Command {
    Command {
        resources: Some(resources),
        ..bench.command(words)
    }
}

fn limit(id: &str) -> String {
    reads(id, ("memory", "memory.limit_in_bytes"), "memory.max")
}

fn swap(id: &str) -> String {
    reads(
        id,
        ("memory", "memory.memsw.limit_in_bytes"),
        "memory.swap.max",
    )
}

/// A total of memory and swap as this version of cgroups writes it.
fn total(memory: i64, both: i64) -> String {
    let bytes = if is_unified() { both - memory } else { both };
    (bytes * MIB).to_string()
}

fn shares(id: &str) -> String {
    reads(id, ("cpu", "cpu.shares"), "cpu.weight")
}

fn statistics(bench: &Bench, id: &str) -> i64 {
    bench.driver.stats(id).unwrap().memory_limit
}

#[track_caller]
fn names<T: std::fmt::Debug>(outcome: Result<T>, field: &str) -> String {
    let (error, text) = refused(outcome);
    assert!(
        matches!(&error, Error::InvalidCommand { field: found, .. } if found == field),
        "{text}"
    );
    text
}

#[test]
fn update() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let start = resources(|common, linux| {
        common.memory = 300 * MIB;
        common.cpu_shares = 1000;
        linux.memory_swap = 400 * MIB;
        linux.pids_limit = 50;
    });
    let command = limited(&bench, &["pause"], start);
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        let update = |resources: &Resources| bench.driver.update(id, resources);
        update(&memory(350)).unwrap();
        assert_eq!(
            (limit(id), swap(id)),
            ((350 * MIB).to_string(), total(350, 400))
        );
        // Above the old total, together with a new one.
        let both = |memory, swap| {
            resources(|common, linux| {
                common.memory = memory * MIB;
                linux.memory_swap = swap * MIB;
            })
        };
        update(&both(500, 600)).unwrap();
        assert_eq!(
            (limit(id), swap(id)),
            ((500 * MIB).to_string(), total(500, 600))
        );
        update(&both(100, 200)).unwrap();
        assert_eq!(
            (limit(id), swap(id)),
            ((100 * MIB).to_string(), total(100, 200))
        );
        assert_eq!(statistics(&bench, id), 100 * MIB);
        // From another process's driver, one field; the others stay.
        let weight = resources(|common, _| common.cpu_shares = 512);
        bench.other_driver().update(id, &weight).unwrap();
        assert_eq!(shares(id), if is_unified() { "59" } else { "512" });
        // The most, with nothing beside it that is Linux's alone.
        let most = Resources {
            cpu_shares: 262_144,
            ..Resources::default()
        };
        update(&most).unwrap();
        assert_eq!(shares(id), if is_unified() { "10000" } else { "262144" });
        assert_eq!(reads(id, ("pids", "pids.max"), "pids.max"), "50");
        assert_eq!(limit(id), (100 * MIB).to_string());
        // A limit is taken away by -1.
        update(&resources(|_, linux| linux.pids_limit = -1)).unwrap();
        assert_eq!(reads(id, ("pids", "pids.max"), "pids.max"), "max");
        update(&resources(|common, linux| {
            common.memory = -1;
            linux.memory_swap = -1;
        }))
        .unwrap();
        assert!(limit(id) == "max" || limit(id).parse::<u64>().unwrap() > 1 << 62);
        // A period that is too short for the old quota, together with a new one.
        for (quota, period) in [(8000, 50_000), (1000, 2000), (900_000, 1_000_000)] {
            update(&resources(|_, linux| {
                linux.cpu_quota = quota;
                linux.cpu_period = period;
            }))
            .unwrap();
            let found = reads(id, ("cpu", "cpu.cfs_quota_us"), "cpu.max");
            assert_eq!(found.split(' ').next(), Some(quota.to_string().as_str()));
        }
    });
    assert_no_trace(&bench, &command.id);
    let (error, text) = refused(bench.driver.update(&command.id, &memory(10)));
    assert!(matches!(error, Error::NotFound { .. }), "{text}");
}

#[test]
fn update_while_frozen() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = limited(
        &bench,
        &["pause"],
        resources(|common, _| common.cpu_shares = 1000),
    );
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        let dir = cgroup::freezer(id);
        cgroup::freeze(&dir, true);
        let updated = bench
            .driver
            .update(id, &resources(|common, _| common.cpu_shares = 512));
        cgroup::freeze(&dir, false);
        updated.unwrap();
        assert_eq!(shares(id), if is_unified() { "59" } else { "512" });
    });
}

#[test]
fn defect_13_an_update_of_which_one_part_fails_changes_nothing() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let start = resources(|common, linux| {
        common.memory = 300 * MIB;
        common.cpu_shares = 1000;
        linux.memory_swap = 400 * MIB;
    });
    let command = limited(&bench, &["pause"], start);
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        // The rest of the record holds sets, which are written in any order.
        let state = || {
            let path = host::state_dir(&bench, id).join("state.json");
            let text = fs::read_to_string(path).unwrap();
            let limits = text.split("\"limits\":").nth(1).unwrap();
            let rlimits = text.split("\"rlimits\":").nth(1).unwrap();
            let limits = limits.split("\"defaults\"").next().unwrap();
            (
                limits.to_owned(),
                rlimits.split(']').next().unwrap().to_owned(),
            )
        };
        let (before, recorded) = ((limit(id), swap(id), shares(id)), state());
        let limit_in_stats = statistics(&bench, id);
        let with = |change: fn(&mut LinuxResources)| {
            resources(|common, linux| {
                common.memory = 500 * MIB;
                common.cpu_shares = 512;
                linux.memory_swap = 600 * MIB;
                change(linux);
            })
        };
        let nofile = Rlimit::kind_of("nofile").unwrap();
        let cases = [
            (
                "resources.cpuset_cpus",
                with(|linux| linux.cpuset_cpus = "4095".to_owned()),
            ),
            (
                "resources.cpuset_cpus",
                with(|linux| linux.cpuset_cpus = "x".to_owned()),
            ),
            (
                "resources.pids_limit",
                with(|linux| linux.pids_limit = 1 << 40),
            ),
            ("resources.memory", memory(450)),
            (
                "resources.memory_swap",
                resources(|_, linux| linux.memory_swap = 10 * MIB),
            ),
            (
                "resources.oom_score_adj",
                with(|linux| linux.oom_score_adj = Some(2000)),
            ),
            ("resources.memory", resources(|common, _| common.memory = 5)),
        ];
        for (field, update) in &cases {
            let text = names(bench.driver.update(id, update), field);
            assert!(!text.contains("Math"), "{text}");
            assert_eq!((limit(id), swap(id), shares(id)), before);
            assert_eq!(state(), recorded);
        }
        // More descriptors than the kernel has a number for, which nobody may have.
        let mut too_many = with(|_| {});
        let hard = u64::MAX;
        let linux = too_many.linux.as_mut().unwrap();
        linux.rlimits = vec![Rlimit {
            kind: nofile,
            soft: hard,
            hard,
        }];
        names(bench.driver.update(id, &too_many), "resources.rlimits");
        assert_eq!((limit(id), swap(id), shares(id)), before);
        assert_eq!(state(), recorded);
        assert_eq!(statistics(&bench, id), limit_in_stats);
    });
}

#[test]
fn a_limit_below_what_is_in_use_is_refused_and_kills_nobody() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let start = resources(|common, linux| {
        common.memory = 128 * MIB;
        linux.memory_swap = 128 * MIB;
        linux.pids_limit = 50;
    });
    let words = ["seq", "spawn-bg", "1000", ",", "alloc", "64", "hold"];
    let command = limited(&bench, &words, start);
    let (outcome, ()) = bench.during(&command, Pipes::null(), |_| {
        let id = command.id.as_str();
        let used = || {
            let text = reads(id, ("memory", "memory.usage_in_bytes"), "memory.current");
            text.parse::<i64>().unwrap() > 64 * MIB
        };
        assert!(within(SOON, used), "it fills its memory");
        assert!(within(SOON, || bench.driver.pids(id).unwrap().len() == 2));
        let text = names(bench.driver.update(id, &memory(16)), "resources.memory");
        assert!(text.contains("the container uses"), "{text}");
        assert_eq!(limit(id), (128 * MIB).to_string());
        let one = resources(|_, linux| linux.pids_limit = 1);
        names(bench.driver.update(id, &one), "resources.pids_limit");
        assert_eq!(reads(id, ("pids", "pids.max"), "pids.max"), "50");
        bench.driver.update(id, &memory(120)).unwrap();
        assert_eq!(bench.driver.pids(id).unwrap().len(), 2);
    });
    assert!(!outcome.status.oom_killed, "{outcome:?}");
}

#[test]
fn limits_of_processes_become_those_of_every_process_and_of_later_execs() {
    let bench = Bench::new();
    let command = bench.command(&["seq", "spawn-bg", "1000", ",", "pause"]);
    bench.while_running(&command, |init| {
        let id = command.id.as_str();
        let pids = || bench.driver.pids(id).unwrap();
        assert!(within(SOON, || pids().len() == 2), "{:?}", pids());
        let rlimit = |name, soft, hard| Rlimit {
            kind: Rlimit::kind_of(name).unwrap(),
            soft,
            hard,
        };
        let update = resources(|_, linux| {
            linux.rlimits = vec![rlimit("nofile", 33, 44), rlimit("core", 0, 0)];
            linux.oom_score_adj = Some(777);
        });
        bench.driver.update(id, &update).unwrap();
        for pid in pids() {
            let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            let files = limits
                .lines()
                .find(|line| line.starts_with("Max open files"))
                .unwrap();
            let words: Vec<_> = files.split_whitespace().collect();
            assert_eq!(words[3..5], ["33", "44"], "{pid} of {:?}", init.pid);
            let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
            assert_eq!(score, "777\n");
        }
        let request = ExecRequest::new(process(&["seq", "limits", ",", "oomadj"]));
        let said: Outcome = bench.try_exec_with(id, &request, Pipes::null()).unwrap();
        assert!(said.out.contains("NOFILE 33 44\n"), "{}", said.out);
        assert!(said.out.ends_with("\n777\n"), "{}", said.out);
    });
}

#[test]
fn updates_of_one_container_do_not_mix() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, &["pause"], memory(100));
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        let one = |number: i64| {
            let update = resources(|common, linux| {
                common.memory = number * MIB;
                linux.memory_swap = number * MIB;
                linux.pids_limit = number;
            });
            bench.driver.update(id, &update).unwrap();
        };
        thread::scope(|scope| {
            for number in 101..109 {
                scope.spawn(move || (0..10).for_each(|_| one(number)));
            }
        });
        let pids: i64 = reads(id, ("pids", "pids.max"), "pids.max").parse().unwrap();
        assert!((101..109).contains(&pids));
        assert_eq!(
            (limit(id), swap(id)),
            ((pids * MIB).to_string(), total(pids, pids))
        );
        assert_eq!(statistics(&bench, id), pids * MIB);
    });
}
