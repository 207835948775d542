//! Kill and terminate: who is hit, who is not, and what is said of it.

use crate::bench::{eventually, id, while_running, while_running_with};
use crate::{Act, Subject};
use execdriver_core::{Capture, Error, ExecRequest, ExitReason, Hooks, Pipes, Signal, Target};

/// KILL ends a container and is told as the caller's.
pub fn kill_9(subject: &dyn Subject) {
    let command = subject.command(&id("kill9"), &Act::Sleep);
    let (status, ()) = while_running(subject, &command, |driver| {
        driver.kill(&Target::from(&command), Signal::KILL).unwrap();
    });
    let status = status.unwrap();
    assert_eq!((status.code, status.signal), (137, Some(Signal::KILL)));
    assert_eq!(status.reason, ExitReason::KilledByCaller);
}

/// Signal 0 and WINCH leave it running; a second handle may signal, too.
pub fn harmless_signals_leave_it_running(subject: &dyn Subject) {
    let command = subject.command(&id("harmless"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let target = Target::from(&command);
        driver.kill(&target, Signal::PROBE).unwrap();
        subject.driver().kill(&target, Signal::WINCH).unwrap();
        assert!(!driver.pids(&command.id).unwrap().is_empty());
    })
    .0
    .unwrap();
}

/// A program that ignores TERM goes on; KILL ends it.
pub fn ignored_term_does_not_end_it(subject: &dyn Subject) {
    let command = subject.command(&id("term"), &Act::SleepIgnoringTerm);
    let said = Capture::new(64);
    let pipes = Pipes::null().stdout(&said);
    let (status, ()) = while_running_with(subject, &command, pipes, |driver| {
        eventually("it ignores TERM", || said.text().contains("ready"));
        driver.kill(&Target::from(&command), Signal::TERM).unwrap();
        driver.kill(&Target::from(&command), Signal::PROBE).unwrap();
    });
    assert_eq!(status.unwrap().signal, Some(Signal::KILL));
}

/// What does not run cannot be signalled.
pub fn signalling_what_is_not_there(subject: &dyn Subject) {
    let driver = subject.driver();
    let target = Target::from("nobody-here");
    let error = driver.kill(&target, Signal::KILL).unwrap_err();
    assert!(
        matches!(error, Error::NotFound { .. } | Error::NotRunning { .. }),
        "{error:?}"
    );
}

/// Terminate kills everything, and the run that waits for it returns.
pub fn terminate_ends_a_run(subject: &dyn Subject) {
    let command = subject.command(&id("terminate"), &Act::SleepIgnoringTerm);
    let (status, ()) = while_running(subject, &command, |_| {
        subject.driver().terminate(&command.id).unwrap();
    });
    assert_eq!(status.unwrap().signal, Some(Signal::KILL));
}

/// Every exec dies with its container, and its exec returns promptly with 137.
pub fn exec_stop(subject: &dyn Subject) {
    let command = subject.command(&id("exec-stop"), &Act::Sleep);
    let (_, status) = while_running(subject, &command, |driver| {
        let request = ExecRequest::new(subject.process(&Act::SleepIgnoringTerm));
        let hooks = Hooks::none()
            .on_start(|context| Ok(driver.kill(&Target::from(context.id), Signal::KILL)?));
        driver.exec(&command.id, &request, Pipes::null(), &hooks)
    });
    assert_eq!(status.unwrap().code, 137);
}
