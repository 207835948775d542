//! What is wrong with Landlock rules, time offsets and attributes is said with the field's name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use execdriver_core::{
    Command, Error, IoClass, IoPriority, Landlock, LinuxCommand, MemoryMode, MemoryPolicy,
    Scheduler, SchedulerPolicy, Spec, TimeOffset, TimeOffsets,
};

/// The field and the reason that `validate` gives after `change`.
#[track_caller]
fn after(change: impl FnOnce(&mut LinuxCommand)) -> (String, String) {
    let command = Command::linux("web-1", "/srv/rootfs", "/bin/sh").with_linux(change);
    match command.validate() {
        Err(Error::InvalidCommand { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn scheduler(scheduler: Scheduler) -> (String, String) {
    after(|linux| linux.attributes.scheduler = Some(scheduler))
}

#[track_caller]
fn good(change: impl FnOnce(&mut LinuxCommand)) {
    let command = Command::linux("web-1", "/srv/rootfs", "/bin/sh").with_linux(change);
    command.validate().unwrap();
    Spec::from_command(&command, "native").unwrap();
}

#[test]
fn landlock_rules_have_absolute_paths_and_restrict_something() {
    let relative = Landlock {
        read: vec!["/".into()],
        write_noexec: vec!["/tmp".into(), "tmp".into()],
        ..Landlock::default()
    };
    let (field, _) = after(|linux| linux.landlock = Some(relative));
    assert_eq!(field, "landlock.write_noexec[1]");
    let (field, reason) = after(|linux| {
        linux.landlock = Some(Landlock {
            best_effort: true,
            ..Landlock::default()
        });
    });
    assert_eq!(field, "landlock");
    assert!(reason.contains("no rule"), "{reason}");
    // No port at all is a rule.
    let no_ports = Landlock {
        connect_tcp: Some(Vec::new()),
        ..Landlock::default()
    };
    good(|linux| linux.landlock = Some(no_ports));
}

#[test]
fn a_scheduler_has_what_its_policy_takes_and_nothing_else() {
    use SchedulerPolicy::{Batch, Deadline, Fifo, Rr};
    let of = |policy| Scheduler {
        policy,
        ..Scheduler::default()
    };
    let field = |scheduler: Scheduler| self::scheduler(scheduler).0;
    let prefix = "attributes.scheduler.";
    for (bad, key) in [
        (
            Scheduler {
                nice: 20,
                ..of(Batch)
            },
            "nice",
        ),
        (
            Scheduler {
                nice: -21,
                ..Scheduler::default()
            },
            "nice",
        ),
        (
            Scheduler {
                nice: 1,
                priority: 1,
                ..of(Rr)
            },
            "nice",
        ),
        (of(Fifo), "priority"),
        (
            Scheduler {
                priority: 100,
                ..of(Fifo)
            },
            "priority",
        ),
        (
            Scheduler {
                priority: 1,
                ..of(Batch)
            },
            "priority",
        ),
        (
            Scheduler {
                runtime_ns: 5,
                ..of(Batch)
            },
            "runtime_ns",
        ),
        (of(Deadline), "period_ns"),
        (
            Scheduler {
                deadline_ns: 20_000,
                period_ns: 10_000,
                ..of(Deadline)
            },
            "deadline_ns",
        ),
        (
            Scheduler {
                runtime_ns: 20_000,
                deadline_ns: 10_000,
                ..of(Deadline)
            },
            "runtime_ns",
        ),
        (
            Scheduler {
                deadline_ns: u64::MAX,
                ..of(Deadline)
            },
            "period_ns",
        ),
    ] {
        assert_eq!(field(bad), format!("{prefix}{key}"), "{bad:?}");
    }
    assert_eq!(
        scheduler(Scheduler {
            nice: 20,
            ..of(Batch)
        })
        .1,
        "got 20, expected -20 to 19"
    );
    let deadline = Scheduler {
        runtime_ns: 1_000_000,
        deadline_ns: 2_000_000,
        ..of(Deadline)
    };
    good(|linux| linux.attributes.scheduler = Some(deadline));
    let (field, _) = after(|linux| {
        linux.init = true;
        linux.attributes.scheduler = Some(deadline);
    });
    assert_eq!(field, "attributes.scheduler.policy");
    let (field, _) = after(|linux| {
        linux.init = true;
        linux.attributes.scheduler = Some(Scheduler {
            reset_on_fork: true,
            ..Scheduler::default()
        });
    });
    assert_eq!(field, "attributes.scheduler.reset_on_fork");
}

#[test]
fn io_priorities_and_lists_of_processors_and_nodes_are_in_range() {
    let priority = |class, level| {
        move |linux: &mut LinuxCommand| {
            linux.attributes.io_priority = Some(IoPriority { class, level });
        }
    };
    assert_eq!(
        after(priority(IoClass::BestEffort, 8)).0,
        "attributes.io_priority.level"
    );
    assert_eq!(
        after(priority(IoClass::Idle, 1)).0,
        "attributes.io_priority.level"
    );
    good(priority(IoClass::Realtime, 7));
    for bad in ["x", "1-", "3-1", "0,,1", "65536", "-1", " 1", "0x1"] {
        let (field, reason) = after(|linux| linux.attributes.cpus = bad.into());
        assert_eq!(field, "attributes.cpus", "{bad}");
        assert!(reason.contains("expected a list like 0-2,4"), "{reason}");
    }
    good(|linux| linux.attributes.cpus = "0-3,1500,8191".into());
}

#[test]
fn a_memory_policy_has_the_nodes_and_flags_of_its_mode() {
    let of = |mode, nodes: &str| MemoryPolicy {
        mode,
        nodes: nodes.into(),
        ..MemoryPolicy::default()
    };
    let bind = || of(MemoryMode::Bind, "0");
    for (bad, key) in [
        (of(MemoryMode::Bind, ""), "nodes"),
        (of(MemoryMode::Interleave, "0-"), "nodes"),
        (of(MemoryMode::Local, "0"), "nodes"),
        (
            MemoryPolicy {
                static_nodes: true,
                relative_nodes: true,
                ..bind()
            },
            "relative_nodes",
        ),
        (
            MemoryPolicy {
                static_nodes: true,
                ..of(MemoryMode::Preferred, "")
            },
            "static_nodes",
        ),
        (
            MemoryPolicy {
                numa_balancing: true,
                ..of(MemoryMode::Preferred, "0")
            },
            "numa_balancing",
        ),
    ] {
        let (field, _) = after(|linux| linux.attributes.memory_policy = Some(bad.clone()));
        assert_eq!(field, format!("attributes.memory_policy.{key}"), "{bad:?}");
    }
    good(|linux| linux.attributes.memory_policy = Some(bind()));
}

#[test]
fn time_offsets_are_what_clocks_can_show() {
    let offset = |secs, nanosecs| {
        move |linux: &mut LinuxCommand| {
            linux.time_offsets = Some(TimeOffsets {
                boottime: TimeOffset { secs, nanosecs },
                ..TimeOffsets::default()
            });
        }
    };
    assert_eq!(
        after(offset(0, 1_000_000_000)).0,
        "time_offsets.boottime.nanosecs"
    );
    assert_eq!(after(offset(i64::MIN, 0)).0, "time_offsets.boottime.secs");
    assert_eq!(
        after(offset(4_611_686_019, 0)).0,
        "time_offsets.boottime.secs"
    );
    good(offset(-5, 999_999_999));
}

#[test]
fn unknown_words_and_keys_are_named() {
    for (json, field, words) in [
        (
            r#"{"attributes":{"foo":1}}"#,
            "attributes.foo",
            "unknown field",
        ),
        (r#"{"attributes":[]}"#, "attributes", "expected an object"),
        (
            r#"{"attributes":{"scheduler":{"policy":"iso"}}}"#,
            "attributes.scheduler.policy",
            "unknown variant `iso`",
        ),
        (
            r#"{"attributes":{"securebits":["keep_caps"]}}"#,
            "attributes.securebits[0]",
            "unknown variant",
        ),
        (
            r#"{"attributes":{"personality":{}}}"#,
            "attributes.personality",
            "expected a string",
        ),
        (
            r#"{"landlock":{"bind_tcp":[65536]}}"#,
            "landlock.bind_tcp[0]",
            "65536",
        ),
        (
            r#"{"time_offsets":{"realtime":{}}}"#,
            "time_offsets.realtime",
            "unknown field",
        ),
    ] {
        match Command::from_json(json) {
            Err(Error::InvalidCommand { field: got, reason }) => {
                assert_eq!(got, field, "{reason}");
                assert!(reason.contains(words), "{reason}");
            }
            other => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn the_attributes_travel_in_the_words_of_oci_and_to_execs() {
    let json = r#"{"id":"a","rootfs":"/r","process_config":{"entrypoint":"x"},
        "time_offsets":{"boottime":{"secs":7}},
        "landlock":{"read":["/"],"write":null},
        "attributes":{"scheduler":{"policy":"batch","nice":3},"io_priority":{"class":"idle"},
        "cpus":"0","personality":"linux32","securebits":["noroot"],
        "memory_policy":{"mode":"bind","nodes":"0","static_nodes":true}}}"#;
    let spec = Spec::from_command(&Command::from_json(json).unwrap(), "native").unwrap();
    let oci = serde_json::to_value(&spec.oci).unwrap();
    let at = |path: &str| oci.pointer(path).unwrap().to_string();
    assert_eq!(
        at("/process/scheduler"),
        r#"{"nice":3,"policy":"SCHED_BATCH"}"#
    );
    assert_eq!(
        at("/process/ioPriority"),
        r#"{"class":"IOPRIO_CLASS_IDLE","priority":0}"#
    );
    assert_eq!(at("/linux/personality/domain"), r#""LINUX32""#);
    assert_eq!(at("/linux/memoryPolicy/mode"), r#""MPOL_BIND""#);
    assert_eq!(
        at("/linux/memoryPolicy/flags"),
        r#"["MPOL_F_STATIC_NODES"]"#
    );
    assert_eq!(at("/linux/timeOffsets/boottime/secs"), "7");
    assert!(at("/linux/namespaces").contains(r#"{"type":"time"}"#));
    let defaults = spec.exec_defaults();
    assert_eq!(defaults.controls, spec.controls());
    assert!(defaults.controls.landlock.is_some());
    // What the state on disk holds is read back.
    let stored = serde_json::to_string(&defaults).unwrap();
    let read: execdriver_core::spec::ExecDefaults = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, defaults);
}
