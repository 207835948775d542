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
use execdriver::{Command, Error};
use support::{Need, skip_unless};

const NEEDS: [Need; 2] = [Need::Root, Need::AppArmor];
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
    let default = "execdriver-default (enforce)\n";
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
    command = command.with_linux(|linux| linux.cap_add = vec!["SYS_ADMIN".into()]);
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
