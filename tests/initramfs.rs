//! A host whose root is an initramfs, which pivot_root(2) refuses: a container covers it, and cannot come back to it.
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
use execdriver::{Command, Error, ExecRequest, IdMap, Pipes};
use support::{Need, skip_unless};

const NEEDS: [Need; 2] = [Need::Root, Need::Initramfs];

fn with_capability(mut command: Command, name: &str) -> Command {
    let linux = command.as_linux_mut().unwrap();
    linux.cap_add = vec![name.to_owned()];
    linux.seccomp_profile = "unconfined".to_owned();
    command
}

/// What tests/vm/boot.sh leaves in the initramfs is not in sight.
fn assert_not_the_hosts(said: &str) {
    assert!(std::path::Path::new("/guest.sh").exists());
    let names: Vec<&str> = said.lines().collect();
    assert!(names.contains(&"bin"), "{said}");
    assert!(!names.contains(&"guest.sh"), "{said}");
}

#[test]
fn a_container_runs_and_execs_and_its_root_has_no_parent() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    assert_not_the_hosts(&bench.says(&["ls", "/"]));
    assert_not_the_hosts(&bench.says(&["ls", "/../../.."]));
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |started| {
        assert_not_the_hosts(&bench.exec(&command.id, &["ls", "/.."]).out);
        let root = format!("/proc/{}/root/..", started.pid);
        let mut seen = std::fs::read_dir(root).unwrap().flatten();
        assert!(!seen.any(|entry| entry.file_name() == "vm"));
    });
    let table = bench.says(&["mounts"]);
    let roots = table
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/"));
    assert_eq!(roots.count(), 1, "{table}");
}

/// The way out of a chroot: another one, which leaves the working directory outside.
#[test]
fn a_second_chroot_leads_nowhere() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    let words = [
        "seq",
        "mkdir",
        "/tmp/in",
        ",",
        "chroot",
        "/tmp/in",
        ",",
        "ls",
        "../../../../..",
    ];
    // CAP_SYS_CHROOT is among the default capabilities.
    for command in [
        bench.command(&words),
        with_capability(bench.command(&words), "SYS_CHROOT"),
    ] {
        let outcome = bench.run(&command);
        let said = outcome.out.strip_prefix("ok\nok\n");
        assert_not_the_hosts(said.unwrap_or_else(|| panic!("{outcome:?}")));
        std::fs::remove_dir(bench.rootfs.path().join("tmp/in")).unwrap();
    }
    let outcome = bench.run(&bench.command(&["uncover"]));
    assert_eq!(outcome.out, "EPERM\n", "{outcome:?}");
}

#[test]
fn who_could_uncover_the_hosts_root_is_refused() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    let words = ["seq", "uncover", ",", "ls", "/"];
    let mut command = with_capability(bench.command(&words), "SYS_ADMIN");
    for own_users in [false, true] {
        if own_users {
            let map = IdMap {
                container_id: 0,
                host_id: 100_000,
                size: 65536,
            };
            let linux = command.as_linux_mut().unwrap();
            linux.uid_mappings = vec![map];
            linux.gid_mappings = vec![map];
        }
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        assert!(text.contains("initramfs"), "{text}");
    }
    let mut privileged = bench.command(&words);
    privileged.process.privileged = true;
    let (error, text) = refused(bench.try_run(&privileged));
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    // Nor by an exec.
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        let mut request = ExecRequest::new(contract::process(&words));
        request.process.privileged = true;
        let outcome = bench.try_exec_with(&command.id, &request, Pipes::null());
        let (error, text) = refused(outcome);
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    });
}

/// Whoever makes a user namespace has the capability there, over a copy of mounts that are locked together.
#[test]
fn a_user_namespace_inside_uncovers_nothing() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    let words = [
        "seq", "unshare", "user", "mnt", ",", "uncover", ",", "ls", "/",
    ];
    let mut command = bench.command(&words);
    command.as_linux_mut().unwrap().seccomp_profile = "unconfined".to_owned();
    let outcome = bench.run(&command);
    let said = outcome.out.strip_prefix("ok\nEINVAL\n");
    assert_not_the_hosts(said.unwrap_or_else(|| panic!("{outcome:?}")));
}
