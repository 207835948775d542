//! A host program that dies while its container runs: the next one finds it, ends it, and removes what it left.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, process, refused};
use execdriver::{
    Command, ContainerState, Driver, Error, ExecRequest, Hooks, Options, Pid, Pipes, Registry,
    RunOptions, Signal, Target,
};
use host::{alive, assert_gone, assert_no_trace, cgroups_of, state_dir};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use support::{Need, eventually, skip_unless};

/// The test that is the host program when it is started with `ROOT` set.
const HOST: &str = "the_host_program";
const ROOT: &str = "EXECDRIVER_TEST_CRASH_ROOT";
const COMMAND: &str = "EXECDRIVER_TEST_CRASH_COMMAND";
const DIE: &str = "EXECDRIVER_TEST_CRASH_DIE_WITH_HOST";

fn open(root: &Path) -> Arc<dyn Driver> {
    let registry = Registry::with_builtin();
    registry.open("native", root, Options::none()).unwrap()
}

/// Does nothing unless it was started by [`crashed`]: then it runs the command.
#[test]
fn the_host_program() {
    let (Some(root), Some(command)) = (std::env::var_os(ROOT), std::env::var(COMMAND).ok()) else {
        return;
    };
    let command: Command = serde_json::from_str(&command).unwrap();
    let options = RunOptions::default().die_with_host(std::env::var_os(DIE).is_some());
    let driver = open(Path::new(&root));
    let _ = driver.run(&command, &options, Pipes::null(), &Hooks::none());
}

fn host_program(bench: &Bench, command: &Command, die_with_host: bool) -> Child {
    let mut host = std::process::Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", HOST, "--nocapture"])
        .env(ROOT, bench.rootfs.state())
        .env(COMMAND, serde_json::to_string(command).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if die_with_host {
        host.env(DIE, "1");
    }
    host.spawn().unwrap()
}

fn first_process(driver: &dyn Driver, id: &str) -> Option<u32> {
    let list = driver.list().unwrap();
    let found = list.iter().find(|info| info.id == id)?;
    (found.state == ContainerState::Running).then_some(found.pid)?
}

/// A container whose host program was killed; dropped, it is terminated, whatever a test found.
struct Crashed {
    pid: u32,
    id: String,
    driver: Arc<dyn Driver>,
}

impl Drop for Crashed {
    fn drop(&mut self) {
        // Most tests did it themselves.
        let _ = self.driver.terminate(&self.id);
    }
}

/// Runs `command` in a host program that is then killed.
fn crashed(bench: &Bench, command: &Command, die_with_host: bool) -> Crashed {
    let mut host = host_program(bench, command, die_with_host);
    let driver = bench.other_driver();
    eventually("the container runs", || {
        first_process(&*driver, &command.id).is_some()
    });
    let pid = first_process(&*driver, &command.id).unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    let id = command.id.clone();
    Crashed { pid, id, driver }
}

#[test]
fn daemon_crash() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = &command.id;
    let crashed = crashed(&bench, &command, false);
    let pid = crashed.pid;
    assert!(alive(pid), "it outlives its host");

    let driver = bench.other_driver();
    assert_eq!(first_process(&*driver, id), Some(pid));
    assert_eq!(driver.pids(id).unwrap(), [pid]);
    let request = ExecRequest::new(process(&["exit", "4"]));
    let status = driver.exec(id, &request, Pipes::null(), &Hooks::none());
    assert_eq!(status.unwrap().code, 4);
    let (error, _) = refused(driver.clean(id));
    assert!(matches!(error, Error::Running { .. }), "{error:?}");

    driver.terminate(id).unwrap();
    assert_gone(pid);
    assert_no_trace(&bench, id);
    let (error, _) = refused(driver.terminate(id));
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let again = Command {
        process: process(&["true"]),
        ..command.clone()
    };
    assert!(bench.run(&again).status.success());
}

