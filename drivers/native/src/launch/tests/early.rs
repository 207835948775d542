//! First processes that are started before it is said what they are.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;

use crate::launch::{Early, End, LaunchError, Started, launch};
use crate::support::{Need, skip_unless};
use crate::sys::spawn::SpawnError;
use crate::wire::Op;

use super::support::Plan;

const PID: u64 = libc::CLONE_NEWPID.cast_unsigned() as u64;
const UTS: u64 = libc::CLONE_NEWUTS.cast_unsigned() as u64;
const NET: u64 = libc::CLONE_NEWNET.cast_unsigned() as u64;

fn children() -> Vec<i32> {
    let children = fs::read_to_string("/proc/thread-self/children").unwrap();
    let pids = children.split_whitespace();
    pids.map(|pid| pid.parse().unwrap()).collect()
}

/// The one that [`Early::begin`] has just started.
fn begun(namespaces: u64) -> (Early, i32) {
    let early = Early::begin(namespaces, None).unwrap();
    (early, *children().last().unwrap())
}

fn launched(early: Early, namespaces: u64) -> Result<Started, LaunchError> {
    let mut plan = Plan::of(&[Op::ReportNs {}]);
    plan.exec(&["/bin/sleep", "1000"]);
    let mut request = plan.launch();
    request.namespaces = namespaces;
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

fn end(started: &Started) {
    started.process.signal(libc::SIGKILL).unwrap();
    let end = started.process.reap().unwrap().end;
    assert!(matches!(end, End::Signalled { .. }), "{end:?}");
}

#[test]
fn a_process_that_was_started_early_becomes_the_program_in_the_namespaces_that_were_asked_for() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (early, pid) = begun(PID | UTS | NET);
    let started = launched(early, PID | UTS | NET).unwrap();
    assert_eq!(started.process.pid(), pid);
    for kind in ["pid", "uts", "net"] {
        assert!(is_apart(&started, kind), "{kind}");
    }
    assert!(!is_apart(&started, "ipc"));
    end(&started);
}

#[test]
fn one_that_has_made_other_namespaces_is_ended_and_another_started() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    for (made, wanted) in [
        (PID | UTS | NET, PID | UTS),
        (UTS, PID | UTS),
        (PID, PID | UTS),
    ] {
        let (early, pid) = begun(made);
        let started = launched(early, wanted).unwrap();
        assert_ne!(started.process.pid(), pid);
        assert_eq!(children(), [started.process.pid()]);
        assert!(is_apart(&started, "pid") && !is_apart(&started, "net"));
        end(&started);
    }
}

#[test]
fn one_that_nobody_takes_is_ended_and_reaped() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (early, pid) = begun(PID | NET);
    drop(early);
    assert!(children().is_empty());
    let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None);
    assert_eq!(gone, Err(Errno::ESRCH));
}

#[test]
fn namespaces_that_cannot_be_made_are_as_if_the_clone_had_failed() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    // Nothing that unshare(2) takes.
    let wrong = libc::CLONE_PARENT.cast_unsigned() as u64;
    let (early, _) = begun(PID | wrong);
    match launched(early, PID | wrong).unwrap_err() {
        LaunchError::Spawn(SpawnError::Clone(Errno::EINVAL)) => {}
        other => panic!("{other:?}"),
    }
    assert!(children().is_empty());
}
