//! Entering a container that runs: the second process, its terminal, and its end when the launch fails.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::launch::{CallerError, End, LaunchError, Process, Started, launch};
use crate::support::{Need, is_root, skip_unless};
use crate::wire::{Op, TERMINAL_SLOT};

use super::support::{Output, Plan, in_own_process, printing_with};
use super::userns::own_maps;

const PID_AND_UTS: u32 = (libc::CLONE_NEWPID | libc::CLONE_NEWUTS).cast_unsigned();

/// A container with a pid and a uts namespace that stays until it is ended.
struct Container(Started);

impl Container {
    fn start() -> Container {
        let mut plan = Plan::of(&[Op::ReportNs {}, Op::Hostname { name: b"inner" }]);
        plan.exec(&["/bin/sleep", "1000"]);
        let mut request = plan.launch();
        request.namespaces = u64::from(PID_AND_UTS);
        Container(launch(request).unwrap())
    }

    fn pidfd(&self) -> OwnedFd {
        self.0.process.as_fd().try_clone_to_owned().unwrap()
    }

    /// A plan that joins it, with its pidfd as the first slot.
    fn join(&self, script: &str) -> (Plan, Output) {
        let ops = [
            Op::ReportNs {},
            Op::Undumpable {},
            Op::Join {
                slot: 0,
                flags: PID_AND_UTS,
            },
            Op::Fork {},
        ];
        printing_with(&ops, script, vec![self.pidfd()])
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.0.process.signal(libc::SIGKILL).unwrap();
        self.0.process.reap().unwrap();
    }
}

#[test]
fn an_exec_lands_in_the_containers_namespaces_and_is_our_child() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let container = Container::start();
    let (mut plan, output) = container.join("hostname; echo $$; exit 5");
    let mut first = None;
    let mut pre_start = |process: &Arc<Process>| -> Result<(), CallerError> {
        first = Some(Arc::clone(process));
        Ok(())
    };
    let mut request = plan.launch();
    request.pre_start = Some(&mut pre_start);
    let started = launch(request).unwrap();
    let text = output.text(plan);
    assert!(
        first.unwrap().was_reaped(),
        "the process that forked is left"
    );
    assert_eq!(
        started.process.reap().unwrap().end,
        End::Exited(5),
        "{text}"
    );
    assert!(text.starts_with("inner\n"), "{text}");
    let pid: i32 = text.lines().nth(1).unwrap().parse().unwrap();
    assert!(pid < 10, "{text}");
    assert_ne!(pid, started.process.pid());
}

#[test]
fn an_exec_that_waits_once_is_told_of_before_its_program_and_ends_with_who_was_told() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let container = Container::start();
    let ops = [
        Op::Undumpable {},
        Op::Join {
            slot: 0,
            flags: PID_AND_UTS,
        },
        Op::Fork {},
    ];
    let (mut plan, output) = printing_with(&ops, "echo $$", vec![container.pidfd()]);
    let mut told = None;
    let mut known = |process: &Arc<Process>| -> Result<(), CallerError> {
        told = Some(process.pid());
        Ok(())
    };
    let mut request = plan.launch();
    request.known = Some(&mut known);
    let started = launch(request).unwrap();
    assert_eq!(told, Some(started.process.pid()));
    let text = output.text(plan);
    assert_eq!(started.process.reap().unwrap().end, End::Exited(0));
    assert!(text.trim().parse::<i32>().unwrap() < 10, "{text}");

    let (mut plan, output) = printing_with(&ops, "echo $$", vec![container.pidfd()]);
    let mut known = |_: &Arc<Process>| -> Result<(), CallerError> { Err("no".into()) };
    let mut request = plan.launch();
    request.known = Some(&mut known);
    match launch(request).unwrap_err() {
        LaunchError::Place(cause) => assert_eq!(cause.to_string(), "no"),
        other => panic!("{other:?}"),
    }
    output.text(plan);
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let own: Vec<&str> = children.split_whitespace().collect();
    assert_eq!(own, [container.0.process.pid().to_string()]);
}

