//! First processes that are started before it is said what they are.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::launch::{Early, End, LaunchError, Started, launch};
use crate::support::{Need, skip_unless};
use crate::wire::Op;

use super::support::Plan;

fn children() -> Vec<i32> {
    let children = fs::read_to_string("/proc/thread-self/children").unwrap();
    let pids = children.split_whitespace();
    pids.map(|pid| pid.parse().unwrap()).collect()
}

/// One, and its pid.
fn begun(entries: &[OwnedFd]) -> (Early, i32) {
    let early = Early::begin(None, entries).unwrap().unwrap();
    (early, *children().last().unwrap())
}

fn launched(early: Early) -> Result<Started, LaunchError> {
    let flags = (libc::CLONE_NEWUTS | libc::CLONE_NEWNET).cast_unsigned();
    let mut plan = Plan::of(&[Op::Unshare { flags }, Op::ReportNs {}]);
    plan.exec(&["/bin/sleep", "1000"]);
    let mut request = plan.launch();
    request.early = Some(early);
    launch(request)
}

/// Whether it is in another namespace of this kind than we are.
fn is_apart(started: &Started, kind: &str) -> bool {
    let of = |pid: &str| {
        fs::metadata(format!("/proc/{pid}/ns/{kind}"))
            .unwrap()
            .ino()
    };
    of(&started.process.pid().to_string()) != of("self")
}

fn is_gone(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

/// Until it has ended, and is not reaped.
fn ends(early: &Early) -> bool {
    let begun = Instant::now();
    while early.waits() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    !early.waits()
}

/// Until it has gone to the root directory, which it does when it has asked to end with its thread.
fn await_apart(pid: i32) {
    let cwd = format!("/proc/{pid}/cwd");
    let begun = Instant::now();
    while fs::read_link(&cwd).unwrap() != std::path::Path::new("/") {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_process_that_was_started_early_becomes_the_program_in_the_namespaces_of_its_plan() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (early, pid) = begun(&[]);
    assert!(early.waits());
    let started = launched(early).unwrap();
    assert_eq!(started.process.pid(), pid);
    for kind in ["pid", "uts", "net"] {
        assert!(is_apart(&started, kind), "{kind}");
    }
    assert!(!is_apart(&started, "ipc"));
    started.process.signal(libc::SIGKILL).unwrap();
    let end = started.process.reap().unwrap().end;
    assert!(matches!(end, End::Signalled { .. }), "{end:?}");
}

#[test]
fn one_that_nobody_takes_is_ended_and_reaped() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (early, pid) = begun(&[]);
    drop(early);
    assert!(children().is_empty() && is_gone(pid));
}

#[test]
fn one_that_was_killed_waits_no_longer_and_starts_nothing() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (early, pid) = begun(&[]);
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    assert!(ends(&early));
    let error = launched(early).unwrap_err();
    assert!(
        matches!(error, LaunchError::EndedEarly { exit: Some(_) }),
        "{error:?}"
    );
    assert!(children().is_empty());
}

/// In a process that was forked off the host it is another's child.
#[test]
fn one_that_is_let_go_of_is_not_ended_but_ends_when_nobody_can_say_anything_to_it() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (mut early, pid) = begun(&[]);
    early.forget();
    drop(early);
    let status = nix::sys::wait::waitpid(Pid::from_raw(pid), None).unwrap();
    assert!(
        matches!(status, nix::sys::wait::WaitStatus::Exited(..)),
        "by itself: {status:?}"
    );
}

#[test]
fn one_that_cannot_enter_its_cgroups_says_so_and_waits_for_nothing() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (early, _) = begun(&[full.into()]);
    assert!(ends(&early));
    let error = launched(early).unwrap_err();
    let LaunchError::Step { words, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(words.contains("enter its cgroups"), "{words}");
    assert!(children().is_empty());
}

/// Its socket may be held by others for longer, a fork of its host.
#[test]
fn one_ends_with_the_thread_that_started_it_and_a_program_that_it_became_does_not() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let on_a_thread = std::thread::spawn(|| {
        let (early, pid) = begun(&[]);
        await_apart(pid);
        early
    });
    let on_a_thread = on_a_thread.join().unwrap();
    assert!(ends(&on_a_thread));
    drop(on_a_thread);
    let started = std::thread::spawn(|| launched(begun(&[]).0).unwrap());
    let started = started.join().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(!started.process.wait_until(Some(Instant::now())).unwrap());
    started.process.signal(libc::SIGKILL).unwrap();
    started.process.reap().unwrap();
}

/// A host that waits for its containers may unmount where it once was.
#[test]
fn one_that_waits_is_in_no_directory_of_the_hosts() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (early, pid) = begun(&[]);
    await_apart(pid);
    drop(early);
}
