//! Pause and unpause: what stands still, who may act meanwhile, and what ends it.

use crate::bench::{SOON, eventually, id, soon, supports, while_running, with_timeout};
use crate::{Act, Subject};
use execdriver_core::{
    Capture, Command, ContainerState, Driver, Error, ExecRequest, ExitReason, ExitStatus, Hooks,
    Pipes, Resources, Result, RunOptions, Signal, Stdio, Target,
};
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Runs `act` in the background and calls `then` while it is paused, if the driver can.
fn while_paused(
    subject: &dyn Subject,
    act: &Act,
    then: impl FnOnce(&Arc<dyn Driver>, &Command),
) -> (Result<ExitStatus>, bool) {
    let command = subject.command(&id("pause"), act);
    while_running(subject, &command, |driver| {
        let pause = || driver.pause(&command.id);
        if !supports(driver.as_ref(), "pause", pause) {
            return false;
        }
        soon("pause", pause).unwrap();
        then(driver, &command);
        true
    })
}

fn state(driver: &dyn Driver, id: &str) -> Option<ContainerState> {
    let list = driver.list().unwrap();
    list.iter().find(|one| one.id == id).map(|one| one.state)
}

/// Both may be said twice, by any handle, and the list tells.
pub fn pause(subject: &dyn Subject) {
    let (ended, _) = while_paused(subject, &Act::Sleep, |driver, command| {
        let id = command.id.as_str();
        let other = subject.driver();
        assert_eq!(state(other.as_ref(), id), Some(ContainerState::Paused));
        soon("a second pause", || other.pause(id)).unwrap();
        soon("unpause", || other.unpause(id)).unwrap();
        assert_eq!(state(driver.as_ref(), id), Some(ContainerState::Running));
        soon("unpause of what runs", || driver.unpause(id)).unwrap();
        assert_eq!(state(driver.as_ref(), id), Some(ContainerState::Running));
        let request = ExecRequest::new(subject.process(&Act::Exit(7)));
        let again = driver.exec(id, &request, Pipes::null(), &Hooks::none());
        assert_eq!(again.unwrap().code, 7);
    });
    ended.unwrap();
}

/// A paused container refuses execs at once, and KILL ends it.
pub fn pause_refuses_exec_and_kill_thaws(subject: &dyn Subject) {
    let (status, supported) = while_paused(subject, &Act::Sleep, |driver, command| {
        let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
        let request = ExecRequest::new(subject.process(&Act::Exit(0)));
        let exec = || driver.exec(&command.id, &request, Pipes::null(), &hooks);
        let refused = soon("the refusal of an exec", exec);
        assert!(matches!(refused, Err(Error::Paused { .. })), "{refused:?}");
    });
    // The kill that ended it came while it was paused.
    let status = status.unwrap();
    assert!(!supported || status.signal == Some(Signal::KILL));
    assert_eq!(status.reason, ExitReason::KilledByCaller);
}

/// What is not there, has not started or is over cannot be paused, nor let go on.
pub fn pause_of_what_does_not_run_is_an_error(subject: &dyn Subject) {
    let driver = subject.driver();
    if !driver.capabilities().enforces("operations", "pause") {
        return;
    }
    let not_there = |id: &str| {
        for answer in [driver.pause(id), driver.unpause(id)] {
            let error = answer.unwrap_err();
            let typed = matches!(error, Error::NotFound { .. } | Error::NotRunning { .. });
            assert!(typed, "{error:?}");
        }
    };
    not_there("nobody-here");
    let command = subject.command(&id("early"), &Act::Exit(0));
    let hooks = Hooks::none().on_pre_start(|context| {
        not_there(context.id);
        Ok(())
    });
    let options = RunOptions::default();
    let status = driver.run(&command, &options, Pipes::null(), &hooks);
    assert!(status.unwrap().success());
    not_there(&command.id);
}