#[test]
fn an_ordinary_user_execs_into_a_user_namespace() {
    const NAME: &str = "launch::tests::exec::an_ordinary_user_execs_into_a_user_namespace";
    if is_root() && !in_own_process(NAME, Some(1000)) {
        return;
    }
    const USER: u32 = libc::CLONE_NEWUSER.cast_unsigned();
    let maps = own_maps();
    let mut plan = Plan::of(&[
        Op::ReportNs {},
        Op::TakeRoot { setgroups: false },
        Op::Undumpable {},
    ]);
    plan.exec(&["/bin/sleep", "1000"]);
    let mut request = plan.launch();
    request.namespaces = u64::from(PID_AND_UTS | USER);
    request.id_maps = Some(&maps);
    let container = Container(launch(request).unwrap());
    let flags = PID_AND_UTS | USER;
    let ops = [
        Op::ReportNs {},
        Op::Undumpable {},
        Op::Join { slot: 0, flags },
        Op::Fork {},
    ];
    let (mut plan, output) = printing_with(&ops, "id -u; echo $$", vec![container.pidfd()]);
    let started = launch(plan.launch()).unwrap();
    let text = output.text(plan);
    started.process.reap().unwrap();
    assert_eq!(text, "0\n2\n");
}

#[test]
fn a_failing_exec_leaves_neither_of_its_processes() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let container = Container::start();
    let mut plan = Plan::of(&[
        Op::ReportNs {},
        Op::Join {
            slot: 0,
            flags: PID_AND_UTS,
        },
        Op::Fork {},
    ]);
    plan.pass(container.pidfd());
    plan.exec(&["/no/such/program"]);
    match launch(plan.launch()).unwrap_err() {
        LaunchError::Step { index: 3, .. } => {}
        other => panic!("{other:?}"),
    }
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let own: Vec<&str> = children.split_whitespace().collect();
    assert_eq!(own, [container.0.process.pid().to_string()]);
}

#[test]
fn a_second_process_whose_report_never_came_is_ended_and_reaped() {
    // The first one dies of its report, when the second one is there.
    let filter = super::filter::killing(libc::SYS_sendmsg);
    let mut plan = Plan::of(&[
        Op::ReportNs {},
        Op::NoNewPrivs {},
        Op::Seccomp {
            flags: 0,
            program: &filter,
        },
        Op::Fork {},
    ]);
    plan.exec(&["/bin/true"]);
    let children = || std::fs::read_to_string("/proc/thread-self/children").unwrap();
    let before = children();
    match launch(plan.launch()).unwrap_err() {
        LaunchError::EndedEarly { exit: Some(exit) } => assert!(exit.end.is_by(libc::SIGSYS)),
        other => panic!("{other:?}"),
    }
    assert_eq!(children(), before);
}

#[test]
fn the_terminals_master_comes_back() {
    // The host's own devpts serves as the container's, if it is open to us.
    if skip_unless(&[Need::Root]) {
        return;
    }
    let mut plan = Plan::of(&[
        Op::ReportNs {},
        Op::Setsid {
            controlling_terminal: false,
        },
        // Without a root of its own, the working directory stands for the root.
        Op::Cwd { path: c"/" },
        Op::Terminal {
            rows: 30,
            cols: 90,
            uid: crate::wire::NO_ID,
            gid: crate::wire::NO_ID,
            console: false,
        },
        Op::Stdio {
            stdin: TERMINAL_SLOT,
            stdout: TERMINAL_SLOT,
            stderr: TERMINAL_SLOT,
        },
    ]);
    plan.exec(&["/bin/sh", "-c", "stty size"]);
    let started = launch(plan.launch()).unwrap();
    let mut text = Vec::new();
    // The end of a terminal is EIO.
    let _ = File::from(started.terminal.unwrap()).read_to_end(&mut text);
    assert_eq!(String::from_utf8_lossy(&text), "30 90\r\n");
    started.process.reap().unwrap();
}
