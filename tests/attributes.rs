//! Attributes of processes and time namespaces, seen from inside and outside, in run and exec.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::{
    Command, Error, IoClass, IoPriority, LinuxCommand, MemoryMode, MemoryPolicy, Personality,
    ProcessAttributes, Scheduler, SchedulerPolicy, Securebit, TimeOffset, TimeOffsets,
};
use support::{Need, is_root, skip_unless};

fn with(bench: &Bench, words: &[&str], attributes: ProcessAttributes) -> Command {
    let command = bench.command(words);
    command.with_linux(|linux| {
        linux.attributes = attributes;
        // The default filter hides from the program what is looked at here: get_mempolicy(2).
        linux.seccomp_profile = "unconfined".into();
    })
}

/// What these words say in the container and, the same, in an exec.
#[track_caller]
fn said(bench: &Bench, words: &[&str], attributes: &ProcessAttributes) -> String {
    let inside = bench.output(&with(bench, words, attributes.clone()));
    let command = with(bench, &["pause"], attributes.clone());
    let (_, exec) = bench.while_running(&command, |_| bench.exec(&command.id, words).out);
    assert_eq!(exec, inside, "an exec gets what its container has");
    inside
}

/// The field of an `InvalidCommand` that the host or the kernel gave.
#[track_caller]
fn invalid(bench: &Bench, attributes: ProcessAttributes) -> String {
    let (error, text) = refused(bench.try_run(&with(bench, &["true"], attributes)));
    match error {
        Error::InvalidCommand { field, .. } => field,
        _ => panic!("{text}"),
    }
}

#[test]
fn the_scheduler_is_the_one_asked_for() {
    let bench = Bench::new();
    let of = |policy, nice| ProcessAttributes {
        scheduler: Some(Scheduler {
            policy,
            nice,
            ..Scheduler::default()
        }),
        ..ProcessAttributes::default()
    };
    let batch = of(SchedulerPolicy::Batch, 2);
    assert_eq!(
        said(&bench, &["sched"], &batch),
        "policy 3 flags 0 nice 2 priority 0\n"
    );
    // Not the policy idle, nor 19: on a busy machine they get next to nothing.
    let nice = of(SchedulerPolicy::Other, 3);
    assert_eq!(said(&bench, &["nice"], &nice), "3\n");
    // From the outside, and with init in between.
    let command = with(&bench, &["pause"], batch).with_linux(|linux| linux.init = true);
    bench.while_running(&command, |started| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", started.pid)).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        // Counted from 3: nice is field 19, policy field 41.
        assert_eq!((fields[19 - 3], fields[41 - 3]), ("2", "3"));
    });
}

#[test]
fn a_scheduler_that_the_user_may_not_have_is_a_failed_start_that_names_it() {
    let bench = Bench::new();
    let realtime = ProcessAttributes {
        scheduler: Some(Scheduler {
            policy: SchedulerPolicy::Fifo,
            priority: 3,
            reset_on_fork: true,
            ..Scheduler::default()
        }),
        ..ProcessAttributes::default()
    };
    match bench.try_run(&with(&bench, &["sched"], realtime)) {
        // SCHED_RESET_ON_FORK is bit 0 of the flags.
        Ok(outcome) => assert_eq!(outcome.out, "policy 1 flags 1 nice 0 priority 3\n"),
        refused => {
            let (error, text) = contract::refused(refused);
            assert!(!is_root() || text.contains("not permitted"), "{text}");
            assert!(matches!(error, Error::Setup { .. }), "{text}");
            assert!(text.contains("attributes.scheduler"), "{text}");
        }
    }
}

#[test]
fn io_priority_and_personality_are_those_asked_for() {
    let bench = Bench::new();
    let attributes = ProcessAttributes {
        io_priority: Some(IoPriority {
            class: IoClass::BestEffort,
            level: 6,
        }),
        personality: Some(Personality::Linux32),
        ..ProcessAttributes::default()
    };
    assert_eq!(said(&bench, &["ioprio"], &attributes), "class 2 level 6\n");
    let machine = said(&bench, &["uname"], &attributes);
    assert!(
        ["i686\n", "armv8l\n"].contains(&machine.as_str()),
        "{machine}"
    );
    let idle = ProcessAttributes {
        io_priority: Some(IoPriority {
            class: IoClass::Idle,
            level: 0,
        }),
        personality: Some(Personality::Linux),
        ..ProcessAttributes::default()
    };
    assert_eq!(said(&bench, &["ioprio"], &idle), "class 3 level 0\n");
    assert_eq!(
        said(&bench, &["uname"], &idle),
        format!("{}\n", std::env::consts::ARCH)
    );
}

#[test]
fn processors_are_exactly_those_asked_for_or_an_error() {
    let bench = Bench::new();
    let cpus = |list: &str| ProcessAttributes {
        cpus: list.into(),
        ..ProcessAttributes::default()
    };
    let words = ["status", "Cpus_allowed_list"];
    assert_eq!(said(&bench, &words, &cpus("0")), "Cpus_allowed_list 0\n");
    // The kernel would take what it has of these in silence.
    for list in ["0,1500", "0-65535"] {
        assert_eq!(invalid(&bench, cpus(list)), "attributes.cpus", "{list}");
    }
    assert_eq!(invalid(&bench, cpus("8191")), "attributes.cpus");
}

