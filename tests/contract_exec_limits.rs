//! Execs with limits of their own.
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
use contract::{Bench, Outcome, SOON, process, refused, with_timeout};
use execdriver::{
    Command, Error, ExecRequest, ExitReason, Hooks, LinuxResources, Pipes, Resources, Rlimit,
    Signal, Target,
};
use host::{alive, assert_gone, cgroups_of};
use std::sync::mpsc;
use std::{fs, thread};
use support::{Need, skip_unless, within};

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

fn request(words: &[&str], id: &str, resources: Resources) -> ExecRequest {
    ExecRequest::new(process(words))
        .exec_id(id)
        .resources(resources)
}

fn container(bench: &Bench) -> Command {
    Command {
        resources: Some(memory(256)),
        ..bench.command(&["pause"])
    }
}

/// Runs an exec, and `act` with its pid while it runs; it is killed then.
fn while_executing<T>(
    bench: &Bench,
    container: &str,
    request: &ExecRequest,
    act: impl FnOnce(u32) -> T,
) -> (Outcome, T) {
    let target = Target::exec(container, request.exec_id.as_deref().unwrap());
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        let run = scope.spawn(move || {
            let hooks = Hooks::none().on_start(move |context| Ok(send.send(context.pid)?));
            bench.driver.exec(container, request, Pipes::null(), &hooks)
        });
        let value = receive.recv_timeout(SOON).ok().map(act);
        let _ = bench.driver.kill(&target, Signal::KILL);
        let status = run.join().unwrap().unwrap();
        let outcome = Outcome {
            status,
            out: String::new(),
            err: String::new(),
        };
        (outcome, value.expect("the exec starts"))
    })
}

#[test]
fn an_exec_with_limits_is_in_a_cgroup_of_its_own_below_the_containers() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench);
    bench.while_running(&command, |init| {
        let id = command.id.as_str();
        let mut limits = memory(32);
        limits.cpu_shares = 512;
        limits.linux.as_mut().unwrap().pids_limit = 7;
        let request = request(&["pause"], "lim", limits);
        let (outcome, ()) = while_executing(&bench, id, &request, |pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
            let ending = format!("{id}/exec-lim");
            assert!(text.lines().all(|line| line.ends_with(&ending)), "{text}");
            let limit = reads(
                "exec-lim",
                ("memory", "memory.limit_in_bytes"),
                "memory.max",
            );
            assert_eq!(limit, (32 * MIB).to_string());
            assert_eq!(reads("exec-lim", ("pids", "pids.max"), "pids.max"), "7");
            let shares = reads("exec-lim", ("cpu", "cpu.shares"), "cpu.weight");
            assert_eq!(shares, if is_unified() { "59" } else { "512" });
            let limit = reads(id, ("memory", "memory.limit_in_bytes"), "memory.max");
            assert_eq!(limit, (256 * MIB).to_string());
            // Others go on to be where the first process is, and in all that is counted.
            let plain = bench.exec(id, &["true"]);
            assert_eq!(plain.status.code, 0);
            assert_eq!(bench.driver.pids(id).unwrap().len(), 2);
            assert!(alive(init.pid));
        });
        assert_eq!(outcome.status.reason, ExitReason::KilledByCaller);
        assert!(cgroups_of("exec-lim").is_empty());
        assert_eq!(bench.exec(id, &["exit", "3"]).status.code, 3);
        assert_eq!(bench.driver.pids(id).unwrap(), [init.pid]);
    });
    assert!(cgroups_of(&command.id).is_empty());
}

#[test]
fn an_exec_that_outgrows_its_memory_is_killed_alone_and_says_so() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench);
    bench.while_running(&command, |init| {
        let id = command.id.as_str();
        for round in 0..3 {
            let name = format!("big-{round}");
            let request = request(&["alloc", "64"], &name, memory(16));
            let status = bench
                .try_exec_with(id, &request, Pipes::null())
                .unwrap()
                .status;
            assert_eq!(status.signal, Some(Signal::KILL));
            assert!(status.oom_killed, "{status:?}");
            assert!(
                status.peak_memory.is_none_or(|peak| peak <= 16 << 20),
                "{status:?}"
            );
            assert!(cgroups_of(&format!("exec-{name}")).is_empty());
        }
        assert!(alive(init.pid));
        let small = request(&["alloc", "4"], "small", memory(16));
        let status = bench
            .try_exec_with(id, &small, Pipes::null())
            .unwrap()
            .status;
        assert!(status.success() && !status.oom_killed, "{status:?}");
        assert!(status.cpu_user.is_some() && status.cpu_system.is_some());
    });
}

