//! Limits of jobs: set at the start and live, all or none.
#![cfg(windows)]

mod support;

use execdriver_core::{
    Driver, Error, Hooks, Pipes, Resources, RunOptions, Signal, Target, WindowsResources,
};
use std::time::Duration;
use support::{command, driver};

#[test]
fn limits_are_set_at_the_start_and_live_or_refused_as_a_whole() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let limits = |memory, windows| Resources {
        memory,
        windows: Some(windows),
        ..Resources::default()
    };
    let two = || WindowsResources {
        cpu_affinity: "0-1".into(),
        processes: 20,
        ..WindowsResources::default()
    };
    let hooks = Hooks::none().on_start(|context| {
        let limit = || driver.stats(context.id).map(|stats| stats.memory_limit);
        assert_eq!(limit()?, 256 << 20);
        while driver.pids(context.id)?.len() < 4 {
            std::thread::sleep(Duration::from_millis(5));
        }
        driver.update(context.id, &limits(512 << 20, two()))?;
        assert_eq!(limit()?, 512 << 20);
        let few = WindowsResources {
            processes: 1,
            ..two()
        };
        let refused = driver.update(context.id, &limits(300 << 20, few));
        let named = matches!(&refused, Err(Error::InvalidCommand { field, .. }) if field == "resources.processes");
        assert!(named, "{refused:?}");
        // A cap of processor time is one more call of its own, which Wine refuses: then nothing of the update holds.
        let cap = WindowsResources {
            cpu_maximum: 5_000,
            ..two()
        };
        let expected = match driver.update(context.id, &limits(300 << 20, cap)) {
            Ok(()) => 300 << 20,
            Err(Error::Unsupported { .. }) => 512 << 20,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(limit()?, expected);
        Ok(driver.kill(&Target::from(context.id), Signal::KILL)?)
    });
    let mut sleeper = command("limited", &["children", "3", "sleep"]);
    sleeper.resources = Some(limits(256 << 20, two()));
    let status = driver.run(&sleeper, &RunOptions::default(), Pipes::null(), &hooks);
    assert_eq!(status.unwrap().code, 137);
    sleeper.resources = Some(Resources {
        linux: Some(execdriver_core::LinuxResources::default()),
        ..Resources::default()
    });
    let refused = driver.run(
        &sleeper,
        &RunOptions::default(),
        Pipes::null(),
        &Hooks::none(),
    );
    assert!(
        matches!(refused, Err(Error::InvalidCommand { .. })),
        "{refused:?}"
    );
}
