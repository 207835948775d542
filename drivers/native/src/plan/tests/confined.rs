//! Security modules, time namespaces and attributes of processes: the steps, their places, and
//! what is refused.

use super::golden::check;
use super::*;
use crate::plan::exec::Running;
use execdriver_core::{
    Error, ExecRequest, IoClass, IoPriority, Landlock, MemoryMode, MemoryPolicy, Personality,
    ProcessConfig, Scheduler, SchedulerPolicy, Securebit, TimeOffset, TimeOffsets,
};
use oci_spec::runtime;

/// A host on which everything is in force.
fn confining_host() -> Host<'static> {
    Host {
        apparmor: AppArmor::Active {
            default: Ok("execdriver-default".to_owned()),
        },
        selinux: true,
        ..root_host()
    }
}

fn confined() -> Command {
    let mut command = command();
    command.process_label = "system_u:system_r:container_t:s0:c1,c2".into();
    command.mount_label = "system_u:object_r:container_file_t:s0:c1,c2".into();
    command.with_linux(|linux| {
        linux.time_offsets = Some(TimeOffsets {
            boottime: TimeOffset {
                secs: -3,
                nanosecs: 5,
            },
            ..TimeOffsets::default()
        });
        linux.landlock = Some(Landlock {
            read: vec!["/usr".into()],
            write_noexec: vec!["/tmp".into()],
            connect_tcp: Some(vec![443]),
            ..Landlock::default()
        });
        let attributes = &mut linux.attributes;
        attributes.scheduler = Some(Scheduler {
            policy: SchedulerPolicy::Batch,
            nice: 5,
            ..Scheduler::default()
        });
        attributes.io_priority = Some(IoPriority {
            class: IoClass::BestEffort,
            level: 7,
        });
        attributes.cpus = "0-1".into();
        attributes.memory_policy = Some(MemoryPolicy {
            mode: MemoryMode::Bind,
            nodes: "0".into(),
            static_nodes: true,
            ..MemoryPolicy::default()
        });
        attributes.core_scheduling = true;
        attributes.personality = Some(Personality::Linux32);
        attributes.securebits = vec![Securebit::Noroot, Securebit::NorootLocked];
    })
}

fn refused(host: &Host, spec: &Spec) -> Error {
    Error::from(build(spec, host).unwrap_err())
}

#[test]
fn a_confined_container_and_an_exec_in_it() {
    let host = confining_host();
    let plan = build(&spec(&confined()), &host).unwrap();
    check("confined", &plan);
    assert_eq!(plan.clone_flags, 0x6c02_0000);
    assert_eq!(plan.apparmor.as_deref(), Some("execdriver-default"));
    assert!(
        plan.foreign_namespaces()
            .iter()
            .any(|one| one.kind == Kind::Time)
    );

    let mut defaults = spec(&confined()).exec_defaults();
    defaults.process.set_apparmor_profile(plan.apparmor);
    let exec = defaults
        .exec(&ExecRequest::new(ProcessConfig::new("date")))
        .unwrap();
    let running = Running {
        namespaces: [Kind::Mount, Kind::Pid, Kind::Time].into_iter().collect(),
        denies_setgroups: false,
        pid: 7,
        may_trace: false,
    };
    let plan = Plan::for_exec(&exec, &running, &host, &RunInput::default()).unwrap();
    check("confined-exec", &plan);
}

#[test]
fn an_ordinary_users_confined_container() {
    let mut command = confined();
    command.process_label.clear();
    command.mount_label.clear();
    let plan = build(&spec(&command), &user_host()).unwrap();
    check("user-confined", &plan);
}

#[test]
fn apparmor_is_the_default_profile_the_one_asked_for_or_none() {
    let profile = |host: &Host, change: fn(&mut Command)| {
        let mut command = command();
        change(&mut command);
        build(&spec(&command), host).unwrap().apparmor
    };
    let host = confining_host();
    let none: fn(&mut Command) = |_| {};
    assert_eq!(profile(&host, none).as_deref(), Some("execdriver-default"));
    assert_eq!(profile(&root_host(), none), None);
    let unconfined: fn(&mut Command) = |command| {
        command.as_linux_mut().unwrap().apparmor_profile = "unconfined".into();
    };
    assert_eq!(profile(&host, unconfined).as_deref(), Some("unconfined"));
    assert_eq!(profile(&root_host(), unconfined), None);
    let privileged: fn(&mut Command) = |command| command.process.privileged = true;
    assert_eq!(profile(&host, privileged).as_deref(), Some("unconfined"));
}

