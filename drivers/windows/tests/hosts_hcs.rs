//! A container of the compute service as other host programs see it, and what a host that is killed leaves of it.
#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use execdriver_core::{
    Capture, ContainerState, Driver, ExecRequest, Hooks, Pipes, Resources, RunOptions, Signal,
    Target,
};
use execdriver_windows::WindowsDriver;
use std::process::{Child, Command, Stdio};
use support::hcs::{Folders, eventually};
use support::payload;

const ROOT: &str = "EXECDRIVER_TEST_HCS_HOST_ROOT";
const ISOLATION: &str = "EXECDRIVER_TEST_HCS_HOST_ISOLATION";

/// Not a test of its own: the host program of the others, when they start this program with a root.
#[test]
fn the_host_program() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let folders = Folders::of(root.as_ref());
    let driver = folders.driver(&[&std::env::var(ISOLATION).unwrap()]);
    let command = folders.command("orphan", &["children", "3", "sleep"]);
    let (options, none) = (RunOptions::default(), Hooks::none());
    let status = driver
        .run(&command, &options, Pipes::null(), &none)
        .unwrap();
    // What the others end is told to whoever waits for it.
    std::process::exit(status.code);
}

/// A host program that runs a container, and this program's own driver on the same root.
struct Host {
    child: Child,
    folders: Folders,
    driver: WindowsDriver,
    id: String,
}

impl Host {
    fn start(isolation: &str) -> Self {
        let folders = Folders::new();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_host_program", "--nocapture"])
            .env(ROOT, folders.root())
            .env(ISOLATION, isolation)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (driver, id) = (folders.driver(&[isolation]), folders.id("orphan"));
        let host = Self {
            child,
            folders,
            driver,
            id,
        };
        eventually("the first process and its three children run", || {
            host.driver.pids(&host.id).is_ok_and(|pids| pids.len() >= 4)
        });
        host
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn state(&self) -> Vec<(String, ContainerState)> {
        let list = self.driver.list().unwrap();
        list.into_iter().map(|one| (one.id, one.state)).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It has ended, or its test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ISOLATIONS: [&str; 2] = ["isolation=process", "isolation=hyperv"];

#[test]
fn a_host_that_is_killed_leaves_no_process_and_its_containers_can_be_cleaned() {
    for isolation in ISOLATIONS {
        let mut host = Host::start(isolation);
        assert_eq!(host.state(), [(host.id.clone(), ContainerState::Running)]);
        host.child.kill().unwrap();
        host.child.wait().unwrap();
        eventually("the processes are gone", || {
            host.driver.pids(&host.id).is_err()
        });
        assert_eq!(host.state(), [(host.id.clone(), ContainerState::Stopped)]);
        host.driver.clean(&host.id).unwrap();
        let again = host.folders.command("orphan", &["exit", "4"]);
        let (options, none) = (RunOptions::default(), Hooks::none());
        let status = host.driver.run(&again, &options, Pipes::null(), &none);
        assert_eq!(status.unwrap().code, 4);
    }
}

#[test]
fn another_program_terminates_what_a_killed_host_has_left_written_down() {
    let mut host = Host::start("isolation=process");
    host.child.kill().unwrap();
    host.child.wait().unwrap();
    host.driver.terminate(&host.id).unwrap();
    assert!(host.state().is_empty());
}

#[test]
fn another_program_ends_a_container_of_a_host_that_lives_which_is_told_so() {
    for isolation in ISOLATIONS {
        let mut host = Host::start(isolation);
        host.driver.terminate(&host.id).unwrap();
        assert_eq!(host.code(), Some(137));
        assert!(host.state().is_empty());
        let mut host = Host::start(isolation);
        let target = Target::Container(host.id.clone());
        host.driver.kill(&target, Signal::KILL).unwrap();
        assert_eq!(host.code(), Some(137));
        let mut host = Host::start(isolation);
        let target = Target::Container(host.id.clone());
        host.driver.kill(&target, Signal::TERM).unwrap();
        // Nobody handled the event, as of a program that knows nothing of it.
        assert_eq!(host.code(), Some(0xC000_013A_u32.cast_signed()));
    }
}

#[test]
fn another_program_acts_on_a_container_as_its_host_does() {
    for isolation in ISOLATIONS {
        let host = Host::start(isolation);
        let (driver, id) = (&host.driver, &host.id);
        let out = Capture::new(100);
        let request = ExecRequest::new(payload(&["print", "from another", ""]));
        let pipes = Pipes::null().stdout(&out);
        let status = driver.exec(id, &request, pipes, &Hooks::none()).unwrap();
        assert_eq!((status.code, out.text().as_str()), (0, "from another"));
        let limits = Resources {
            memory: 300 << 20,
            ..Resources::default()
        };
        driver.update(id, &limits).unwrap();
        assert_eq!(driver.stats(id).unwrap().memory_limit, 300 << 20);
        driver.pause(id).unwrap();
        assert_eq!(host.state(), [(id.clone(), ContainerState::Paused)]);
        let paused = driver.exec(id, &request, Pipes::null(), &Hooks::none());
        assert!(
            matches!(paused, Err(execdriver_core::Error::Paused { .. })),
            "{paused:?}"
        );
        driver.unpause(id).unwrap();
        driver.pause(id).unwrap();
        driver.terminate(id).unwrap();
    }
}
