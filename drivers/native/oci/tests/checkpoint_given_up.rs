//! `checkpoint` and `restore` that are told to end: a CRIU that hangs is ended too, and the container is what it was.
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

use bundle::Bundle;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use saved::{COUNT, NEEDS, script};
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Need, alone, among, criu, eventually, rounds, skip_unless};

#[test]
fn a_checkpoint_whose_criu_hangs_is_given_up_and_the_container_runs_on() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    // Its processes are held by then.
    hang_at(&bundle, "network-lock");
    bundle.count("out");
    let checkpoint = begun(&bundle, &["checkpoint", "--image-path", "images"]);
    let hangs = hanging(&bundle);
    let then = bundle.last("out");
    ended(&bundle, checkpoint, Signal::SIGTERM);
    // It is killed with CRIU, and reaped by whoever it falls to.
    eventually("what CRIU has started is gone", || !hangs.exists());
    eventually("it counts on", || bundle.last("out") > then + 2);
    assert_eq!(bundle.status(), "running");
    assert_eq!(files(&bundle.file("images")), ["dump.log"]);
}

#[test]
fn a_checkpoint_of_a_paused_container_that_is_given_up_leaves_it_paused() {
    if skip_unless(&NEEDS) || skip_unless(&[Need::Freezer]) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    hang_at(&bundle, "network-lock");
    bundle.count("out");
    bundle.done(&["pause", &bundle.id]);
    let checkpoint = begun(&bundle, &["checkpoint", "--image-path", "images"]);
    hanging(&bundle);
    ended(&bundle, checkpoint, Signal::SIGINT);
    eventually("it is paused", || bundle.status() == "paused");
    let then = bundle.last("out");
    bundle.done(&["resume", &bundle.id]);
    eventually("it counts on", || bundle.last("out") > then + 2);
}

#[test]
fn a_restore_whose_criu_hangs_is_given_up_and_leaves_nothing() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    bundle.count("out");
    bundle.checkpoint(&["--image-path", "images"]);
    hang_at(&bundle, "setup-namespaces");
    let restore = begun(&bundle, &["restore", "--detach", "--image-path", "images"]);
    let hangs = hanging(&bundle);
    ended(&bundle, restore, Signal::SIGTERM);
    eventually("what CRIU has started is gone", || !hangs.exists());
    assert_eq!(bundle.status(), "none");
    assert!(!bundle.state_dir().exists());
    // The same files do for another.
    hang_at(&bundle, "nothing");
    bundle.restored("after", &["--image-path", "images"]);
    eventually("it counts on", || bundle.last("after") > bundle.last("out"));
}

#[test]
fn a_criu_that_says_nothing_at_all_can_be_given_up() {
    if skip_unless(&[Need::Root, Need::Busybox]) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    bundle.count("out");
    let program = bundle.file("criu");
    write_script(&program, &format!("{}\nexec sleep 1000", note(&bundle)));
    let args = ["--criu", program.to_str().unwrap(), "checkpoint"];
    let said = File::create(bundle.file("said")).unwrap();
    let mut command = bundle.command(&[&args[..], &[&bundle.id]].concat());
    let checkpoint = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let hangs = hanging(&bundle);
    ended(&bundle, checkpoint, Signal::SIGTERM);
    eventually("it is gone", || !hangs.exists());
    assert!(!bundle.file("checkpoint").exists());
    assert_eq!(bundle.status(), "running");
}

#[test]
fn a_checkpoint_that_is_given_up_at_any_moment_is_whole_or_not_at_all() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _alone = alone();
    let bundle = script(COUNT);
    bundle.count("out");
    let since = Instant::now();
    bundle.checkpoint(&["--image-path", "first"]);
    let whole = since.elapsed().min(Duration::from_secs(5));
    bundle.count("out");
    let times = rounds(10);
    for moment in 0..times {
        let images = format!("images{moment}");
        let checkpoint = begun(&bundle, &["checkpoint", "--image-path", &images]);
        std::thread::sleep(whole * moment * 6 / (times * 5));
        let _ = kill(pid(&checkpoint), Signal::SIGTERM);
        let status = checkpoint.wait_with_output().unwrap().status;
        if status.success() {
            assert_eq!(bundle.status(), "none");
            bundle.restored("out", &["--image-path", &images]);
        } else {
            let left = files(&bundle.file(&images));
            assert!(left.is_empty() || left == ["dump.log"], "{left:?}");
        }
        let then = bundle.last("out");
        eventually("it counts on", || bundle.last("out") > then + 2);
        bundle.await_status("running");
    }
}

/// CRIU calls a script that never ends when it gets there.
fn hang_at(bundle: &Bundle, action: &str) {
    let act = bundle.file("act");
    let here = format!("[ \"$CRTOOLS_SCRIPT_ACTION\" = {action} ] || exit 0");
    write_script(&act, &format!("{here}\n{}\nexec sleep 1000", note(bundle)));
    let settings = bundle.file("criu.conf");
    fs::write(&settings, format!("action-script {}\n", act.display())).unwrap();
    bundle.edit(|config| config["annotations"] = json!({"org.criu.config": settings}));
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// The line that tells who hangs.
fn note(bundle: &Bundle) -> String {
    let path = bundle.file("hangs");
    format!("echo $$ >{}", path.display())
}

/// Waits for what hangs; its directory in /proc.
fn hanging(bundle: &Bundle) -> PathBuf {
    let note = || fs::read_to_string(bundle.file("hangs")).unwrap_or_default();
    eventually("CRIU hangs", || note().ends_with('\n'));
    Path::new("/proc").join(note().trim())
}

fn begun(bundle: &Bundle, args: &[&str]) -> Child {
    let program = criu();
    let global = ["--criu", program.to_str().unwrap()];
    let said = File::create(bundle.file("said")).unwrap();
    let mut command: Command = bundle.command(&[&global[..], args, &[&bundle.id]].concat());
    command.stdout(Stdio::null()).stderr(said).spawn().unwrap()
}

/// Has it end; it says so in one line.
#[track_caller]
fn ended(bundle: &Bundle, mut verb: Child, signal: Signal) {
    assert_eq!(verb.try_wait().unwrap(), None);
    kill(pid(&verb), signal).unwrap();
    assert_eq!(verb.wait().unwrap().code(), Some(1));
    let said = fs::read_to_string(bundle.file("said")).unwrap();
    assert_eq!(said, "criu was ended, as asked\n");
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}
