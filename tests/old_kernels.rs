//! A kernel that lacks what the driver cannot do without: an error that says so, and never a lesser container.
//!
//! What has a fallback is tested by running the contract's tests under `payload without 5.10` (tests/run.sh, stage floor).
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod support;

use contract::{Bench, chain};
use support::payload;

/// In a process under a filter: what is missing.
const WITHOUT: &str = "EXECDRIVER_TEST_WITHOUT";

#[test]
fn a_kernel_without_a_call_that_linux_5_10_has_starts_nothing_and_says_why() {
    const NAME: &str = "a_kernel_without_a_call_that_linux_5_10_has_starts_nothing_and_says_why";
    if let Some(name) = std::env::var_os(WITHOUT) {
        let bench = Bench::new();
        let command = bench.command(&["true"]);
        let error = bench.try_run(&command).expect_err("it starts nothing");
        let text = chain(&error);
        assert!(
            text.contains("not implemented") || text.contains("kernel"),
            "{name:?}: {text}"
        );
        bench.driver.clean(&command.id).unwrap();
        assert!(bench.driver.list().unwrap().is_empty(), "{name:?}");
        return;
    }
    let own = std::env::current_exe().unwrap();
    for name in ["openat2", "open-tree", "move-mount", "fsopen", "execveat"] {
        let output = std::process::Command::new(payload())
            .args(["without", name])
            .arg(&own)
            .args(["--exact", "--nocapture", NAME])
            .env(WITHOUT, name)
            .env("EXECDRIVER_PAYLOAD", payload())
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && out.contains("1 passed"),
            "{name}: {out}{err}"
        );
    }
}