/// Changes the recorded first process on disk.
fn forge(bench: &Bench, id: &str, change: impl FnOnce(&mut Value)) {
    let path = state_dir(bench, id).join("state.json");
    let mut state: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut state["init"]);
    fs::write(&path, state.to_string()).unwrap();
}

#[test]
fn a_process_that_only_has_the_recorded_pid_is_left_alone() {
    let bench = Bench::new();
    let mut bystander = std::process::Command::new("sleep")
        .arg("100")
        .spawn()
        .unwrap();
    // Start times are counted in ticks of 10 ms: the container's is to be another.
    std::thread::sleep(std::time::Duration::from_millis(50));
    for what in ["start", "boot"] {
        let command = bench.command(&["pause"]);
        let id = &command.id;
        let crashed = crashed(&bench, &command, false);
        let pid = crashed.pid;
        let driver = bench.other_driver();
        driver.kill(&Target::from(&command), Signal::KILL).unwrap();
        assert_gone(pid);
        forge(&bench, id, |init| {
            assert!(init["pid"].is_u64() && !init[what].is_null(), "{init}");
            init["pid"] = bystander.id().into();
            if what == "boot" {
                init["boot"] = "another".into();
            }
        });
        assert!(driver.kill(&Target::from(&command), Signal::KILL).is_err());
        assert!(driver.pids(id).is_err());
        driver.terminate(id).unwrap();
        assert!(bystander.try_wait().unwrap().is_none(), "killed by its pid");
        assert_no_trace(&bench, id);
    }
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn what_a_crash_left_of_an_ended_container_can_be_cleaned() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let crashed = crashed(&bench, &command, false);
    let pid = crashed.pid;
    let driver = bench.other_driver();
    driver.kill(&Target::from(&command), Signal::KILL).unwrap();
    assert_gone(pid);
    let (error, _) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    let listed = driver.list().unwrap();
    assert_eq!(
        (listed[0].state, listed[0].pid),
        (ContainerState::Stopped, None)
    );
    driver.clean(&command.id).unwrap();
    assert_no_trace(&bench, &command.id);
}

#[test]
fn defect_12_after_a_crash_terminate_ends_every_process_and_removes_the_cgroups() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    // A name that a parser of /proc/<pid>/stat may stumble over.
    let odd = "bin/x) R 1 (y";
    fs::copy(bench.rootfs.inside("bin/payload"), bench.rootfs.inside(odd)).unwrap();
    let command = bench.command(&[&format!("/{odd}"), "seq", "orphan", "100", ",", "pause"]);
    // On the host's pids nothing ends the others when the first ends.
    let command = command.with_linux(|linux| linux.pid = Some(Pid::host()));
    let crashed = crashed(&bench, &command, false);
    let pid = crashed.pid;
    let driver = bench.other_driver();
    eventually("both run", || driver.pids(&command.id).unwrap().len() == 2);
    let pids = driver.pids(&command.id).unwrap();
    assert_eq!(pids[0], pid);
    assert!(!cgroups_of(&command.id).is_empty());
    driver.terminate(&command.id).unwrap();
    pids.into_iter().for_each(assert_gone);
    assert_no_trace(&bench, &command.id);
}

#[test]
fn a_container_that_is_to_die_with_its_host_does() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let crashed = crashed(&bench, &command, true);
    let pid = crashed.pid;
    assert_gone(pid);
    bench.driver.clean(&command.id).unwrap();
    assert_no_trace(&bench, &command.id);
}

#[test]
fn a_terminate_of_a_running_container_is_told_to_the_run() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let other = bench.other_driver();
    let (status, ()) = bench.while_running(&command, |init| {
        other.terminate(&command.id).unwrap();
        assert_gone(init.pid);
    });
    assert_eq!(status.code, 137);
    assert_eq!(status.reason, execdriver::ExitReason::KilledByCaller);
    assert_no_trace(&bench, &command.id);
}
