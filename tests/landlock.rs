//! Landlock rules: what they forbid is forbidden to root too, to what the program starts, and to execs.
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
use execdriver::{Command, Error, Landlock, Mount, Network};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use support::{Need, is_root, skip_unless, unique_id};

fn paths(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// The payload's own directory, and one to write in.
fn rules() -> Landlock {
    Landlock {
        read: paths(&["/bin"]),
        write: paths(&["/tmp"]),
        ..Landlock::default()
    }
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.rootfs.write("etc/secret", "secret\n");
    bench.rootfs.write("data/public", "public\n");
    bench
}

fn with(bench: &Bench, rules: Landlock, words: &[&str]) -> Command {
    let command = bench.command(words);
    command.with_linux(|linux| linux.landlock = Some(rules))
}

/// What each of the attempts says, one a line.
#[track_caller]
fn tried(bench: &Bench, rules: Landlock, words: &[&str]) -> String {
    bench.run(&with(bench, rules, words)).out
}

#[test]
fn what_no_rule_allows_is_denied_to_read_to_write_and_to_remove() {
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let bench = bench();
    let words = [
        "seq",
        "open",
        "/etc/secret",
        ",",
        "cat",
        "/etc/secret",
        ",",
        "write",
        "/etc/new",
        "x",
        ",",
        "rm",
        "/etc/secret",
        ",",
        "truncate",
        "/etc/secret",
        ",",
        "ls",
        "/",
        ",",
        "write",
        "/tmp/new",
        "x",
        ",",
        "rm",
        "/tmp/new",
        ",",
        "ls",
        "/tmp",
    ];
    let said = tried(&bench, rules(), &words);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "ok", "ok"
        ]
    );
    let kept = std::fs::read_to_string(bench.rootfs.inside("etc/secret"));
    assert_eq!(kept.unwrap(), "secret\n");
}

#[test]
fn a_path_to_read_cannot_be_written_and_one_without_execution_not_executed() {
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let bench = bench();
    let program = bench.rootfs.inside("data/true");
    std::fs::copy(bench.rootfs.inside("bin/payload"), program).unwrap();
    let rules = || Landlock {
        read: paths(&["/bin"]),
        read_noexec: paths(&["/data"]),
        write_noexec: paths(&["/tmp"]),
        ..Landlock::default()
    };
    let words = [
        "seq",
        "cat",
        "/data/public",
        ",",
        "write",
        "/data/public",
        "x",
        ",",
        "truncate",
        "/data/public",
        ",",
        "link",
        "/bin/true",
        "/tmp/true",
        ",",
        "write",
        "/tmp/new",
        "x",
        ",",
        "exec",
        "/data/true",
    ];
    let said = tried(&bench, rules(), &words);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        // A link would give a file a right that its directory has not.
        ["public", "EACCES", "EACCES", "EXDEV", "ok", "EACCES"]
    );
    // So is the container's program itself.
    let (error, text) = refused(bench.try_run(&with(&bench, rules(), &["/data/true"])));
    assert!(
        matches!(error, Error::ProgramNotExecutable { .. }),
        "{text}"
    );
    assert!(text.contains("ermission denied"), "{text}");
}

#[test]
fn neither_root_nor_a_child_nor_an_exec_gets_around_the_rules() {
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let bench = bench();
    let mut command = with(&bench, rules(), &["pause"]);
    command.process.privileged = is_root();
    command.mounts = vec![Mount::tmpfs("/mnt", "")];
    bench.while_running(&command, |_| {
        let said = bench.exec(&command.id, &["open", "/etc/secret"]);
        assert_eq!(said.out, "EACCES\n");
        let said = bench.exec(&command.id, &["fork", "open", "/etc/secret"]);
        assert!(said.out.contains("EACCES"), "{said:?}");
        let said = bench.exec(&command.id, &["exec", "/bin/open", "/etc/secret"]);
        assert_eq!(said.out, "EACCES\n");
        // No mount can lead around them.
        let said = bench.exec(&command.id, &["umount", "/mnt"]);
        assert_eq!(said.out, "EPERM\n");
        let said = bench.exec(&command.id, &["write", "/tmp/exec", "x"]);
        assert_eq!(said.out, "ok\n");
    });
}

