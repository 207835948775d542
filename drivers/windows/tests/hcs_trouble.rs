//! The driver over a compute service that fails, never answers, loses notices and lets them overtake each other.
#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use execdriver_core::{
    Capture, Command, Driver, Error, ExecRequest, ExitStatus, Hooks, Pipes, Resources, RunOptions,
    Target, WindowSize,
};
use execdriver_windows::WindowsDriver;
use std::time::{Duration, Instant};
use support::hcs::{Folders, TIMEOUT, Trouble, eventually, while_running};
use support::payload;

fn run(driver: &WindowsDriver, command: &Command) -> (ExitStatus, String, String) {
    let (out, err) = (Capture::new(1 << 20), Capture::new(1 << 20));
    let pipes = Pipes::null().stdout(&out).stderr(&err);
    let status = driver.run(command, &RunOptions::default(), pipes, &Hooks::none());
    (status.unwrap(), out.text(), err.text())
}

#[test]
fn a_service_that_never_answers_is_a_timeout_that_names_the_call_and_nothing_is_left() {
    let folders = Folders::new();
    let driver = folders.driver(&[TIMEOUT]);
    for what in ["hang", "lose"] {
        for function in ["HcsCreateComputeSystem", "HcsStartComputeSystem"] {
            let trouble = Trouble::new(&folders.id("a"), &format!("{function} {what}"));
            let command = folders.command("a", &["exit", "0"]);
            let error = driver
                .run(
                    &command,
                    &RunOptions::default(),
                    Pipes::null(),
                    &Hooks::none(),
                )
                .unwrap_err();
            let text = error.to_string();
            let Error::Timeout { operation } = error else {
                panic!("{function} {what}: {text}");
            };
            assert!(operation.starts_with(function), "{operation}");
            drop(trouble);
            // What had not answered does so now, and its work is taken back.
            eventually("the id is free again", || {
                let command = folders.command("a", &["exit", "0"]);
                let ran = driver.run(
                    &command,
                    &RunOptions::default(),
                    Pipes::null(),
                    &Hooks::none(),
                );
                ran.is_ok_and(|status| status.code == 0)
            });
        }
    }
}

type Act<'a> = Box<dyn Fn() -> execdriver_core::Result<()> + 'a>;

/// What needs each function of the service, while the container runs. The last ones leave it paused.
fn verbs<'a>(driver: &'a WindowsDriver, folders: &'a Folders) -> Vec<(&'static str, Act<'a>)> {
    let id = || folders.id("a");
    let exec = move || {
        let request = ExecRequest::new(payload(&["exit", "0"]));
        let none = Hooks::none();
        driver.exec(&id(), &request, Pipes::null(), &none).map(drop)
    };
    let size = WindowSize {
        rows: 1,
        columns: 1,
    };
    let limits = Resources {
        cpu_shares: 500,
        ..Resources::default()
    };
    let stats = move || driver.stats(&id()).map(drop);
    let resize = move || driver.resize(&Target::Container(id()), size);
    let resume = move || {
        driver.pause(&id())?;
        driver.unpause(&id())
    };
    vec![
        ("HcsOpenComputeSystem", Box::new(stats) as Act<'a>),
        ("HcsGetComputeSystemProperties", Box::new(stats)),
        ("HcsOpenProcess", Box::new(stats)),
        ("HcsCreateProcess", Box::new(exec)),
        ("HcsRegisterProcessCallback", Box::new(exec)),
        ("HcsGetProcessProperties", Box::new(exec)),
        ("HcsModifyProcess", Box::new(resize)),
        (
            "HcsModifyComputeSystem",
            Box::new(move || driver.update(&id(), &limits)),
        ),
        (
            "HcsPauseComputeSystem",
            Box::new(move || driver.pause(&id())),
        ),
        ("HcsResumeComputeSystem", Box::new(resume)),
    ]
}

