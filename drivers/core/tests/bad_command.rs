//! What is wrong with a command is said with the field's name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use execdriver_core::{
    CgroupNamespace, Command, Device, DeviceKind, Error, IdMap, Ipc, LinuxCommand, LinuxResources,
    Mount, Network, NetworkInterface, Pid, ProcessConfig, Propagation, RemappedRoot, Resources,
    Uts,
};

/// The field and the reason of an `InvalidCommand`.
#[track_caller]
fn invalid<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::InvalidCommand { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    }
}

fn good() -> Command {
    Command::linux("web-1", "/srv/rootfs", "/bin/sh")
}

fn good_windows() -> Command {
    Command::windows("web-1", r"\\?\Volume{1}", "cmd")
}

/// The field and the reason that `validate` gives after `change`.
#[track_caller]
fn after(change: impl FnOnce(&mut Command)) -> (String, String) {
    let mut command = good();
    command.validate().unwrap();
    change(&mut command);
    invalid(command.validate())
}

#[track_caller]
fn after_linux(change: impl FnOnce(&mut LinuxCommand)) -> String {
    after(|command| change(command.as_linux_mut().unwrap())).0
}

#[test]
fn id_bad() {
    let long = "a".repeat(201);
    for id in ["", "a.b", "../x", "a/b", "..", &long] {
        let (field, _) = after(|command| command.id = id.to_owned());
        assert_eq!(field, "id");
    }
}

#[test]
fn nul_bytes_are_refused_anywhere() {
    let nul = || "a\0b".to_owned();
    assert_eq!(after(|command| command.rootfs = "/a\0b".into()).0, "rootfs");
    assert_eq!(
        after(|command| command.process_label = nul()).0,
        "process_label"
    );
    let argument = after(|command| command.process.arguments = vec!["\0".into()]).0;
    assert_eq!(argument, "process_config.arguments[0]");
    let entry = after(|command| command.process.env = vec!["A=1".into(), "B=\0".into()]).0;
    assert_eq!(entry, "process_config.environment[1]");
    let source = after(|command| command.mounts = vec![Mount::bind("/\0", "/a")]).0;
    assert_eq!(source, "mounts[0].source");
    assert_eq!(
        after_linux(|linux| linux.seccomp_profile = nul()),
        "seccomp_profile"
    );
    assert_eq!(
        after_linux(|linux| drop(linux.sysctl.insert(nul(), String::new()))),
        "sysctl"
    );
    assert_eq!(
        after_linux(|linux| linux.uts = Some(Uts::of_container(nul()))),
        "uts.container_id"
    );
    // An escaped backslash before the letters is no NUL.
    let mut command = good();
    command.process.arguments.push("\\u0000".into());
    command.validate().unwrap();
}

#[test]
fn processes_need_a_program_and_well_formed_environments() {
    assert_eq!(
        after(|command| command.process.entrypoint.clear()).0,
        "process_config.entrypoint"
    );
    for bad in ["NOEQ", "", "=x"] {
        let (field, reason) = after(|command| command.process.env = vec![bad.into()]);
        assert_eq!(field, "process_config.environment[0]");
        assert_eq!(reason, format!("got {bad:?}, expected NAME=value"));
    }
    ProcessConfig::new("sh")
        .env("B", "x=y")
        .env("A", "")
        .validate()
        .unwrap();
    assert!(ProcessConfig::new("sh\0").validate().is_err());
}

#[test]
fn relative_paths_are_refused() {
    for bad in ["", "rootfs", "./x", r"C:\x"] {
        assert_eq!(after(|command| command.rootfs = bad.into()).0, "rootfs");
    }
    assert_eq!(
        after(|command| command.working_dir = "tmp".into()).0,
        "working_dir"
    );
    let network = Network::at_path("netns");
    assert_eq!(
        after(|command| command.network = Some(network)).0,
        "network.namespace_path"
    );
    assert_eq!(
        after_linux(|linux| linux.pid = Some(Pid::at_path("x"))),
        "pid.path"
    );
}

