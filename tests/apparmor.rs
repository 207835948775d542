//! AppArmor on a host that has it: the default profile, one by its name, none, and execs.
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
use execdriver::{Command, Error, Hooks, Mount, Pipes};
use std::sync::Mutex;
use support::{Need, skip_unless};

const NEEDS: [Need; 2] = [Need::Root, Need::AppArmor];
const CONFINED: &str = "execdriver-default (enforce)\n";
const CURRENT: &str = "/proc/self/attr/apparmor/current";

fn profiled(bench: &Bench, words: &[&str], profile: &str) -> Command {
    let command = bench.command(words);
    command.with_linux(|linux| linux.apparmor_profile = profile.to_owned())
}

#[test]
fn a_container_and_its_execs_are_confined_by_the_default_profile() {
    if skip_unless(&[NEEDS[0], NEEDS[1], Need::Path("/usr/sbin/apparmor_parser")]) {
        return;
    }
    let bench = Bench::new();
    let default = CONFINED;
    let outcome = bench.run(&bench.command(&["cat", CURRENT]));
    assert_eq!(outcome.out, default, "{outcome:?}");
    let said = outcome.status.unenforced.join("; ");
    assert!(!said.contains("AppArmor"), "{said}");
    let with_init = bench.command(&["cat", CURRENT]);
    let with_init = with_init.with_linux(|linux| linux.init = true);
    assert_eq!(bench.output(&with_init), default);
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |started| {
        let outside = format!("/proc/{}/attr/apparmor/current", started.pid);
        assert_eq!(std::fs::read_to_string(outside).unwrap(), default);
        assert_eq!(bench.exec(&command.id, &["cat", CURRENT]).out, default);
        // Root in it may mount nothing, and signals stay among its own.
        assert_eq!(bench.exec(&command.id, &["kill", "1", "0"]).out, "ok\n");
    });
    let mut command = bench.command(&["mount", "tmpfs", "/tmp", "tmpfs"]);
    command = command.with_linux(|linux| {
        linux.cap_add = vec!["SYS_ADMIN".into()];
        // The default filter of system calls would refuse it before AppArmor is asked.
        linux.seccomp_profile = "unconfined".into();
    });
    let denied = bench.run(&command);
    assert_eq!(denied.out, "EACCES\n", "{denied:?}");
    let words = [
        "seq",
        "write",
        "/tmp/x",
        "x",
        ",",
        "open",
        "/proc/self/comm",
        "w",
    ];
    assert_eq!(bench.says(&words), "ok\nok\n");
}

#[test]
fn a_profile_by_its_name_is_taken_and_a_missing_one_is_an_error_that_names_it() {
    if skip_unless(&NEEDS) {
        return;
    }
    let bench = Bench::new();
    let (error, text) = refused(bench.try_run(&profiled(&bench, &["true"], "no-such-profile")));
    assert!(
        matches!(&error, Error::InvalidCommand { field, .. } if field == "apparmor_profile"),
        "{text}"
    );
    assert!(text.contains("no-such-profile"), "{text}");
    let said = bench.output(&profiled(&bench, &["cat", CURRENT], "unconfined"));
    assert_eq!(said, "unconfined\n");
    let mut privileged = bench.command(&["cat", CURRENT]);
    privileged.process.privileged = true;
    match bench.try_run(&privileged) {
        Ok(outcome) => assert_eq!(outcome.out, "unconfined\n"),
        // A host that cannot give every capability.
        Err(error) => assert!(!contract::chain(&error).contains("AppArmor"), "{error}"),
    }
}

/// CVE-2019-16884: a volume over init's own files of /proc took the profile's name in the kernel's place.
#[test]
fn a_volume_over_the_files_of_proc_keeps_no_container_unconfined() {
    if skip_unless(&[NEEDS[0], NEEDS[1], Need::Path("/usr/sbin/apparmor_parser")]) {
        return;
    }
    let bench = Bench::new();
    let outside = bench.rootfs.state().join("attr");
    std::fs::create_dir_all(outside.join("apparmor")).unwrap();
    for file in ["exec", "current", "apparmor/exec", "apparmor/current"] {
        std::fs::write(outside.join(file), "nothing").unwrap();
    }
    for place in [
        "/proc/self/attr",
        "/proc/thread-self/attr",
        "/proc/1/attr",
        "/proc",
    ] {
        let mut command = bench.command(&["pause"]);
        let volume = Mount::bind(&outside, place);
        command.mounts = vec![Mount {
            writable: true,
            ..volume
        }];
        let seen = Mutex::new(None);
        let hooks = Hooks::none().on_start(|context| {
            let current = format!("/proc/{}/attr/apparmor/current", context.pid);
            *seen.lock().unwrap() = Some(std::fs::read_to_string(current)?);
            Err("that was all".into())
        });
        let (_, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
        match seen.lock().unwrap().as_deref() {
            Some(current) => assert_eq!(current, CONFINED, "{place}"),
            None => assert!(text.contains(place), "{place}: {text}"),
        }
        let text = std::fs::read_to_string(outside.join("exec")).unwrap();
        assert_eq!(text, "nothing");
    }
}

/// Root with every capability, without masks and filters: what the profile alone keeps from it.
#[test]
fn the_default_profile_holds_even_the_privileged_who_ask_for_it() {
    if skip_unless(&[NEEDS[0], NEEDS[1], Need::Path("/usr/sbin/apparmor_parser")]) {
        return;
    }
    let bench = Bench::new();
    // Loads it.
    assert_eq!(bench.says(&["cat", CURRENT]), CONFINED);
    let said = |words: &[&str]| {
        let mut command = profiled(&bench, words, "execdriver-default");
        command.process.privileged = true;
        bench.run(&command).out
    };
    for words in [
        ["mount", "tmpfs", "/tmp", "tmpfs"].as_slice(),
        &["write", "/proc/sys/kernel/domainname", "x"],
        &["write", "/proc/sysrq-trigger", "h"],
        &["write", "/sys/kernel/profiling", "0"],
        &["open", "/proc/kcore", "r"],
        // Out of the profile, now or at the next execve.
        &["write", CURRENT, "changeprofile unconfined"],
        &["write", "/proc/self/attr/apparmor/exec", "exec unconfined"],
        &[
            "write",
            "/proc/self/attr/current",
            "changeprofile unconfined",
        ],
    ] {
        assert_eq!(said(words), "EACCES\n", "{words:?}");
    }
    assert_eq!(
        said(&["write", "/proc/sys/kernel/shm_rmid_forced", "0"]),
        "ok\n"
    );
    assert_eq!(said(&["cat", CURRENT]), CONFINED);
}
