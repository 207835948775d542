//! The process, its limits, explicit controls, and what is refused.

use super::*;
use crate::{LinuxResources, Resources, Rlimit, WindowSize};

#[test]
fn a_bound_on_processes_that_was_asked_for_is_no_template_default() {
    let mut command = command().with_linux(|linux| linux.profile = Profile::Strict);
    command.resources = Some(Resources {
        linux: Some(LinuxResources {
            pids_limit: 7,
            ..LinuxResources::default()
        }),
        ..Resources::default()
    });
    let spec = spec(&command);
    assert!(!spec.defaults.contains(&TemplateDefault::PidsLimit));
    assert_eq!(document(&spec)["linux"]["resources"]["pids"]["limit"], 7);
    assert_eq!(
        requested_controls(&command)[0].field,
        "resources.pids_limit"
    );
}

#[test]
fn the_process_carries_what_the_command_says() {
    let mut command = command().args(["-c", "x"]);
    command.process.tty = true;
    command.process.console_size = Some(WindowSize {
        rows: 33,
        columns: 77,
    });
    command.process.user = "daemon:77".into();
    command.working_dir = "/root".into();
    command.process_label = "l".into();
    let command = command.with_linux(|linux| {
        linux.oom_score_adj = 642;
        linux.group_add = vec!["audio".into()];
        linux.no_new_privileges = true;
        linux.cap_add = vec!["SYS_TIME".into()];
        linux.init = true;
        linux.domainname = "d".into();
    });
    let spec = spec(&command);
    let document = document(&spec);
    let process = &document["process"];
    assert_eq!(process["args"], json!(["/bin/sh", "-c", "x"]));
    assert_eq!(process["consoleSize"], json!({"height": 33, "width": 77}));
    assert_eq!(process["cwd"], "/root");
    assert_eq!(process["oomScoreAdj"], 642);
    assert_eq!(process["noNewPrivileges"], true);
    assert_eq!(process["selinuxLabel"], "l");
    assert_eq!(document["domainname"], "d");
    assert_eq!(
        spec.named_capabilities,
        [runtime::Capability::SysTime].into()
    );
    assert!(spec.init);
    let (user, groups) = ("daemon:77".to_owned(), vec!["audio".to_owned()]);
    assert_eq!(spec.user, User::Names { user, groups });
}

#[test]
fn every_rlimit_has_its_name() {
    let mut command = command();
    let rlimits = (0..16)
        .map(|kind| Rlimit {
            kind,
            soft: 1,
            hard: 2,
        })
        .collect();
    command.resources = Some(Resources {
        linux: Some(LinuxResources {
            rlimits,
            ..LinuxResources::default()
        }),
        ..Resources::default()
    });
    let document = document(&spec(&command));
    let limits = document["process"]["rlimits"].as_array().unwrap();
    let names = limits
        .iter()
        .map(|limit| limit["type"].as_str().unwrap().to_ascii_lowercase());
    let expected = Rlimit::names().iter().map(|name| format!("rlimit_{name}"));
    assert!(names.eq(expected));
    assert!(requested_controls(&command).is_empty());
}

#[test]
fn explicit_controls_are_translated_and_listed() {
    let mut command = command().with_linux(|linux| {
        linux.seccomp_profile = "{}".into();
        linux.apparmor_profile = "mine".into();
        linux.sysctl = [("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into();
    });
    command.resources = Some(Resources {
        memory: 1 << 25,
        cpu_shares: 512,
        blkio_weight: 300,
        linux: Some(LinuxResources {
            memory_swap: -1,
            cpuset_cpus: "0".into(),
            memory_swappiness: 0,
            ..LinuxResources::default()
        }),
        ..Resources::default()
    });
    let spec = spec(&command);
    let document = document(&spec);
    let resources = &document["linux"]["resources"];
    assert_eq!(
        resources["memory"],
        json!({"limit": 1 << 25, "swap": -1, "swappiness": 0})
    );
    assert_eq!(resources["cpu"], json!({"shares": 512, "cpus": "0"}));
    assert_eq!(resources["blockIO"], json!({"weight": 300}));
    assert_eq!(document["process"]["apparmorProfile"], "mine");
    assert_eq!(document["linux"]["sysctl"]["net.ipv4.ip_forward"], "1");
    assert_eq!(spec.seccomp, SeccompChoice::Profile("{}".into()));
    let asked: Vec<_> = requested_controls(&command)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        asked,
        [
            "apparmor_profile = mine",
            "seccomp_profile",
            "sysctl = net.ipv4.ip_forward",
            "resources.memory = 33554432",
            "resources.cpu_shares = 512",
            "resources.blkio_weight = 300",
            "resources.cpuset_cpus = 0",
            "resources.memory_swappiness = 0",
        ]
    );
}

#[test]
fn unconfined_is_no_control_and_no_default() {
    let command = command().with_linux(|linux| {
        linux.seccomp_profile = "unconfined".into();
        linux.apparmor_profile = "unconfined".into();
    });
    assert!(requested_controls(&command).is_empty());
    let defaults = spec(&command).defaults;
    assert_eq!(
        defaults,
        [TemplateDefault::DeviceRules, TemplateDefault::Cgroup]
    );
}

#[test]
fn a_windows_command_is_the_wrong_platform() {
    let command = Command::windows("a", "C:\\", "cmd");
    let error = Spec::from_command(&command, "native").unwrap_err();
    assert_eq!(
        error.to_string(),
        "driver \"native\" cannot run a windows command"
    );
}

#[test]
fn what_is_wrong_with_a_command_names_its_field() {
    type Change = fn(&mut Command);
    let cases: [(Change, &str); 10] = [
        (|c| c.id = "../x".into(), "invalid id"),
        (|c| c.rootfs = "rootfs".into(), "invalid rootfs"),
        (
            |c| c.process.entrypoint = String::new(),
            "invalid process_config.entrypoint",
        ),
        (
            |c| c.process.env = vec!["NOEQ".into()],
            "invalid process_config.environment[0]",
        ),
        (
            |c| c.process.arguments = vec!["\0".into()],
            "invalid process_config.arguments[0]",
        ),
        (
            |c| c.process.user = "-1".into(),
            "invalid process_config.user",
        ),
        (|c| c.working_dir = "root".into(), "invalid working_dir"),
        (
            |c| c.mounts = vec![Mount::bind("a", "/b")],
            "invalid mounts[0].source",
        ),
        (
            |c| c.as_linux_mut().unwrap().cap_add = vec!["CAP_KILL".into()],
            "invalid cap_add[0]",
        ),
        (
            |c| c.as_linux_mut().unwrap().group_add = vec!["2147483648".into()],
            "invalid group_add[0]",
        ),
    ];
    for (change, expected) in cases {
        let mut command = command();
        change(&mut command);
        let error = refusal(&command);
        assert!(error.starts_with(expected), "{error}");
    }
}