#[test]
fn rules_hold_for_a_user_with_init_and_under_no_new_privileges() {
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let bench = bench();
    let secret = ["open", "/etc/secret"];
    for (init, no_new_privileges) in [(true, false), (false, true), (true, true)] {
        let mut command = with(&bench, rules(), &secret).with_linux(|linux| {
            linux.init = init;
            linux.no_new_privileges = no_new_privileges;
        });
        assert_eq!(bench.run(&command).out, "EACCES\n");
        if is_root() {
            // Who has lost every capability by the change of user.
            command.id = unique_id("landlock");
            command.process.user = "1000:1000".into();
            assert_eq!(bench.run(&command).out, "EACCES\n");
        }
    }
}

#[test]
fn a_rule_for_the_root_allows_everything_below_it() {
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let bench = bench();
    let everything = Landlock {
        read: paths(&["/tmp/.."]),
        ..Landlock::default()
    };
    let words = [
        "seq",
        "cat",
        "/etc/secret",
        ",",
        "write",
        "/etc/secret",
        "x",
    ];
    assert_eq!(tried(&bench, everything, &words), "secret\nEACCES\n");
}

#[test]
fn a_path_that_does_not_exist_is_named_and_nothing_runs() {
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let bench = bench();
    let mut missing = rules();
    missing.read.push("/no/such".into());
    let (error, text) = refused(bench.try_run(&with(&bench, missing, &["true"])));
    match error {
        Error::InvalidCommand { field, .. } => assert_eq!(field, "landlock"),
        other => panic!("{other:?}"),
    }
    assert!(
        text.contains("landlock.read[1]") && text.contains("/no/such"),
        "{text}"
    );
    assert!(text.contains("No such file"), "{text}");
}

#[test]
fn only_the_tcp_ports_of_the_lists_can_be_used() {
    if skip_unless(&[Need::Landlock(4)]) {
        return;
    }
    let bench = bench();
    let ports = |bind: Option<Vec<u16>>, connect: Option<Vec<u16>>| Landlock {
        bind_tcp: bind,
        connect_tcp: connect,
        ..Landlock::default()
    };
    let words = [
        "seq",
        "tcp",
        "bind",
        "8080",
        ",",
        "tcp",
        "bind",
        "8081",
        ",",
        "tcp",
        "connect",
        "443",
        ",",
        "tcp",
        "connect",
        "80",
        ",",
        "cat",
        "/etc/secret",
    ];
    let said = tried(&bench, ports(Some(vec![8080]), Some(vec![443])), &words);
    assert_eq!(said, "ok\nEACCES\nECONNREFUSED\nEACCES\nsecret\n");
    let said = tried(&bench, ports(None, Some(Vec::new())), &words);
    assert_eq!(said, "ok\nok\nEACCES\nEACCES\nsecret\n");
}

#[test]
fn signals_and_abstract_sockets_stay_within_the_scope() {
    if skip_unless(&[Need::Landlock(6)]) {
        return;
    }
    let bench = bench();
    let name = unique_id("scope");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let connects = |scoped| {
        let rules = Landlock {
            scope_abstract_sockets: scoped,
            scope_signals: true,
            ..Landlock::default()
        };
        let mut command = with(&bench, rules, &["abstract", &name]);
        command.network = Some(Network::host());
        bench.run(&command).out
    };
    assert_eq!(connects(true), "EPERM\n");
    assert_eq!(connects(false), "ok\n");
    let rules = Landlock {
        scope_signals: true,
        ..Landlock::default()
    };
    let command = with(&bench, rules, &["pause"]);
    bench.while_running(&command, |_| {
        // The first process and an exec are each in rules of their own.
        assert_eq!(bench.exec(&command.id, &["kill", "1", "0"]).out, "EPERM\n");
    });
}

#[test]
fn a_kernel_that_is_too_old_for_the_rules_is_an_error_that_names_the_abi() {
    if skip_unless(&[Need::LandlockBefore(3)]) {
        return;
    }
    let bench = bench();
    let (error, text) = refused(bench.try_run(&with(&bench, rules(), &["true"])));
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(
        text.contains("needs ABI 3") && text.contains("best_effort"),
        "{text}"
    );
    let effort = Landlock {
        best_effort: true,
        ..rules()
    };
    let outcome = bench.run(&with(&bench, effort, &["open", "/etc/secret"]));
    assert_eq!(outcome.out, "EACCES\n");
    let said = outcome.status.unenforced.join("; ");
    assert!(said.contains("needs ABI 3"), "{said}");
}
