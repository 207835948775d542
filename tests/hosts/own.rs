//! A test in a process of its own, so that what it does to its signals and children stays there.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use crate::support::payload;
use std::process::{Child, Command, Stdio};

const MARK: &str = "EXECDRIVER_TEST_HOST";

/// Whether this is the process that the test named `test` asked for. If not it runs it and checks that it passed.
#[track_caller]
pub(crate) fn in_own_process(test: &str) -> bool {
    if role().is_some_and(|name| name == test) {
        return true;
    }
    let output = again(test, test).output().expect("our own program runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{:?}\n{out}\n{err}",
        output.status
    );
    false
}

/// Starts the test named `test` as a host program in the role of `role`, which a test asks for by `role()`.
pub(crate) fn start(test: &str, role: &str, arguments: &[(&str, &std::path::Path)]) -> Child {
    let mut command = again(test, role);
    command.envs(arguments.iter().copied());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    child.spawn().expect("our own program runs")
}

/// The role that this process was started for, if any.
pub(crate) fn role() -> Option<String> {
    std::env::var(MARK).ok()
}

fn again(test: &str, role: &str) -> Command {
    // Its own link, so that another user need not be able to reach the file.
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(MARK, role)
        .env("EXECDRIVER_PAYLOAD", payload());
    command
}