#[test]
fn what_never_answers_while_a_container_runs_is_a_timeout_and_terminate_still_works() {
    let folders = Folders::new();
    let driver = folders.driver(&[TIMEOUT, "isolation=hyperv"]);
    let mut command = folders.command("a", &["sleep"]);
    command.process.tty = true;
    let status = while_running(&driver, &command, |driver| {
        let id = folders.id("a");
        for (function, act) in verbs(driver, &folders) {
            let trouble = Trouble::new(&id, &format!("{function} hang"));
            let begun = Instant::now();
            let text = match act() {
                Err(Error::Timeout { operation }) => operation,
                other => panic!("{function}: {other:?}"),
            };
            assert!(text.starts_with(function), "{text}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{function}");
            drop(trouble);
        }
        // What only gives back, or tells, or asks, keeps nobody from ending it.
        let all = [
            "HcsGetComputeSystemProperties",
            "HcsShutdownComputeSystem",
            "HcsSignalProcess",
            "HcsUnregisterComputeSystemCallback",
            "HcsUnregisterProcessCallback",
            "HcsCloseComputeSystem",
            "HcsCloseProcess",
        ];
        let troubles = all.map(|function| Trouble::new(&id, &format!("{function} hang")));
        driver.terminate(&folders.id("a")).unwrap();
        drop(troubles);
    });
    assert_eq!(status.code, 137);
}

#[test]
fn a_termination_that_is_never_told_of_and_one_that_overtakes_are_no_matter() {
    let folders = Folders::new();
    let driver = folders.driver(&[TIMEOUT]);
    for what in ["lose", "early", "delay 300"] {
        for notice in ["HcsTerminateComputeSystem", "HcsShutdownComputeSystem"] {
            let _trouble = Trouble::new(&folders.id("a"), &format!("{notice} {what}"));
            let (status, out, _) = run(&driver, &folders.command("a", &["print", "x", ""]));
            assert_eq!((status.code, out.as_str()), (0, "x"), "{notice} {what}");
        }
    }
    // The end of the process is lost: it is asked for.
    let _trouble = Trouble::new(&folders.id("a"), "ProcessExited lose");
    let (status, ..) = run(&driver, &folders.command("a", &["exit", "7"]));
    assert_eq!(status.code, 7);
}

/// Whoever looks at all containers opens those that are being made too, and is told of them.
#[test]
fn a_container_that_is_being_made_starts_although_another_listens_to_it_first() {
    let folders = Folders::new();
    let driver = folders.driver(&["windows.hcs.timeout=20"]);
    let line = "HcsRegisterComputeSystemCallback delay 2000";
    let trouble = Trouble::new(&folders.id("a"), line);
    let command = folders.command("a", &["exit", "3"]);
    std::thread::scope(|scope| {
        let started = scope.spawn(|| run(&driver, &command).0);
        let record = folders.root().join("state").join(&command.id);
        eventually("it is being made", || record.join("state.json").exists());
        // Time to come to the delay, in which nobody else is delayed.
        std::thread::sleep(Duration::from_millis(700));
        drop(trouble);
        assert_eq!(driver.list().unwrap().len(), 1);
        assert_eq!(started.join().unwrap().code, 3);
    });
}

#[test]
fn a_failure_of_the_service_is_told_with_its_code_and_nothing_is_left() {
    let folders = Folders::new();
    let driver = folders.driver(&[TIMEOUT]);
    for (function, what) in [
        ("HcsCreateComputeSystem", "fail 0xC037010D"),
        ("HcsCreateComputeSystem", "end 0x80070005"),
        ("HcsStartComputeSystem", "fail 0x80370105"),
        ("HcsStartComputeSystem", "end 0x80070005"),
        ("HcsCreateProcess", "fail 0xC037010A"),
    ] {
        let trouble = Trouble::new(&folders.id("a"), &format!("{function} {what}"));
        let command = folders.command("a", &["exit", "0"]);
        let error = driver
            .run(
                &command,
                &RunOptions::default(),
                Pipes::null(),
                &Hooks::none(),
            )
            .unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let code = what.split("0x").nth(1).unwrap();
        assert!(
            cause
                .as_ref()
                .is_some_and(|c| c.contains(function) && c.contains(code)),
            "{error}: {cause:?}"
        );
        drop(trouble);
        assert!(driver.list().unwrap().is_empty());
    }
    let (status, ..) = run(&driver, &folders.command("a", &["exit", "0"]));
    assert_eq!(status.code, 0);
}
