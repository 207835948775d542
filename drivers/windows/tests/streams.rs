//! Streams of the caller's that never end by themselves: nothing of the driver's stays with them when `run` is over.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test says what it expects")]

mod support;

use execdriver_core::{Driver, Hooks, Pipes, ProcessConfig, RunOptions};
use std::io::Write;
use std::time::Duration;
use support::{command, driver, payload_path};

/// Some time, so that a start that hangs is told from a slow one.
fn soon() -> RunOptions {
    RunOptions::default()
        .timeout(Duration::from_secs(60))
        .output_grace(Duration::from_millis(100))
}

/// The multi-tool at a terminal: Wine attaches a console to these names alone.
fn at_terminal(id: &str, applet: &str) -> execdriver_core::Command {
    let mut shell = command(id, &[]);
    let line = format!(
        "\"\"{}\" {applet} <CONIN$ >CONOUT$ 2>CONOUT$\"",
        payload_path().display()
    );
    shell.process = ProcessConfig::new("cmd").args(["/c", &line]);
    shell.as_windows_mut().unwrap().args_escaped = true;
    shell.process.tty = true;
    shell
}

#[test]
fn a_copier_that_waits_for_a_callers_pipe_is_joined_before_run_returns() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    // Without a terminal the process itself has the pipe.
    for command in [
        at_terminal("terminal", "exit 3"),
        command("plain", &["exit", "3"]),
    ] {
        let (reader, mut writer) = os_pipe::pipe().unwrap();
        let pipes = Pipes::null().stdin(reader);
        let status = driver.run(&command, &soon(), pipes, &Hooks::none());
        assert_eq!(status.unwrap().code, 3);
        // Nobody holds the other end any more: neither a thread nor a handle is left.
        assert!(writer.write_all(b"late").is_err(), "{}", command.id);
    }
}

#[test]
fn a_copier_that_waits_for_the_reader_of_a_callers_pipe_is_joined_before_run_returns() {
    let root = tempfile::tempdir().unwrap();
    let (mut reader, writer) = os_pipe::pipe().unwrap();
    let pipes = Pipes::null().stdout(writer);
    let command = at_terminal("full", "big 20000");
    let status = driver(root.path(), "job")
        .run(&command, &soon(), pipes, &Hooks::none())
        .unwrap();
    assert_eq!(status.code, 0);
    assert!(status.output_truncated, "nobody read it: {status:?}");
    // What had gone into the pipe is there, then its end: the driver's own handle of it is closed.
    let mut got = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut got).unwrap();
    assert!(!got.is_empty());
}

#[test]
fn what_is_typed_through_a_callers_pipe_arrives_and_its_end_too() {
    let root = tempfile::tempdir().unwrap();
    let (reader, mut writer) = os_pipe::pipe().unwrap();
    let output = execdriver_core::Capture::new(1 << 20);
    let pipes = Pipes::null().stdin(reader).stdout(&output);
    writer.write_all(b"typed\r").unwrap();
    drop(writer);
    let status = driver(root.path(), "job")
        .run(&at_terminal("typed", "cat"), &soon(), pipes, &Hooks::none())
        .unwrap();
    assert!(
        output.text().contains("typed"),
        "{:?} {status:?}",
        output.text()
    );
    assert_eq!(status.code, 0);
}
