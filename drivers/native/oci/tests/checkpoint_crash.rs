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
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Baseline, Need, alone, eventually, rounds, skip_unless};

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

/// What a killed restore leaves: a tracer in the container's cgroup, outside of its pid namespace, that reaps nothing.
#[test]
fn a_delete_ends_a_container_whose_processes_are_held_by_a_tracer_of_its_cgroup() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _alone = alone();
    let bundle = script("while :; do sleep 100; done");
    bundle.run_detached();
    let first = bundle.state()["pid"].as_u64().unwrap();
    let children = format!("/proc/{first}/task/{first}/children");
    let mut child = String::new();
    eventually("the shell has a child", || {
        child = fs::read_to_string(&children).unwrap_or_default();
        !child.trim().is_empty()
    });
    let script = format!(
        "syscall({}, {}, {}, 0, 0) == 0 or die; print qq(seized\\n); close STDOUT; sleep 60",
        libc::SYS_ptrace,
        libc::PTRACE_SEIZE,
        child.trim()
    );
    let mut tracer = Command::new("perl")
        .args(["-e", &script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    tracer
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "seized\n");
    for line in fs::read_to_string(format!("/proc/{first}/cgroup"))
        .unwrap()
        .lines()
    {
        let (names, path) = line.split_once(':').unwrap().1.split_once(':').unwrap();
        let name = names.trim_start_matches("name=");
        for root in [name, "unified", "."] {
            let procs = format!("/sys/fs/cgroup/{root}{path}/cgroup.procs");
            if fs::write(procs, tracer.id().to_string()).is_ok() {
                break;
            }
        }
    }
    bundle.done(&["delete", "--force", &bundle.id]);
    assert!(!bundle.state_dir().exists());
    assert!(!tracer.wait().unwrap().success());
}
