//! Cases 23 to 27 of the contract: the working directory and the environment.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::Error;
use support::{Need, skip_unless};

#[test]
fn workdir() {
    let bench = Bench::new();
    let mut command = bench.command(&["cwd"]);
    assert_eq!(bench.output(&command), "/\n");
    command.working_dir = "/root".into();
    assert_eq!(bench.output(&command), "/root\n");

    command.working_dir = "/no/such".into();
    let (error, text) = refused(bench.try_run(&command));
    assert_eq!(error.exit_code(), 125, "{text}");
    assert!(
        text.contains("/no/such") && text.contains("No such file"),
        "{text}"
    );
    command.working_dir = "/etc/passwd".into();
    let (error, text) = refused(bench.try_run(&command));
    assert_eq!(error.exit_code(), 125, "{text}");
    assert!(
        text.contains("/etc/passwd") && text.contains("Not a directory"),
        "{text}"
    );
    command.working_dir = "root".into();
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
}

/// It is entered as the final user with the final capabilities, who may not be let in.
#[test]
fn workdir_of_another_user_is_refused_without_capabilities() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["cwd"]);
    command.working_dir = "/root".into();
    command.process.user = "daemon".into();
    command.as_linux_mut().unwrap().cap_drop = vec!["ALL".into()];
    let (error, text) = refused(bench.try_run(&command));
    assert_eq!(error.exit_code(), 125, "{text}");
    assert!(text.contains("Permission denied"), "{text}");
}

#[test]
fn env_exact() {
    let bench = Bench::new();
    let command = bench
        .command(&["env", "-0"])
        .env("PATH", "/bin:/sbin")
        .env("HOSTNAME", "box")
        .env("FALSE", "true")
        .env("TRICKY", "tri\ncky\n");
    let expected = "PATH=/bin:/sbin\0HOSTNAME=box\0FALSE=true\0TRICKY=tri\ncky\n\0HOME=/root\0";
    assert_eq!(bench.output(&command), expected);
    // One that is there and empty counts as unset, one of the caller's choice stays.
    let empty = bench.command(&["env"]).env("HOME", "");
    assert_eq!(bench.output(&empty), "HOME=/root\n");
    let own = bench.command(&["env"]).env("HOME", "/tmp").env("A", "");
    assert_eq!(bench.output(&own), "HOME=/tmp\nA=\n");
}

#[test]
fn env_dup() {
    let bench = Bench::new();
    let command = bench.command(&["env"]).env("A", "1").env("B", "b");
    let shown = bench.output(&command.env("A", "2"));
    assert_eq!(shown, "A=2\nB=b\nHOME=/root\n");
}

#[test]
fn env_eq() {
    let bench = Bench::new();
    let shown = bench.output(&bench.command(&["env"]).env("B", "x=y"));
    assert_eq!(shown, "B=x=y\nHOME=/root\n");
}

#[test]
fn env_no_eq() {
    let bench = Bench::new();
    for bad in ["NOEQ", "", "=value"] {
        let mut command = bench.command(&["env"]);
        command.process.env = vec!["A=1".into(), bad.into()];
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(&error, Error::InvalidCommand { field, .. } if field.contains("[1]")),
            "{bad:?}: {text}"
        );
    }
}
