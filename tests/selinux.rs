//! SELinux on a host that enforces a policy: labels of programs, execs and mounts, and what they then may.
//!
//! The policy is that of tests/vm/selinux.sh: `container_t` writes to `container_file_t` of its own categories alone.
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
use execdriver::{Command, Ephemeral, Error, IdMap, Ipc};
use support::{Need, skip_unless};

const NEEDS: [Need; 2] = [Need::Root, Need::SeLinux];
const PROGRAM: &str = "system_u:system_r:container_t:s0:c1,c2";
const FILES: &str = "system_u:object_r:container_file_t:s0:c1,c2";
const OTHERS: &str = "system_u:object_r:container_file_t:s0:c1,c3";
const CURRENT: &str = "/proc/self/attr/current";

fn labelled(bench: &Bench, words: &[&str], program: &str, mounts: &str) -> Command {
    let mut command = bench.command(words);
    command.process_label = program.to_owned();
    command.mount_label = mounts.to_owned();
    command
}

/// The kernel's text ends with NUL.
fn context(text: &str) -> &str {
    text.trim_end_matches(['\0', '\n'])
}

fn in_user_namespace(command: &mut Command) {
    let all = || {
        vec![IdMap {
            container_id: 0,
            host_id: 100_000,
            size: 65536,
        }]
    };
    let linux = command.as_linux_mut().unwrap();
    (linux.uid_mappings, linux.gid_mappings) = (all(), all());
}

#[test]
fn a_container_and_its_execs_have_the_label_of_the_command() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    let plain = bench.says(&["cat", CURRENT]);
    assert!(!plain.contains("container_t"), "{plain:?}");
    for init in [false, true] {
        let command = labelled(&bench, &["cat", CURRENT], PROGRAM, "");
        let command = command.with_linux(|linux| linux.init = init);
        assert_eq!(context(&bench.output(&command)), PROGRAM, "init {init}");
    }
    let command = labelled(&bench, &["pause"], PROGRAM, FILES);
    bench.while_running(&command, |started| {
        let outside = format!("/proc/{}/attr/current", started.pid);
        assert_eq!(context(&std::fs::read_to_string(outside).unwrap()), PROGRAM);
        let said = bench.exec(&command.id, &["cat", CURRENT]).out;
        assert_eq!(context(&said), PROGRAM);
    });
}

#[test]
fn mounts_have_their_label_and_the_policy_holds_between_containers() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    let table = bench.output(&labelled(&bench, &["mounts"], PROGRAM, FILES));
    for place in ["/dev", "/dev/shm", "/dev/pts"] {
        let line = table
            .lines()
            .find(|line| line.split(' ').nth(4) == Some(place));
        let line = line.unwrap_or_else(|| panic!("{place} in {table}"));
        assert!(line.contains(&format!("context=\"{FILES}\"")), "{line}");
    }
    let said = |mounts: &str| {
        let words = [
            "seq",
            "write",
            "/dev/shm/x",
            "x",
            ",",
            "write",
            "/tmp/x",
            "x",
        ];
        bench.run(&labelled(&bench, &words, PROGRAM, mounts)).out
    };
    // Its own; another container's; and the root file system, whose files are the host's.
    assert_eq!(said(FILES), "ok\nEACCES\n");
    assert_eq!(said(OTHERS), "EACCES\nEACCES\n");
}

/// The kernel makes that file system with its namespace and refuses it another label by mount(2).
#[test]
fn message_queues_have_the_label_of_mounts_unless_they_are_the_hosts_roots() {
    if skip_unless(&NEEDS) {
        return;
    }
    let label_of = |path: &str| {
        let listed = std::process::Command::new("ls")
            .args(["-Zd", path])
            .output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        listed.split(' ').next().unwrap().to_owned()
    };
    let bench = Bench::new();
    let queues = |started: &contract::Started| format!("/proc/{}/root/dev/mqueue", started.pid);
    let mut command = labelled(&bench, &["pause"], PROGRAM, FILES);
    bench.while_running(&command, |started| {
        assert_eq!(label_of(&queues(started)), FILES);
    });
    let before = label_of("/dev/mqueue");
    in_user_namespace(&mut command);
    bench.while_running(&command, |started| {
        assert_eq!(label_of(&queues(started)), before);
    });
    let mut command = labelled(&bench, &["pause"], PROGRAM, FILES);
    command.as_linux_mut().unwrap().ipc = Some(Ipc::host());
    bench.while_running(&command, |started| {
        assert_eq!(label_of(&queues(started)), before);
    });
    assert_eq!(label_of("/dev/mqueue"), before);
}

#[test]
fn labels_hold_in_a_user_namespace() {
    if skip_unless(&[NEEDS[0], NEEDS[1], Need::UserNamespaces]) {
        return;
    }
    let bench = Bench::new();
    for mounts in [FILES, OTHERS] {
        let words = ["seq", "write", "/dev/shm/x", "x", ",", "cat", CURRENT];
        let mut command = labelled(&bench, &words, PROGRAM, mounts);
        in_user_namespace(&mut command);
        let first = if mounts == FILES { "ok" } else { "EACCES" };
        let said = bench.run(&command).out;
        assert_eq!(context(&said), format!("{first}\n{PROGRAM}"), "{mounts}");
    }
}

#[test]
fn a_label_that_the_policy_does_not_have_is_an_error_that_names_it() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    for wrong in [
        "nonsense",
        "system_u:system_r:no_such_t:s0",
        "system_u:object_r:file_t:s0:c77",
    ] {
        for (program, mounts, named) in [(wrong, "", "process_label"), ("", wrong, "mount_label")] {
            let command = labelled(&bench, &["true"], program, mounts);
            let (error, text) = refused(bench.try_run(&command));
            assert!(
                matches!(&error, Error::InvalidCommand { field, .. } if field == named),
                "{text}"
            );
            assert!(text.contains(wrong), "{text}");
        }
    }
    // A label that it has, and a change to which it refuses: the program would keep the host's.
    let command = labelled(&bench, &["true"], "system_u:system_r:file_t:s0", "");
    let (error, text) = refused(bench.try_run(&command));
    assert!(text.contains("system_u:system_r:file_t:s0"), "{error:?}");
    let ephemeral = labelled(&bench, &["true"], "", FILES).with_linux(|linux| {
        linux.ephemeral = Some(Ephemeral {
            size_bytes: 1 << 20,
            inodes: 100,
        });
    });
    let (error, text) = refused(bench.try_run(&ephemeral));
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("mount_label"), "{text}");
}
