//! The rest of the trait: resize, capabilities, hostile commands.

use crate::bench::{eventually, id, while_running};
use crate::{Act, Subject};
use execdriver_core::{Error, Hooks, Pipes, RunOptions, Target, WindowSize};

/// A resize without a terminal succeeds and does nothing; of nothing it is an error.
pub fn resize_non_tty(subject: &dyn Subject) {
    let size = WindowSize {
        rows: 33,
        columns: 77,
    };
    let command = subject.command(&id("resize"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        driver.resize(&Target::from(&command), size).unwrap();
    })
    .0
    .unwrap();
    let driver = subject.driver();
    eventually("the container is gone", || {
        driver.resize(&Target::from(&command), size).is_err()
    });
}

/// Bad commands are refused by the field, before any hook runs.
pub fn bad_commands_start_nothing(subject: &dyn Subject) {
    let driver = subject.driver();
    let good = subject.command(&id("bad"), &Act::Exit(0));
    let mut nul = good.clone();
    nul.process.arguments.push("a\0b".into());
    let mut env = good.clone();
    env.process.env.push("NOEQ".into());
    let mut empty = good.clone();
    empty.process.entrypoint.clear();
    for (command, field) in [(nul, "arguments"), (env, "env"), (empty, "entrypoint")] {
        let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
        let outcome = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
        match outcome.unwrap_err() {
            Error::InvalidCommand { field: found, .. } => {
                assert!(found.contains(field), "{found} should name {field}");
            }
            other => panic!("{field}: {other:?}"),
        }
        assert!(driver.list().unwrap().iter().all(|c| c.id != command.id));
    }
}

/// The driver names itself alike everywhere.
pub fn the_driver_names_itself(subject: &dyn Subject) {
    let driver = subject.driver();
    assert_eq!(driver.capabilities().driver, driver.name());
    assert!(driver.capabilities().enforces("operations", "run"));
    assert!(driver.supports_hooks());
}
