//! What a container's program may do: capabilities, protected files, device nodes, limits of its processes.
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

use contract::{Bench, Outcome, process, refused};
use execdriver::{
    Command, Device, DeviceKind, Error, ExecRequest, LinuxResources, Mount, Pipes, Resources,
    Rlimit,
};
use host::mount_options;
use support::{Need, has, is_root, skip_unless};

/// What an applet in a container of its own says.
#[track_caller]
fn tried(bench: &Bench, words: &[&str]) -> Outcome {
    bench.run(&bench.command(words))
}

fn caps(command: Command, add: &[&str], drop: &[&str]) -> Command {
    let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    command.with_linux(|linux| {
        linux.cap_add = own(add);
        linux.cap_drop = own(drop);
    })
}

#[test]
fn cap_drop() {
    if skip_unless(&[Need::Root, Need::DeviceRules]) {
        return;
    }
    let bench = Bench::new();
    for name in ["MKNOD", "mknod", "mkNod"] {
        let command = bench.command(&["mknod", "/tmp/null", "c", "1", "3"]);
        let output = bench.run(&caps(command, &[], &[name]));
        assert_eq!(output.out, "EPERM\n", "dropped as {name}");
    }
    let words = [
        "seq", "mknod", "/tmp/sda", "b", "8", "0", ",", "open", "/tmp/sda",
    ];
    // Any node may be made; the device cgroup says which may be opened.
    assert_eq!(tried(&bench, &words).out, "ok\nEPERM\n");
}

#[test]
fn cap_drop_all_add() {
    let bench = Bench::new();
    let command = caps(bench.command(&["caps"]), &["SYS_TIME"], &["ALL"]);
    let output = bench.run(&command);
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let expected = format!("{set} 0000000002000000");
        assert!(
            output.out.lines().any(|line| line == expected),
            "{output:?}"
        );
    }
    if skip_unless(&[Need::Root]) {
        return;
    }
    bench.rootfs.write("tmp/file", "");
    let command = bench.command(&["chown", "1", "2", "/tmp/file"]);
    let output = bench.run(&caps(command.clone(), &[], &["ALL"]));
    assert_eq!(output.out, "EPERM\n");
    let again = bench.command(&["chown", "1", "2", "/tmp/file"]);
    let output = bench.run(&caps(again, &["CHOWN"], &["ALL"]));
    assert_eq!(output.out, "ok\n");
}

#[test]
fn cap_add_all_drop() {
    let bench = Bench::new();
    let set = || bench.command(&["ifset", "lo", "down"]);
    let output = bench.run(&caps(set(), &["ALL"], &["NET_ADMIN"]));
    assert_eq!(output.out, "EPERM\n");
    let output = bench.run(&caps(set(), &["ALL"], &[]));
    assert_eq!(output.out, "ok\n");
    for (add, drop) in [(["CHPASS"], []), (["CAP_KILL"], [])] {
        let (_, text) = refused(bench.try_run(&caps(set(), &add, &drop)));
        assert!(
            text.contains("unknown capability") && text.contains(add[0]),
            "{text}"
        );
    }
    let (_, text) = refused(bench.try_run(&caps(set(), &[], &["CHPASS"])));
    assert!(text.contains("cap_drop"), "{text}");
}

#[test]
fn proc_sys_protect() {
    let bench = Bench::new();
    // What is written does nothing should it get through: sysrq `h` prints its help, the name is the container's.
    for (path, text) in [
        ("/proc/sysrq-trigger", "h"),
        ("/proc/sys/kernel/hostname", "x"),
        ("/proc/sys/kernel/domainname", "x"),
        ("/proc/irq/default_smp_affinity", "3"),
    ] {
        if !std::path::Path::new(path).exists() {
            continue;
        }
        let said = tried(&bench, &["write", path, text]).out;
        // To an ordinary user's root these files are the real root's.
        let expected = said == "EROFS\n" || (!is_root() && said == "EACCES\n");
        assert!(expected, "{path}: {said}");
    }
    if std::path::Path::new("/proc/asound").exists() {
        assert_eq!(tried(&bench, &["touch", "/proc/asound/x"]).out, "EROFS\n");
    }
    for path in ["/proc/kcore", "/proc/timer_list", "/proc/keys"] {
        if std::path::Path::new(path).exists() {
            let output = tried(&bench, &["read", path]);
            let empty = (output.status.code, &*output.out) == (0, "");
            // AppArmor's default profile refuses one of them by its name, whatever masks it.
            let refused = has(Need::AppArmor) && output.out == "EACCES\n";
            assert!(empty || refused, "{path}: {output:?}");
        }
    }
}