#[test]
fn a_default_profile_that_cannot_be_loaded_is_said_and_refused_when_strict() {
    let host = Host {
        apparmor: AppArmor::Active {
            default: Err("apparmor_parser is not installed".into()),
        },
        ..root_host()
    };
    let spec = spec(&command());
    let plan = build(&spec, &host).unwrap();
    let said = "the default AppArmor profile: apparmor_parser is not installed";
    assert!(plan.unenforced.iter().any(|sentence| sentence == said));
    let strict = RunInput {
        strict: true,
        ..RunInput::default()
    };
    let error = Plan::build(&spec, &host, &sources(), &strict).unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn what_the_host_has_not_is_unsupported_by_its_field() {
    let bare = Host {
        landlock_abi: 0,
        core_scheduling: Err("no processor has several hardware threads".to_owned()),
        time_namespaces: false,
        ..root_host()
    };
    type Change = fn(&mut Command);
    let changes: [(&str, Change); 6] = [
        ("process_label", |command| {
            command.process_label = "a:b:c".into()
        }),
        ("mount_label", |command| {
            command.mount_label = "a:b:c".into()
        }),
        ("apparmor_profile \"mine\"", |command| {
            command.as_linux_mut().unwrap().apparmor_profile = "mine".into();
        }),
        ("landlock", |command| {
            command.as_linux_mut().unwrap().landlock = Some(Landlock {
                read: vec!["/".into()],
                best_effort: true,
                ..Landlock::default()
            });
        }),
        ("time_offsets", |command| {
            command.as_linux_mut().unwrap().time_offsets = Some(TimeOffsets::default());
        }),
        ("attributes.core_scheduling: no processor", |command| {
            command.as_linux_mut().unwrap().attributes.core_scheduling = true;
        }),
    ];
    for (what, change) in changes {
        let mut command = command();
        change(&mut command);
        let error = refused(&bare, &spec(&command));
        assert!(
            matches!(error, Error::Unsupported { .. }),
            "{what}: {error}"
        );
        assert!(error.to_string().contains(what), "{error} has no {what}");
    }
}

#[test]
fn what_a_document_alone_can_ask_for_is_judged_too() {
    let host = root_host();
    let invalid = |change: fn(&mut Spec), field: &str| {
        let mut spec = spec(&command());
        change(&mut spec);
        match refused(&host, &spec) {
            Error::InvalidCommand { field: got, .. } => assert_eq!(got, field),
            other => panic!("{other:?}"),
        }
    };
    invalid(
        |spec| {
            let offsets = [("realtime".to_owned(), runtime::LinuxTimeOffset::default())];
            let linux = spec.oci.linux_mut().as_mut().unwrap();
            linux.set_time_offsets(Some(offsets.into()));
        },
        "linux.timeOffsets",
    );
    invalid(
        |spec| {
            let offsets = [("boottime".to_owned(), runtime::LinuxTimeOffset::default())];
            let linux = spec.oci.linux_mut().as_mut().unwrap();
            linux.set_time_offsets(Some(offsets.into()));
        },
        "linux.timeOffsets",
    );
    invalid(
        |spec| {
            let mut scheduler = runtime::Scheduler::default();
            scheduler.set_policy(runtime::LinuxSchedulerPolicy::SchedIso);
            spec.oci
                .process_mut()
                .as_mut()
                .unwrap()
                .set_scheduler(Some(scheduler));
        },
        "process.scheduler.policy",
    );
    invalid(
        |spec| {
            let mut personality = runtime::LinuxPersonality::default();
            personality.set_flags(Some(vec!["ADDR_NO_RANDOMIZE".to_owned()]));
            spec.oci
                .linux_mut()
                .as_mut()
                .unwrap()
                .set_personality(Some(personality));
        },
        "linux.personality.flags",
    );
}

#[test]
fn on_an_initramfs_nobody_gets_the_capability_that_uncovers_it() {
    let host = Host {
        root_is_initramfs: true,
        ..root_host()
    };
    build(&spec(&command()), &host).unwrap();
    let mut admin = command();
    admin.as_linux_mut().unwrap().cap_add = vec!["SYS_ADMIN".into()];
    build(&spec(&admin), &root_host()).unwrap();
    let mut privileged = command();
    privileged.process.privileged = true;
    for command in [admin, privileged] {
        let error = build(&spec(&command), &host).unwrap_err();
        assert!(error.to_string().contains("initramfs"), "{error}");
    }
}