#[test]
fn mount_forbidden() {
    let mounts = |mounts: Vec<Mount>| after(|command| command.mounts = mounts);
    let destination = "mounts[0].destination";
    for bad in [
        "/",
        "//",
        "/x/..",
        "/..",
        "/proc",
        "/proc//sys",
        "/./proc/1/..",
        "mnt",
        "",
    ] {
        assert_eq!(
            mounts(vec![Mount::bind("/data", bad)]).0,
            destination,
            "{bad}"
        );
    }
    assert_eq!(
        mounts(vec![Mount::bind("data", "/mnt")]).0,
        "mounts[0].source"
    );
    let with_data = Mount {
        data: "size=1k".into(),
        ..Mount::bind("/data", "/mnt")
    };
    assert_eq!(mounts(vec![with_data]).0, "mounts[0].data");
    let (field, reason) = mounts(vec![
        Mount::bind("/a", "/mnt"),
        Mount::tmpfs("/x/..//mnt/", ""),
    ]);
    assert_eq!(field, "mounts[1].destination");
    assert!(
        reason.ends_with("is the destination of mounts[0] too"),
        "{reason}"
    );
    let mut command = good();
    command.mounts = vec![
        Mount::bind("/a", "/sys/fs/cgroup"),
        Mount::bind("/a", "/process"),
        Mount::tmpfs("/mnt", "size=1k"),
    ];
    command.validate().unwrap();
}

#[test]
fn linux_numbers_out_of_range_are_refused() {
    for bad in [-1001, 1001] {
        assert_eq!(
            after_linux(|linux| linux.oom_score_adj = bad),
            "oom_score_adj"
        );
    }
    let root = RemappedRoot {
        uid: u32::MAX,
        gid: 0,
    };
    assert_eq!(
        after_linux(|linux| linux.remapped_root = Some(root)),
        "remap_root.root_uid"
    );
    let map = |container_id, host_id, size| IdMap {
        container_id,
        host_id,
        size,
    };
    for (bad, field) in [
        (vec![map(0, 0, 0)], "uidmapping[0].size"),
        (vec![map(0, u32::MAX, 1)], "uidmapping[0].size"),
        (vec![map(0, 0, 10), map(9, 100, 1)], "uidmapping[1]"),
        (vec![map(0, 0, 10), map(10, 5, 1)], "uidmapping[1]"),
    ] {
        assert_eq!(after_linux(|linux| linux.uid_mappings = bad), field);
    }
}

#[test]
fn devices_that_make_no_sense_are_refused() {
    let node = |device: Device| after_linux(|linux| linux.autocreated_devices = vec![device]);
    let null = || Device::node("/dev/null", 1, 3);
    assert_eq!(
        node(Device {
            path: "null".into(),
            ..null()
        }),
        "autocreated_devices[0].path"
    );
    assert_eq!(
        node(Device {
            major: -1,
            ..null()
        }),
        "autocreated_devices[0].major"
    );
    assert_eq!(
        node(Device {
            file_mode: 0o10_000,
            ..null()
        }),
        "autocreated_devices[0].file_mode"
    );
    assert_eq!(
        node(Device {
            kind: DeviceKind::All,
            ..null()
        }),
        "autocreated_devices[0].type"
    );
    assert_eq!(
        node(Device {
            gid: u32::MAX,
            ..null()
        }),
        "autocreated_devices[0].gid"
    );
    let twice = vec![null(), Device::node("/dev//null", 1, 3)];
    assert_eq!(
        after_linux(|linux| linux.autocreated_devices = twice),
        "autocreated_devices[1].path"
    );
    for (bad, key) in [
        (Device::rule(DeviceKind::Char, -1, -1, ""), "permissions"),
        (Device::rule(DeviceKind::Char, -1, -1, "rx"), "permissions"),
        (Device::rule(DeviceKind::Char, -1, -1, "rr"), "permissions"),
        (Device::rule(DeviceKind::Fifo, -1, -1, "r"), "type"),
        (Device::rule(DeviceKind::Block, -2, -1, "r"), "major"),
        (Device::rule(DeviceKind::Block, 0, 1 << 20, "r"), "minor"),
    ] {
        let field = after_linux(|linux| linux.allowed_devices = vec![bad]);
        assert_eq!(field, format!("allowed_devices[0].{key}"));
    }
}

