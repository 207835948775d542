//! What a privileged container may do and another may not, and what neither sees of the host's cgroups.
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

use cgroup::is_unified;
use contract::{Bench, Outcome};
use execdriver::{Command, IdMap, RemappedRoot};
use std::path::Path;
use support::{Need, Rootfs, eventually, skip_unless};

fn with_privileges(mut command: Command) -> Command {
    command.process.privileged = true;
    command
}

/// Mounts, nodes, and what is written to /proc and /sys.
#[test]
fn privileged() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let both = |words: &[&str]| {
        let plain = bench.run(&bench.command(words));
        let privileged = bench.run(&with_privileges(bench.command(words)));
        (plain.out, privileged.out)
    };
    let said = |plain: &str, privileged: &str| (plain.to_owned(), privileged.to_owned());
    let mount = ["mount", "none", "/tmp", "tmpfs"];
    assert_eq!(both(&mount), said("EPERM\n", "ok\n"));
    // A node that may be made by both, and opened by one.
    let node = [
        "seq",
        "mknod",
        "/tmp/kmsg",
        "c",
        "1",
        "11",
        ",",
        "open",
        "/tmp/kmsg",
        ",",
        "rm",
        "/tmp/kmsg",
    ];
    if !skip_unless(&[Need::DeviceRules]) {
        assert_eq!(both(&node), said("ok\nEPERM\nok\n", "ok\nok\nok\n"));
    }
    // Opened and not written: what they do they do to the host.
    for path in [
        "/sys/kernel/profiling",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/hostname",
    ] {
        if Path::new(path).exists() {
            let expected = said("EROFS\n", "ok\n");
            assert_eq!(both(&["open", path, "w"]), expected, "{path}");
        }
    }
}

/// The directories of cgroups that a container sees.
fn seen(bench: &Bench) -> Vec<String> {
    if is_unified() {
        return vec!["/sys/fs/cgroup".to_owned()];
    }
    let listed = bench.says(&["ls", "/sys/fs/cgroup"]);
    let below = listed.lines().map(|name| format!("/sys/fs/cgroup/{name}"));
    below.collect()
}

#[test]
fn cgroup_ro() {
    if skip_unless(&[Need::Cgroups, Need::UserNamespaces]) {
        return;
    }
    let bench = Bench::new();
    let directories = seen(&bench);
    assert!(!directories.is_empty());
    for dir in directories {
        let inside = format!("{dir}/x");
        for words in [["mkdir", &inside], ["touch", &inside]] {
            let said = bench.run(&bench.command(&words)).out;
            assert_eq!(said, "EROFS\n", "{words:?}");
        }
    }
    let limits = bench.run(&bench.command(&["touch", "/sys/fs/cgroup/x"]));
    assert_eq!(limits.out, "EROFS\n");
}

#[test]
fn defect_31_a_container_sees_its_own_cgroup_and_no_other_in_any_hierarchy() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    for made in [|command| command, with_privileges] {
        let command = made(bench.command(&["pause"]));
        bench.while_running(&command, |_| {
            for dir in seen(&bench) {
                let said = bench.exec(&command.id, &["read", &format!("{dir}/cgroup.procs")]);
                // A process of another pid namespace is shown as 0. An exec is there too.
                let pids: Vec<_> = said.out.lines().collect();
                assert!(pids.contains(&"1"), "{dir}: {said:?}");
                assert!(!pids.contains(&"0"), "{dir}: {said:?}");
            }
        });
    }
}

#[test]
fn defect_24_all_capabilities_are_all_that_the_host_program_has() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = |set: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(set));
        line.unwrap().trim().to_owned()
    };
    let expected = format!("CapBnd {}", own("CapBnd:"));
    let all = |words: &[&str]| {
        let command = bench.command(words);
        command.with_linux(|linux| linux.cap_add = vec!["ALL".to_owned()])
    };
    for command in [with_privileges(bench.command(&["caps"])), all(&["caps"])] {
        let said = bench.output(&command);
        assert!(said.lines().any(|line| line == expected), "{said}");
    }
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        let mut request = execdriver::ExecRequest::new(contract::process(&["caps"]));
        request.process.privileged = true;
        let said = bench.try_exec_with(&sleeper.id, &request, execdriver::Pipes::null());
        let Outcome { out, .. } = said.unwrap();
        assert!(out.lines().any(|line| line == expected), "{out}");
    });
}

#[test]
fn defect_23_the_devices_of_one_container_do_not_take_the_owner_of_another() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let rootfs = Rootfs::new();
    rootfs.give_to(100_000, 100_000);
    let (remapped, plain) = (Bench::on(rootfs), Bench::new());
    let map = vec![IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    }];
    let words = [
        "seq",
        "stat",
        "/dev/zero",
        ",",
        "touch",
        "/tmp/up",
        ",",
        "pause",
    ];
    let first = remapped.command(&words).with_linux(|linux| {
        linux.remapped_root = Some(RemappedRoot {
            uid: 100_000,
            gid: 100_000,
        });
        linux.uid_mappings.clone_from(&map);
        linux.gid_mappings = map;
    });
    let (outcome, between) = remapped.during(&first, execdriver::Pipes::null(), |_| {
        eventually("it has looked", || {
            remapped.rootfs.inside("tmp/up").exists()
        });
        plain.says(&["stat", "/dev/zero"])
    });
    for said in [between, plain.says(&["stat", "/dev/zero"])] {
        assert!(said.starts_with("c 0666 1 5 0 0 "), "{said}");
    }
    assert!(outcome.out.starts_with("c 0666 1 5 "), "{outcome:?}");
}