#[test]
fn dev_nodes() {
    let bench = Bench::new();
    let output = tried(
        &bench,
        &["stat", "/dev/null", "/dev/zero", "/dev/tty", "/dev/fuse"],
    );
    let start = |line: &str| line.split(' ').take(4).collect::<Vec<_>>().join(" ");
    let nodes: Vec<String> = output.out.lines().map(start).collect();
    assert_eq!(nodes[..3], ["c 0666 1 3", "c 0666 1 5", "c 0666 5 0"]);
    assert!(nodes[3].ends_with(" 10 229"), "{nodes:?}");
    let links = tried(&bench, &["stat", "/dev/fd", "/dev/stdin", "/dev/ptmx"]);
    assert!(links.out.contains("-> /proc/self/fd\n"), "{links:?}");
    assert!(links.out.contains("-> pts/ptmx\n"), "{links:?}");
    if skip_unless(&[Need::Root, Need::DeviceRules]) {
        return;
    }
    assert_eq!(tried(&bench, &["open", "/dev/fuse", "rw"]).out, "EPERM\n");
    let zero = Device::node("/dev/nulo", 1, 5);
    let command = bench.command(&["stat", "/dev/nulo"]);
    let command = command.with_linux(|linux| {
        linux.allowed_devices = vec![zero.clone()];
        linux.autocreated_devices = vec![zero];
    });
    let output = bench.run(&command);
    assert!(output.out.starts_with("c 0666 1 5 0 0 "), "{output:?}");
}

#[test]
fn a_device_is_usable_as_far_as_its_rule_says() {
    if skip_unless(&[Need::Root, Need::DeviceRules]) {
        return;
    }
    let bench = Bench::new();
    // /dev/kmsg: nothing of the template's.
    let node = Device::node("/srv/kmsg", 1, 11);
    let with_rule = |permissions: &str| {
        let rule = Device::rule(DeviceKind::Char, 1, 11, permissions);
        let words = [
            "seq",
            "open",
            "/srv/kmsg",
            "r",
            ",",
            "open",
            "/srv/kmsg",
            "w",
        ];
        let command = bench.command(&words).with_linux(|linux| {
            linux.cap_add = vec!["SYSLOG".to_owned()];
            linux.autocreated_devices = vec![node.clone()];
            linux.allowed_devices = vec![rule];
        });
        bench.run(&command).out
    };
    assert_eq!(with_rule("m"), "EPERM\nEPERM\n");
    assert_eq!(with_rule("w"), "EPERM\nok\n");
}

