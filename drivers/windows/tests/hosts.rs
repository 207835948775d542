//! A host program that is killed while its containers run, and what the next one finds.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use execdriver_core::{ContainerState, Driver, Error, ExecRequest, Hooks, Pipes, RunOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{command, driver};

const ROOT: &str = "EXECDRIVER_TEST_HOST_ROOT";

/// Not a test of its own: the host program of the others, when they start this program with a root.
#[test]
fn the_host_program() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let command = command("orphan", &["children", "3", "sleep"]);
    let driver = driver(Path::new(&root), "job");
    let _ = driver.run(
        &command,
        &RunOptions::default(),
        Pipes::null(),
        &Hooks::none(),
    );
}

/// A host program that runs `orphan`.
fn start_host(root: &Path) -> Child {
    let mut host = Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", "the_host_program"]).env(ROOT, root);
    host.stdout(Stdio::null()).spawn().unwrap()
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_host_that_is_killed_leaves_no_process_and_its_containers_can_be_cleaned() {
    let root = tempfile::tempdir().unwrap();
    let mut host = start_host(root.path());
    let driver = driver(root.path(), "job");
    eventually("the first process and its three children run", || {
        driver.pids("orphan").is_ok_and(|pids| pids.len() >= 4)
    });
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("the processes are gone", || driver.pids("orphan").is_err());
    let list = driver.list().unwrap();
    assert_eq!(
        (list[0].id.as_str(), list[0].state),
        ("orphan", ContainerState::Stopped)
    );
    let again = command("orphan", &["exit", "0"]);
    let (options, none) = (RunOptions::default(), Hooks::none());
    let taken = driver.run(&again, &options, Pipes::null(), &none);
    assert!(
        matches!(taken, Err(Error::AlreadyExists { .. })),
        "{taken:?}"
    );
    driver.clean("orphan").unwrap();
    driver.run(&again, &options, Pipes::null(), &none).unwrap();
}

#[test]
fn another_program_terminates_what_a_killed_host_has_left_written_down() {
    let root = tempfile::tempdir().unwrap();
    let mut host = start_host(root.path());
    let driver = driver(root.path(), "job");
    eventually("it runs", || driver.pids("orphan").is_ok());
    host.kill().unwrap();
    host.wait().unwrap();
    driver.terminate("orphan").unwrap();
    assert!(driver.list().unwrap().is_empty());
}

#[test]
fn another_program_ends_a_container_of_a_host_that_lives() {
    let root = tempfile::tempdir().unwrap();
    let mut host = start_host(root.path());
    let driver = driver(root.path(), "job");
    eventually("it runs", || driver.pids("orphan").is_ok());
    driver.terminate("orphan").unwrap();
    assert!(host.wait().unwrap().success());
    assert!(driver.list().unwrap().is_empty());
}

#[test]
fn a_host_that_is_killed_leaves_no_process_although_another_program_executes_in_its_container() {
    let root = tempfile::tempdir().unwrap();
    let mut host = start_host(root.path());
    let driver = driver(root.path(), "job");
    eventually("the first process and its three children run", || {
        driver.pids("orphan").is_ok_and(|pids| pids.len() >= 4)
    });
    std::thread::scope(|scope| {
        let (started, wait) = std::sync::mpsc::channel();
        let driver = &driver;
        let exec = scope.spawn(move || {
            let request = ExecRequest::new(support::payload(&["sleep"]));
            // Until its start is told it may fail with the container.
            let hooks = Hooks::none().on_start(|_| Ok(started.send(())?));
            driver.exec("orphan", &request, Pipes::null(), &hooks)
        });
        wait.recv().unwrap();
        host.kill().unwrap();
        host.wait().unwrap();
        eventually("the processes are gone", || driver.pids("orphan").is_err());
        eventually("the exec is over", || exec.is_finished());
        exec.join().unwrap().unwrap();
    });
}