#[test]
fn memory_comes_by_the_policy_asked_for() {
    if skip_unless(&[Need::Path("/sys/devices/system/node/node0")]) {
        return;
    }
    let bench = Bench::new();
    let of = |mode, nodes: &str| ProcessAttributes {
        memory_policy: Some(MemoryPolicy {
            mode,
            nodes: nodes.into(),
            static_nodes: nodes == "0",
            ..MemoryPolicy::default()
        }),
        ..ProcessAttributes::default()
    };
    let bound = said(&bench, &["mempolicy"], &of(MemoryMode::Bind, "0"));
    assert_eq!(bound, "mode 0x8002 nodes 0x1\n");
    let local = said(&bench, &["mempolicy"], &of(MemoryMode::Local, ""));
    assert_eq!(local, "mode 0x4 nodes 0x0\n");
    let field = invalid(&bench, of(MemoryMode::Interleave, "900"));
    assert_eq!(field, "attributes.memory_policy");
}

#[test]
fn securebits_are_set_and_stay_locked() {
    let bench = Bench::new();
    let attributes = ProcessAttributes {
        securebits: vec![Securebit::Noroot, Securebit::NorootLocked],
        ..ProcessAttributes::default()
    };
    assert_eq!(said(&bench, &["securebits"], &attributes), "0x3\n");
    // Root without the privileges of root: a program that it executes has no capabilities.
    let caps = bench.output(&with(&bench, &["caps"], attributes.clone()));
    assert!(caps.contains("CapEff 0000000000000000"), "{caps}");
    if is_root() {
        let mut command = with(&bench, &["securebits"], attributes);
        command.process.user = "1000".into();
        assert_eq!(bench.output(&command), "0x3\n");
    }
}

#[test]
fn a_time_namespace_has_its_own_clocks_and_execs_enter_it() {
    if skip_unless(&[Need::Path("/proc/self/timens_offsets")]) {
        return;
    }
    let bench = Bench::new();
    let shifted = |linux: &mut LinuxCommand| {
        linux.time_offsets = Some(TimeOffsets {
            monotonic: TimeOffset {
                secs: 1_000_000,
                nanosecs: 1,
            },
            boottime: TimeOffset {
                secs: 2_000_000,
                nanosecs: 0,
            },
        });
    };
    let clocks = |text: &str| -> (i64, i64) {
        let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let host = clocks(&bench.says(&["clocks"]));
    let check = |text: &str| {
        let inside = clocks(text);
        let ahead = (inside.0 - host.0, inside.1 - host.1);
        // Later than `host` by as long as this machine takes.
        assert!((1_000_000..1_000_600).contains(&ahead.0), "{ahead:?}");
        assert!((2_000_000..2_000_600).contains(&ahead.1), "{ahead:?}");
    };
    for init in [false, true] {
        let command = bench.command(&["clocks"]).with_linux(shifted);
        check(&bench.output(&command.with_linux(|linux| linux.init = init)));
    }
    let command = bench.command(&["pause"]).with_linux(shifted);
    bench.while_running(&command, |started| {
        check(&bench.exec(&command.id, &["clocks"]).out);
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/time"));
        if let (Ok(theirs), Ok(ours)) = (namespace(&started.pid.to_string()), namespace("self")) {
            assert_ne!(theirs, ours);
        }
    });
    // A clock before its beginning.
    let command = bench.command(&["true"]).with_linux(|linux| {
        linux.time_offsets = Some(TimeOffsets {
            monotonic: TimeOffset {
                secs: -4_000_000_000,
                nanosecs: 0,
            },
            ..TimeOffsets::default()
        });
    });
    let (error, text) = refused(bench.try_run(&command));
    assert!(
        matches!(&error, Error::InvalidCommand { field, .. } if field == "time_offsets"),
        "{text}"
    );
}

#[test]
fn core_scheduling_gives_a_cookie_that_execs_share_or_is_unsupported() {
    let bench = Bench::new();
    let attributes = ProcessAttributes {
        core_scheduling: true,
        ..ProcessAttributes::default()
    };
    let command = with(&bench, &["cookie"], attributes.clone());
    let outcome = match bench.try_run(&command) {
        Ok(outcome) => outcome,
        refused => {
            let (error, text) = contract::refused(refused);
            assert!(matches!(error, Error::Unsupported { .. }), "{text}");
            assert!(text.contains("attributes.core_scheduling"), "{text}");
            return;
        }
    };
    assert_ne!(outcome.out, "0\n");
    let command = with(&bench, &["pause"], attributes);
    bench.while_running(&command, |_| {
        let first = bench.exec(&command.id, &["cookie"]).out;
        assert_ne!(first, "0\n");
        assert_eq!(bench.exec(&command.id, &["cookie"]).out, first);
    });
}

#[test]
fn labels_and_profiles_are_refused_where_no_module_enforces_them() {
    let bench = Bench::new();
    let mut labelled = bench.command(&["true"]);
    labelled.process_label = "system_u:system_r:container_t:s0".into();
    let mut mounts = bench.command(&["true"]);
    mounts.mount_label = "system_u:object_r:container_file_t:s0".into();
    let profiled = bench.command(&["true"]).with_linux(|linux| {
        linux.apparmor_profile = "execdriver-no-such-profile".into();
    });
    let selinux = support::has(Need::SeLinux);
    for (command, field, present) in [
        (labelled, "process_label", selinux),
        (mounts, "mount_label", selinux),
        (profiled, "apparmor_profile", support::has(Need::AppArmor)),
    ] {
        if present {
            continue;
        }
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        assert!(text.contains(field), "{text}");
    }
    let unconfined = bench.command(&["true"]);
    let unconfined = unconfined.with_linux(|linux| linux.apparmor_profile = "unconfined".into());
    bench.output(&unconfined);
}
