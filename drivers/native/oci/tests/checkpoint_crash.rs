//! `checkpoint` and `restore` that are killed at any moment: the one leaves a container that goes on, the other nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
mod saved;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use saved::{COUNT, NEEDS, script};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Baseline, alone, eventually, rounds, skip_unless};

#[test]
fn a_restore_that_is_killed_at_any_moment_can_be_deleted_and_leaves_nothing() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _alone = alone();
    let bundle = script("while :; do sleep 1; done");
    let mut command = bundle.criu(&["run", "--detach", &bundle.id]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    bundle.checkpoint(&[]);
    let restore = || {
        let mut command = bundle.criu(&["restore", "--detach", &bundle.id]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let begun = Instant::now();
    assert!(restore().wait().unwrap().success());
    let whole = begun.elapsed().min(Duration::from_secs(5));
    bundle.done(&["delete", "--force", &bundle.id]);
    let baseline = Baseline::take(&bundle.rootfs, &[&bundle.id]);
    let times = rounds(12);
    for moment in 0..times {
        let mut restore = restore();
        std::thread::sleep(whole * moment * 6 / (times * 5));
        let _ = restore.kill();
        restore.wait().unwrap();
        let status = bundle.status();
        assert!(
            ["none", "stopped", "running"].contains(&status.as_str()),
            "{moment}: {status}"
        );
        bundle.done(&["delete", "--force", &bundle.id]);
        assert!(!bundle.state_dir().exists(), "{moment}");
    }
    baseline.assert_back();
    assert!(restore().wait().unwrap().success());
    assert_eq!(bundle.status(), "running");
}

#[test]
fn a_checkpoint_that_is_killed_at_any_moment_lets_the_container_go_on() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _alone = alone();
    let bundle = script(COUNT);
    bundle.count("out");
    let begun = Instant::now();
    bundle.checkpoint(&["--leave-running"]);
    let whole = begun.elapsed().min(Duration::from_secs(5));
    let times = rounds(8);
    for moment in 0..times {
        let images = format!("images{moment}");
        let mut command = bundle.criu(&[
            "checkpoint",
            "--leave-running",
            "--image-path",
            &images,
            &bundle.id,
        ]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut checkpoint = command.spawn().unwrap();
        std::thread::sleep(whole * moment * 6 / (times * 5));
        let _ = checkpoint.kill();
        checkpoint.wait().unwrap();
        let then = bundle.last("out");
        eventually("it counts on", || bundle.last("out") > then + 2);
        bundle.await_status("running");
    }
    // CRIU has let go of it once another may take it.
    let again = ["checkpoint", "--image-path", "last", &bundle.id];
    eventually("it can be saved", || {
        bundle.say_with(bundle.criu(&again)).code() == 0
    });
    assert_eq!(bundle.status(), "none");
}
