//! More processes in a running container.

use crate::bench::{id, while_running, with_timeout};
use crate::{Act, Subject};
use execdriver_core::{
    Capture, Error, ExecRequest, ExitReason, Hooks, Pipes, RunOptions, Signal, Stdio, Target,
};
use std::cell::RefCell;

/// Codes, signals and output of execs, some at once.
pub fn exec_basic(subject: &dyn Subject) {
    let command = subject.command(&id("exec"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let exec = |act: &Act, pipes: Pipes| {
            let request = ExecRequest::new(subject.process(act));
            driver
                .exec(&command.id, &request, pipes, &Hooks::none())
                .unwrap()
        };
        assert_eq!(exec(&Act::Exit(23), Pipes::null()).code, 23);
        assert_eq!(exec(&Act::Die(Signal::KILL), Pipes::null()).code, 137);
        let output = Capture::new(64);
        let pipes = Pipes::null()
            .stdin(Stdio::reader(&b"in"[..]))
            .stdout(&output);
        assert_eq!(exec(&Act::Cat, pipes).code, 0);
        assert_eq!(output.text(), "in");
        std::thread::scope(|scope| {
            let one = || exec(&Act::Exit(5), Pipes::null()).code;
            let all: Vec<_> = (0..5).map(|_| scope.spawn(one)).collect();
            assert!(all.into_iter().all(|exec| exec.join().unwrap() == 5));
        });
    })
    .0
    .unwrap();
}

/// An exec in nothing is refused.
pub fn exec_without_a_container(subject: &dyn Subject) {
    let request = ExecRequest::new(subject.process(&Act::Exit(0)));
    let driver = subject.driver();
    let error = driver
        .exec("nobody-here", &request, Pipes::null(), &Hooks::none())
        .unwrap_err();
    assert!(
        matches!(error, Error::NotFound { .. } | Error::NotRunning { .. }),
        "{error:?}"
    );
}

/// A missing program of an exec is worth 127, and the container goes on.
pub fn exec_not_found(subject: &dyn Subject) {
    let command = subject.command(&id("exec-missing"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let request = ExecRequest::new(subject.process(&Act::Missing));
        let error = driver.exec(&command.id, &request, Pipes::null(), &Hooks::none());
        assert_eq!(error.unwrap_err().exit_code(), 127);
        driver.kill(&Target::from(&command), Signal::PROBE).unwrap();
    })
    .0
    .unwrap();
}

/// An exec is killed by its own id, also through another handle, and the container goes on.
pub fn exec_is_killed_by_its_own_id(subject: &dyn Subject) {
    let command = subject.command(&id("exec-kill"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let request =
            ExecRequest::new(subject.process(&Act::SleepIgnoringTerm)).exec_id("the-exec");
        let target = Target::exec(&command.id, "the-exec");
        let other = subject.driver();
        let hooks = Hooks::none().on_start(|_| Ok(other.kill(&target, Signal::KILL)?));
        let status = driver
            .exec(&command.id, &request, Pipes::null(), &hooks)
            .unwrap();
        assert_eq!(
            (status.code, status.reason),
            (137, ExitReason::KilledByCaller)
        );
        let gone = driver.kill(&target, Signal::KILL);
        assert!(gone.is_err(), "an exec that is over has no process");
        driver.kill(&Target::from(&command), Signal::PROBE).unwrap();
    })
    .0
    .unwrap();
}

/// The hooks of an exec are about the exec.
pub fn exec_hooks_are_about_the_exec(subject: &dyn Subject) {
    let command = subject.command(&id("exec-hooks"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let process = subject.process(&Act::Exit(0));
        let request = ExecRequest::new(process.clone()).exec_id("mine");
        let pids = RefCell::new(vec![]);
        let hooks = Hooks::none().on_start(|context| {
            assert_eq!(context.process.entrypoint, process.entrypoint);
            assert_eq!(context.exec_id, Some("mine"));
            pids.borrow_mut().push(context.pid);
            Ok(())
        });
        driver
            .exec(&command.id, &request, Pipes::null(), &hooks)
            .unwrap();
        drop(hooks);
        let init = driver.pids(&command.id).unwrap()[0];
        assert!(pids.into_inner().iter().all(|pid| *pid > 0 && *pid != init));
    })
    .0
    .unwrap();
}

/// An exec has a timeout of its own.
pub fn exec_times_out(subject: &dyn Subject) {
    let command = subject.command(&id("exec-timeout"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let exec = |options: &RunOptions| {
            let request = ExecRequest::new(subject.process(&Act::SleepIgnoringTerm));
            let request = request.options(options.clone());
            driver.exec(&command.id, &request, Pipes::null(), &Hooks::none())
        };
        assert_eq!(with_timeout(exec).unwrap().reason, ExitReason::TimedOut);
        driver.kill(&Target::from(&command), Signal::PROBE).unwrap();
    })
    .0
    .unwrap();
}

/// An exec id is taken while its exec runs.
pub fn an_exec_id_is_taken_once(subject: &dyn Subject) {
    let command = subject.command(&id("exec-twice"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let request = ExecRequest::new(subject.process(&Act::Sleep)).exec_id("one");
        let hooks = Hooks::none().on_start(|_| {
            let again = driver.exec(&command.id, &request, Pipes::null(), &Hooks::none());
            assert!(
                matches!(again, Err(Error::AlreadyExists { .. })),
                "{again:?}"
            );
            Ok(driver.kill(&Target::exec(&command.id, "one"), Signal::KILL)?)
        });
        driver
            .exec(&command.id, &request, Pipes::null(), &hooks)
            .unwrap();
    })
    .0
    .unwrap();
}
