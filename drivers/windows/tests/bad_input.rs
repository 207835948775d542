//! What makes no sense is refused before anything is made.
#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod support;

use execdriver_core::{Driver, Error, Hooks, Pipes, Resources, RunOptions};
use support::{command, driver};

#[test]
fn a_command_that_makes_no_sense_is_refused_by_its_field_before_anything_is_made() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
    let size = |rows, columns| Some(execdriver_core::WindowSize { rows, columns });
    let mut bad = Vec::new();
    let mut with = |field, change: &dyn Fn(&mut execdriver_core::Command)| {
        let mut command = command("refused", &["exit", "0"]);
        change(&mut command);
        bad.push((field, command));
    };
    with("entrypoint", &|command| {
        command.process.entrypoint = String::new();
    });
    with("id", &|command| command.id = "../x".into());
    with("env", &|command| command.process.env = vec!["NOEQ".into()]);
    for (rows, columns) in [(0, 80), (24, 0), (40_000, 80), (24, 40_000)] {
        with("console_size", &move |command| {
            command.process.tty = true;
            command.process.console_size = size(rows, columns);
        });
    }
    with("resources", &|command| {
        command.resources = Some(Resources {
            cpu_shares: 10_001,
            ..Resources::default()
        });
    });
    for (field, command) in bad {
        let refused = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
        let said = match &refused {
            Err(error @ Error::InvalidCommand { .. }) => error.to_string(),
            other => panic!("{field}: {other:?}"),
        };
        assert!(said.contains(field), "{field}: {said}");
        assert!(std::fs::read_dir(root.path()).unwrap().next().is_none());
    }
}

#[test]
fn options_that_are_unknown_or_of_a_wrong_value_open_no_driver() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("none");
    for text in [
        "windows.backend=lxc",
        "windows.token=root",
        "windows.schema=v9",
        "windows.hcs.timeout=0",
        "windows.hcs.library=x.dll",
        "isolation=vm",
        "forcekill=2",
    ] {
        let mut options = execdriver_core::Options::parse([text]).unwrap();
        let refused = execdriver_windows::WindowsDriver::open(&folder, &mut options);
        assert!(
            matches!(refused, Err(Error::InvalidOption { .. })),
            "{text}: {refused:?}"
        );
        assert!(!folder.exists(), "{text}");
    }
}