#[test]
fn what_an_exec_with_limits_leaves_ends_with_it() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench);
    bench.while_running(&command, |init| {
        let id = command.id.as_str();
        let pids = || bench.driver.pids(id).unwrap();
        // By its end.
        let ended = request(&["spawn-bg", "1000"], "ended", memory(64));
        let outcome = bench.try_exec_with(id, &ended, Pipes::null()).unwrap();
        assert!(outcome.status.success(), "{outcome:?}");
        assert_eq!(pids(), [init.pid]);
        // By a kill of its id, from another program.
        let killed = request(
            &["seq", "spawn-bg", "1000", ",", "pause"],
            "killed",
            memory(64),
        );
        let (outcome, left) = while_executing(&bench, id, &killed, |_| {
            assert!(within(SOON, || pids().len() == 3), "{:?}", pids());
            let all = pids();
            let target = Target::exec(id, "killed");
            bench.other_driver().kill(&target, Signal::KILL).unwrap();
            all.into_iter()
                .filter(|pid| *pid != init.pid)
                .collect::<Vec<_>>()
        });
        assert_eq!(outcome.status.reason, ExitReason::KilledByCaller);
        left.into_iter().for_each(assert_gone);
        // By a timeout.
        let late = request(
            &["seq", "spawn-bg", "1000", ",", "pause"],
            "late",
            memory(64),
        );
        let status = with_timeout(|options| {
            bench.try_exec_with(id, &late.clone().options(options), Pipes::null())
        });
        assert_eq!(status.unwrap().status.reason, ExitReason::TimedOut);
        assert_eq!(pids(), [init.pid]);
    });
}

#[test]
fn many_execs_with_limits_at_once_leave_nothing() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench);
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        let one = |number: usize| {
            for round in 0..3 {
                let name = format!("many-{number}-{round}");
                let plain = ExecRequest::new(process(&["exit", "5"]));
                let limited = request(&["exit", "5"], &name, memory(32));
                let request = if number.is_multiple_of(2) {
                    plain
                } else {
                    limited
                };
                let status = bench
                    .try_exec_with(id, &request, Pipes::null())
                    .unwrap()
                    .status;
                assert_eq!(status.code, 5, "{status:?}");
            }
        };
        thread::scope(|scope| {
            for number in 0..6 {
                scope.spawn(move || one(number));
            }
        });
        assert!(cgroups_of("exec-many").is_empty());
        assert_eq!(bench.driver.pids(id).unwrap().len(), 1);
    });
    assert!(cgroups_of(&command.id).is_empty());
}

#[test]
fn bad_limits_of_an_exec_are_refused_and_leave_nothing() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench);
    bench.while_running(&command, |init| {
        let id = command.id.as_str();
        let set = Resources {
            linux: Some(LinuxResources {
                cpuset_cpus: "4095".to_owned(),
                ..LinuxResources::default()
            }),
            ..Resources::default()
        };
        for (field, limits) in [
            (
                "resources.memory",
                Resources {
                    memory: 5,
                    ..Resources::default()
                },
            ),
            (
                "resources.cpu_shares",
                Resources {
                    cpu_shares: 1,
                    ..Resources::default()
                },
            ),
            ("resources.cpuset_cpus", set),
        ] {
            let request = request(&["true"], "bad", limits);
            let (error, text) = refused(bench.try_exec_with(id, &request, Pipes::null()));
            assert!(
                matches!(&error, Error::InvalidCommand { field: found, .. } if found == field),
                "{text}"
            );
            assert!(cgroups_of("exec-bad").is_empty());
        }
        assert_eq!(bench.driver.pids(id).unwrap(), [init.pid]);
        assert_eq!(bench.exec(id, &["true"]).status.code, 0);
    });
}

#[test]
fn limits_of_an_execs_process_need_no_cgroup() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        let nofile = Rlimit {
            kind: Rlimit::kind_of("nofile").unwrap(),
            soft: 33,
            hard: 44,
        };
        let limits = Resources {
            linux: Some(LinuxResources {
                rlimits: vec![nofile],
                oom_score_adj: Some(555),
                ..LinuxResources::default()
            }),
            ..Resources::default()
        };
        let words = ["seq", "limits", ",", "oomadj"];
        let request = request(&words, "own", limits);
        let said = bench
            .try_exec_with(&command.id, &request, Pipes::null())
            .unwrap()
            .out;
        assert!(
            said.contains("NOFILE 33 44\n") && said.ends_with("\n555\n"),
            "{said}"
        );
        let plain = bench.exec(&command.id, &["limits"]).out;
        assert!(!plain.contains("NOFILE 33 44\n"), "{plain}");
    });
}

#[test]
fn an_exec_enters_a_container_that_has_moved_into_a_cgroup_of_its_own_making() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = container(&bench);
    bench.while_running(&command, |init| {
        let id = command.id.as_str();
        // What an init system does in a container that may write its cgroups.
        let dir = cgroup::directory(id, "memory");
        fs::create_dir(dir.join("init.scope")).unwrap();
        fs::write(dir.join("init.scope/cgroup.procs"), init.pid.to_string()).unwrap();
        if is_unified() {
            fs::write(dir.join("cgroup.subtree_control"), "+memory").unwrap();
        }
        assert_eq!(bench.exec(id, &["exit", "4"]).status.code, 4);
        let limited = request(&["alloc", "64"], "inside", memory(16));
        let status = bench
            .try_exec_with(id, &limited, Pipes::null())
            .unwrap()
            .status;
        assert!(status.oom_killed, "{status:?}");
        assert_eq!(bench.driver.pids(id).unwrap(), [init.pid]);
    });
    assert!(cgroups_of(&command.id).is_empty());
}