#[test]
fn a_directory_is_no_device_for_the_command_line() {
    let bench = Bench::new();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_execdriver"))
        .args(["run", "--quiet", "--rootfs"])
        .arg(bench.rootfs.path())
        .arg("--device")
        // Not the host's /etc, where an ordinary user may not read every directory.
        .arg(bench.rootfs.inside("etc"))
        .args(["--", "/bin/true"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("not a device node"), "{said}");
}

#[test]
fn readonly() {
    let bench = Bench::new();
    bench.rootfs.write("etc/hosts", "");
    let words = [
        "seq",
        "touch",
        "/file",
        ",",
        "touch",
        "/etc/hosts",
        ",",
        "touch",
        "/sys/kernel/x",
        ",",
        "touch",
        "/dev/.x",
        ",",
        "touch",
        "/dev/mqueue/x",
        ",",
        "true",
    ];
    let refused = "EROFS\nEROFS\nEROFS\nEROFS\nok\n";
    let readonly = |privileged| {
        let mut command = bench.command(&words);
        command.process.privileged = privileged;
        command.with_linux(|linux| linux.readonly_rootfs = true)
    };
    let output = bench.run(&readonly(false));
    assert_eq!(output.out, refused);
    let mounts = bench
        .command(&["mounts"])
        .with_linux(|linux| linux.readonly_rootfs = true);
    let output = bench.run(&mounts);
    let options = |target: &str| mount_options(&output.out, target).unwrap().0;
    for target in ["/dev/pts", "/dev/mqueue"] {
        assert!(options(target).starts_with("rw"), "{}", output.out);
    }
    for target in ["/", "/dev", "/sys"] {
        assert!(options(target).starts_with("ro"), "{}", output.out);
    }
    let volume = bench.rootfs.outside();
    let mut command = bench.command(&["touch", "/tmp/x"]);
    command.mounts = vec![Mount::bind(volume, "/tmp")];
    let command = command.with_linux(|linux| linux.readonly_rootfs = true);
    assert_eq!(bench.run(&command).out, "ok\n");
    let sleeper = bench
        .command(&["pause"])
        .with_linux(|linux| linux.readonly_rootfs = true);
    bench.while_running(&sleeper, |_| {
        assert!(bench.exec(&sleeper.id, &["true"]).status.success());
        assert_eq!(bench.exec(&sleeper.id, &["touch", "/x"]).out, "EROFS\n");
    });
    if skip_unless(&[Need::Root]) {
        return;
    }
    assert_eq!(bench.run(&readonly(true)).out, refused);
}

fn with_nofile(command: Command, limit: u64) -> Command {
    Command {
        resources: Some(Resources {
            linux: Some(LinuxResources {
                rlimits: vec![Rlimit {
                    kind: Rlimit::kind_of("nofile").unwrap(),
                    soft: limit,
                    hard: limit,
                }],
                ..LinuxResources::default()
            }),
            ..Resources::default()
        }),
        ..command
    }
}

#[test]
fn ulimit() {
    let bench = Bench::new();
    let command = with_nofile(bench.command(&["limits"]), 42);
    let output = bench.run(&command);
    assert!(
        output.out.lines().any(|line| line == "NOFILE 42 42"),
        "{output:?}"
    );
    let sleeper = with_nofile(bench.command(&["pause"]), 42);
    bench.while_running(&sleeper, |_| {
        let output = bench.exec(&sleeper.id, &["limits"]);
        assert!(
            output.out.lines().any(|line| line == "NOFILE 42 42"),
            "{output:?}"
        );
    });
}

#[test]
fn oom_score_adj() {
    let bench = Bench::new();
    let adjusted = |words| {
        let command: Command = bench.command(words);
        command.with_linux(|linux| linux.oom_score_adj = 642)
    };
    assert_eq!(bench.run(&adjusted(&["oomadj"])).out, "642\n");
    let sleeper = adjusted(&["pause"]);
    bench.while_running(&sleeper, |_| {
        assert_eq!(bench.exec(&sleeper.id, &["oomadj"]).out, "642\n");
    });
}

#[test]
fn an_exec_gets_the_capabilities_that_it_names() {
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        let request =
            ExecRequest::new(process(&["status", "CapEff"])).capabilities(vec!["CHOWN".to_owned()]);
        let output = bench
            .try_exec_with(&sleeper.id, &request, Pipes::null())
            .unwrap();
        assert_eq!(output.out, "CapEff 0000000000000001\n");
        let unknown = ExecRequest::new(process(&["true"])).capabilities(vec!["CHPASS".to_owned()]);
        let (error, _) = refused(bench.try_exec_with(&sleeper.id, &unknown, Pipes::null()));
        assert!(matches!(error, Error::InvalidCommand { .. }), "{error:?}");
    });
}
