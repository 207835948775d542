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

#[test]
fn what_never_answers_while_a_container_runs_is_a_timeout_and_terminate_still_works() {
    let folders = Folders::new();
    let driver = folders.driver(&[TIMEOUT, "isolation=hyperv"]);
    let command = folders.command("a", &["sleep"]);
    let status = while_running(&driver, &command, |driver| {
        let id = folders.id("a");
        let timed_out = |function: &str, act: &dyn Fn() -> execdriver_core::Result<()>| {
            let trouble = Trouble::new(&id, &format!("{function} hang"));
            let begun = Instant::now();
            let text = match act() {
                Err(Error::Timeout { operation }) => operation,
                other => panic!("{function}: {other:?}"),
            };
            assert!(text.starts_with(function), "{text}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{function}");
            drop(trouble);
        };
        timed_out("HcsGetComputeSystemProperties", &|| {
            driver.stats(&folders.id("a")).map(drop)
        });
        timed_out("HcsPauseComputeSystem", &|| driver.pause(&folders.id("a")));
        let limits = Resources {
            cpu_shares: 500,
            ..Resources::default()
        };
        timed_out("HcsModifyComputeSystem", &|| {
            driver.update(&folders.id("a"), &limits)
        });
        let request = ExecRequest::new(payload(&["exit", "0"]));
        timed_out("HcsCreateProcess", &|| {
            driver
                .exec(&folders.id("a"), &request, Pipes::null(), &Hooks::none())
                .map(drop)
        });
        let all = [
            "HcsGetComputeSystemProperties",
            "HcsShutdownComputeSystem",
            "HcsSignalProcess",
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