/// What a paused program is given it takes when it goes on.
pub fn a_paused_program_makes_no_progress(subject: &dyn Subject) {
    let driver = subject.driver();
    let command = subject.command(&id("still"), &Act::Cat);
    let target = command.id.as_str();
    let output = Capture::new(64);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let run = |started: crossbeam_channel::Sender<()>| {
        let hooks = Hooks::none().on_start(move |_| Ok(started.send(())?));
        let pipes = Pipes::null().stdin(Stdio::reader(reader)).stdout(&output);
        driver.run(&command, &RunOptions::default(), pipes, &hooks)
    };
    thread::scope(|scope| {
        let (started, wait) = crossbeam_channel::bounded(1);
        let run = scope.spawn(move || run(started));
        wait.recv_timeout(SOON).expect("the container starts");
        let wrote = |text: &str| output.text() == text;
        writer.write_all(b"one").unwrap();
        eventually("it answers", || wrote("one"));
        if supports(driver.as_ref(), "pause", || driver.pause(target)) {
            driver.pause(target).unwrap();
            writer.write_all(b"two").unwrap();
            // A program that ran would have answered by then, most times.
            thread::sleep(Duration::from_millis(100));
            assert!(wrote("one"), "{:?}", output.text());
            driver.unpause(target).unwrap();
            eventually("it goes on", || wrote("onetwo"));
        }
        drop(writer);
        assert!(run.join().unwrap().unwrap().success());
    });
}

/// Processes, statistics and limits are as for one that runs; other signals wait.
pub fn a_paused_container_is_still_read_and_changed(subject: &dyn Subject) {
    let (status, _) = while_paused(subject, &Act::Sleep, |driver, command| {
        let id = command.id.as_str();
        assert!(!driver.pids(id).unwrap().is_empty());
        if driver.capabilities().enforces("operations", "stats") {
            driver.stats(id).unwrap();
        }
        if driver.capabilities().enforces("operations", "update") {
            driver.update(id, &Resources::default()).unwrap();
        }
        driver.kill(&Target::from(id), Signal::PROBE).unwrap();
        driver.kill(&Target::from(id), Signal::WINCH).unwrap();
        assert_eq!(state(driver.as_ref(), id), Some(ContainerState::Paused));
        let cleaned = driver.clean(id);
        assert!(matches!(cleaned, Err(Error::Running { .. })), "{cleaned:?}");
    });
    status.unwrap();
}

/// A timeout goes on while its container is paused.
pub fn a_timeout_ends_a_paused_container(subject: &dyn Subject) {
    let driver = subject.driver();
    if !driver.capabilities().enforces("operations", "pause") {
        return;
    }
    let command = subject.command(&id("pause-timeout"), &Act::Sleep);
    let hooks = Hooks::none().on_start(|context| Ok(driver.pause(context.id)?));
    let run = |options: &_| driver.run(&command, options, Pipes::null(), &hooks);
    assert_eq!(with_timeout(run).unwrap().reason, ExitReason::TimedOut);
}

/// Terminate needs no unpause.
pub fn terminate_ends_a_paused_container(subject: &dyn Subject) {
    let (status, supported) = while_paused(subject, &Act::SleepIgnoringTerm, |_, command| {
        let other = subject.driver();
        soon("terminate", || other.terminate(&command.id)).unwrap();
    });
    assert!(!supported || status.unwrap().signal == Some(Signal::KILL));
}

/// An exec that was paused with its container dies of its own KILL, and the container stays paused.
pub fn an_exec_is_killed_although_the_container_is_paused(subject: &dyn Subject) {
    let command = subject.command(&id("pause-exec"), &Act::Sleep);
    let (ended, ()) = while_running(subject, &command, |driver| {
        let id = command.id.as_str();
        if !driver.capabilities().enforces("operations", "pause") {
            return;
        }
        let target = Target::exec(id, "frozen");
        let request = ExecRequest::new(subject.process(&Act::SleepIgnoringTerm)).exec_id("frozen");
        let hooks = Hooks::none().on_start(|_| {
            driver.pause(id)?;
            Ok(driver.kill(&target, Signal::KILL)?)
        });
        let exec = || driver.exec(id, &request, Pipes::null(), &hooks);
        let status = soon("the end of the exec", exec).unwrap();
        assert_eq!(
            (status.code, status.reason),
            (137, ExitReason::KilledByCaller)
        );
        assert_eq!(state(driver.as_ref(), id), Some(ContainerState::Paused));
    });
    ended.unwrap();
}