#[test]
fn names_and_namespaces_that_make_no_sense_are_refused() {
    assert_eq!(
        after_linux(|linux| linux.hostname = "a".repeat(65)),
        "hostname"
    );
    assert_eq!(
        after_linux(|linux| linux.domainname = "a b".into()),
        "domainname"
    );
    let shared = |linux: &mut LinuxCommand| {
        (linux.uts, linux.hostname) = (Some(Uts::host()), "x".into());
    };
    assert_eq!(after_linux(shared), "hostname");
    let ipc = Ipc {
        host: true,
        ..Ipc::at_path("/x")
    };
    assert_eq!(after_linux(|linux| linux.ipc = Some(ipc)), "ipc.path");
    let cgroup = CgroupNamespace::of_container("../x");
    assert_eq!(
        after_linux(|linux| linux.cgroup_namespace = Some(cgroup)),
        "cgroup_namespace.container_id"
    );
    let network = Network::of_container("a/b");
    assert_eq!(
        after(|command| command.network = Some(network)).0,
        "network.container_id"
    );
    for bad in ["", "net..ipv4", "../../etc/passwd", "a b", "/x"] {
        let field = after_linux(|linux| drop(linux.sysctl.insert(bad.into(), "1".into())));
        assert_eq!(field, "sysctl", "{bad}");
    }
}

#[test]
fn fields_of_the_other_platform_are_refused_and_not_written() {
    let network = |network| Some(network);
    let mut linux = good();
    let adapter = Network {
        interface: Some(NetworkInterface::default()),
        ..Default::default()
    };
    linux.network = network(adapter);
    assert_eq!(invalid(linux.validate()).0, "network.interface");
    assert_eq!(invalid(linux.to_json()).0, "network.interface");
    assert!(serde_json::to_string(&linux).is_err());

    type Change = (&'static str, fn(&mut Command));
    let changes: [Change; 7] = [
        ("process_config.user", |command| {
            command.process.user = "root".into()
        }),
        ("process_config.privileged", |command| {
            command.process.privileged = true
        }),
        ("network.host_networking", |command| {
            command.network = Some(Network::host())
        }),
        ("network.namespace_path", |command| {
            command.network = Some(Network::at_path("/x"))
        }),
        ("resources.linux", |command| {
            let linux = Some(LinuxResources::default());
            command.resources = Some(Resources {
                linux,
                ..Default::default()
            });
        }),
        ("mounts[0].data", |command| {
            command.mounts = vec![Mount::tmpfs(r"C:\x", "a")]
        }),
        ("mounts[0].mountpropagation", |command| {
            let propagation = Propagation::Shared;
            command.mounts = vec![Mount {
                propagation,
                ..Mount::bind(r"C:\a", r"C:\x")
            }];
        }),
    ];
    for (field, change) in changes {
        let mut command = good_windows();
        command.validate().unwrap();
        change(&mut command);
        assert_eq!(invalid(command.validate()).0, field);
        assert_eq!(invalid(command.to_json()).0, field);
    }
}

#[test]
fn windows_mounts_are_judged_by_windows_rules() {
    let mounts = |mounts: Vec<Mount>| {
        let mut command = good_windows();
        command.mounts = mounts;
        command.validate()
    };
    mounts(vec![
        Mount::bind(r"c:\data", r"c:\mnt"),
        Mount::bind(r"c:\data", "d:/mnt"),
    ])
    .unwrap();
    let twice = vec![
        Mount::bind(r"c:\a", r"C:\mnt"),
        Mount::bind(r"c:\b", r"c:/MNT/"),
    ];
    assert_eq!(invalid(mounts(twice)).0, "mounts[1].destination");
    for bad in ["/mnt", "mnt", "c:mnt", ""] {
        assert_eq!(
            invalid(mounts(vec![Mount::bind("x", bad)])).0,
            "mounts[0].destination"
        );
    }
    assert_eq!(
        invalid(mounts(vec![Mount::bind("", r"c:\a")])).0,
        "mounts[0].source"
    );
}

#[test]
fn a_driver_of_the_other_platform_is_told_apart() {
    let error = good_windows().require_linux("native").unwrap_err();
    assert_eq!(
        error.to_string(),
        "driver \"native\" cannot run a windows command"
    );
    good().require_linux("native").unwrap();
    good_windows().require_windows("windows").unwrap();
}

#[cfg(unix)]
#[test]
fn a_path_that_json_cannot_hold_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = std::ffi::OsString::from_vec(vec![b'/', 0xff]);
    assert_eq!(after(|command| command.rootfs = path.into()).0, "rootfs");
}
