//! How programs end: codes, signals, programs that cannot be started, timeouts.

use crate::bench::{id, run, with_timeout};
use crate::{Act, Subject};
use execdriver_core::{Error, ExitReason, Hooks, Pipes, RunOptions, Signal};
use std::time::Duration;

/// `true` exits with 0.
pub fn exit_zero(subject: &dyn Subject) {
    let status = run(subject, "zero", &Act::Exit(0)).unwrap();
    assert!(status.success());
    assert_eq!(status.reason, ExitReason::Exited);
}

/// A code comes back as it is.
pub fn exit_72(subject: &dyn Subject) {
    let status = run(subject, "72", &Act::Exit(72)).unwrap();
    assert_eq!((status.code, status.signal), (72, None));
    assert!(!status.success());
}

/// A signal that the program dies of is 128 + n and named.
pub fn exit_signal(subject: &dyn Subject) {
    let status = run(subject, "signal", &Act::Die(Signal::KILL)).unwrap();
    assert_eq!((status.code, status.signal), (137, Some(Signal::KILL)));
    assert_eq!(status.reason, ExitReason::Signalled);
}

/// A missing program is an error of its own type, worth 127.
pub fn cmd_not_found(subject: &dyn Subject) {
    let error = run(subject, "missing", &Act::Missing).unwrap_err();
    assert!(matches!(error, Error::ProgramNotFound { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 127);
}

/// A program that cannot be executed is an error of its own type, worth 126.
pub fn cmd_not_executable(subject: &dyn Subject) {
    let error = run(subject, "not-exec", &Act::NotExecutable).unwrap_err();
    assert!(
        matches!(error, Error::ProgramNotExecutable { .. }),
        "{error:?}"
    );
    assert_eq!(error.exit_code(), 126);
}

/// A timeout ends the program and is told from other kills.
pub fn timeout_is_told_from_other_kills(subject: &dyn Subject) {
    let command = subject.command(&id("timeout"), &Act::Sleep);
    let driver = subject.driver();
    let run = |options: &_| driver.run(&command, options, Pipes::null(), &Hooks::none());
    assert_eq!(with_timeout(run).unwrap().reason, ExitReason::TimedOut);
}

/// A program that ends in time is not hurt by its timeout.
pub fn timeout_in_the_future_does_not_matter(subject: &dyn Subject) {
    let command = subject.command(&id("in-time"), &Act::Exit(3));
    let options = RunOptions::default().timeout(Duration::from_secs(600));
    let driver = subject.driver();
    let status = driver
        .run(&command, &options, Pipes::null(), &Hooks::none())
        .unwrap();
    assert_eq!((status.code, status.reason), (3, ExitReason::Exited));
}
