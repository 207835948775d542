//! Cases 1 to 9 of the contract: how a program ended, and why one could not be executed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::{Error, ExitReason, Signal, Target};

#[test]
fn exit_zero() {
    let bench = Bench::new();
    let outcome = bench.run(&bench.command(&["true"]));
    assert_eq!(outcome.status.code, 0);
    assert_eq!(outcome.status.reason, ExitReason::Exited);
}

#[test]
fn exit_72() {
    let bench = Bench::new();
    let status = bench.run(&bench.command(&["exit", "72"])).status;
    assert_eq!(
        (status.code, status.reason, status.signal),
        (72, ExitReason::Exited, None)
    );
}

#[test]
fn exit_signal() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let (status, ()) = bench.while_running(&command, |_| {
        let target = Target::from(&command);
        bench.driver.kill(&target, Signal::KILL).unwrap();
    });
    assert_eq!((status.code, status.signal), (137, Some(Signal::KILL)));
    assert_eq!(status.reason, ExitReason::KilledByCaller);
}

#[test]
fn child_signal() {
    let bench = Bench::new();
    let status = bench
        .run(&bench.command(&["child-signal", "9", "5"]))
        .status;
    assert_eq!((status.code, status.signal), (5, None));
}

#[test]
fn cmd_not_found() {
    let bench = Bench::new();
    let mut command = bench.command(&["true"]).env("PATH", "/sbin:/bin");
    command.process.entrypoint = "foo".into();
    let (error, text) = refused(bench.try_run(&command));
    assert!(
        matches!(&error, Error::ProgramNotFound { program, .. } if program == "foo"),
        "{text}"
    );
    assert_eq!(error.exit_code(), 127);
    // And what PATH does have is found.
    command.process.entrypoint = "true".into();
    assert_eq!(bench.run(&command).status.code, 0);
}

#[test]
fn cmd_missing_abs() {
    let bench = Bench::new();
    let (error, text) = refused(bench.try_run(&bench.command(&["/bin/foo"])));
    assert!(matches!(error, Error::ProgramNotFound { .. }), "{text}");
    assert_eq!(error.exit_code(), 127);
    assert!(text.contains("No such file or directory"), "{text}");
}

#[test]
fn cmd_is_dir() {
    let bench = Bench::new();
    let (error, text) = refused(bench.try_run(&bench.command(&["/etc"])));
    assert!(
        matches!(error, Error::ProgramNotExecutable { .. }),
        "{text}"
    );
    assert_eq!(error.exit_code(), 126);
    assert!(text.contains("Permission denied"), "{text}");
}

#[test]
fn cmd_not_executable() {
    let bench = Bench::new();
    bench.rootfs.write("bin/text", "text");
    let (error, text) = refused(bench.try_run(&bench.command(&["/bin/text"])));
    assert!(
        matches!(error, Error::ProgramNotExecutable { .. }),
        "{text}"
    );
    assert_eq!(error.exit_code(), 126);
    assert!(text.contains("Permission denied"), "{text}");
}

#[test]
fn exec_format() {
    let bench = Bench::new();
    bench.rootfs.write("bin/text", "echo no shell reads this\n");
    bench.rootfs.mode("bin/text", 0o755);
    let (error, text) = refused(bench.try_run(&bench.command(&["/bin/text"])));
    assert!(
        matches!(error, Error::ProgramNotExecutable { .. }),
        "{text}"
    );
    assert_eq!(error.exit_code(), 126);
    assert!(text.contains("Exec format error"), "{text}");
}
