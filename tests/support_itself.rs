//! The test support does what the other tests rely on.
#![cfg(target_os = "linux")]

mod support;

use std::process::{Command, Stdio};
use support::{Baseline, Need, Rootfs, alone, among, payload, skip_unless};

#[test]
fn the_payload_runs_by_its_link_and_by_its_first_argument() {
    let _among = among();
    let rootfs = Rootfs::new();
    let by_link = Command::new(rootfs.inside("bin/exit"))
        .arg("7")
        .status()
        .expect("it runs");
    let by_word = Command::new(payload())
        .args(["exit", "7"])
        .status()
        .expect("it runs");
    assert_eq!((by_link.code(), by_word.code()), (Some(7), Some(7)));
}

#[test]
fn the_payload_needs_no_loader() {
    let _among = among();
    let bytes = std::fs::read(payload()).expect("the payload is a file");
    assert!(
        !bytes
            .windows(9)
            .any(|window| window == b"/ld-linux" || window == b"/ld-musl-"),
        "it has an interpreter"
    );
}

#[test]
fn the_payload_shows_the_environment_as_it_is() {
    let _among = among();
    let output = Command::new(payload())
        .arg("env")
        .env_clear()
        .env("A", "x=y\nz")
        .output()
        .expect("it runs");
    assert_eq!(output.stdout, b"A=x=y\nz\n");
}

#[test]
fn a_refusal_is_the_name_of_the_errno() {
    let _among = among();
    let output = Command::new(payload())
        .args(["write", "/", "x"])
        .output()
        .expect("it runs");
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(1), &b"EISDIR\n"[..])
    );
}

#[test]
fn a_baseline_sees_what_is_left_behind() {
    let _alone = alone();
    let rootfs = Rootfs::new();
    let baseline = Baseline::take(&rootfs, &["no-such-container"]);
    baseline.assert_back();

    let file = std::fs::File::open("/dev/null").expect("it opens");
    assert!(
        baseline.left().concat().contains("descriptors"),
        "{:?}",
        baseline.left()
    );
    drop(file);

    let mut child = Command::new(payload())
        .arg("pause")
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts");
    assert!(
        baseline.left().concat().contains("children"),
        "{:?}",
        baseline.left()
    );
    child.kill().expect("our own child");
    child.wait().expect("our own child");

    let state = rootfs.state().join("execdriver/native/left");
    std::fs::create_dir_all(&state).expect("our own directory");
    assert!(
        baseline.left().concat().contains("state directories"),
        "{:?}",
        baseline.left()
    );
    std::fs::remove_dir(&state).expect("our own directory");

    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    assert!(
        baseline.left().concat().contains("threads"),
        "{:?}",
        baseline.left()
    );
    drop(stop);
    let _ = thread.join();
    baseline.assert_back();
}

#[test]
fn a_baseline_sees_mounts_cgroups_and_processes_elsewhere() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::CgroupV1("pids"), Need::Program("unshare")]) {
        return;
    }
    let rootfs = Rootfs::new();
    let id = support::unique_id("baseline");
    let baseline = Baseline::take(&rootfs, &[&id]);

    let cgroup = std::path::Path::new("/sys/fs/cgroup/pids").join(&id);
    std::fs::create_dir(&cgroup).expect("root may make cgroups");
    assert!(
        baseline.left().concat().contains("cgroups"),
        "{:?}",
        baseline.left()
    );
    std::fs::remove_dir(&cgroup).expect("our own cgroup");

    let script = format!(
        "mount --bind {0} {0} && exec {1} pause",
        rootfs.path().display(),
        payload().display()
    );
    let mut child = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .spawn()
        .expect("it starts");
    support::eventually("the process is seen", || {
        baseline.left().concat().contains("processes on the rootfs")
    });
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    baseline.assert_back();
}
