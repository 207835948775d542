//! Host programs that do what a library must survive: reap, ignore signals, leak descriptors, die.
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
#[path = "hosts/own.rs"]
mod own;
#[path = "hosts/signals.rs"]
mod signals;
mod support;

use contract::{Bench, chain, process};
use execdriver::{
    Command, ContainerState, Error, ExecRequest, ExitReason, ExitStatus, Hooks, Pipes, Result,
    RunOptions, Stdio,
};
use host::{alive, assert_gone, assert_no_trace};
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use support::{Rootfs, eventually, unique_id, within};

/// Whether the kernel tells the status of a process that somebody else reaped: PIDFD_INFO_EXIT came with Linux 6.15.
fn kernel_remembers() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap(), numbers.next().unwrap());
    version >= (6, 15)
}

/// The right code, or, on a kernel that forgets, the error that says whose fault it is. Never another code.
#[track_caller]
fn right_or_the_hosts_fault(outcome: Result<ExitStatus>, code: i32, fault: &str) {
    match outcome {
        Ok(status) => assert_eq!((status.code, status.reason), (code, ExitReason::Exited)),
        Err(error) => {
            let text = chain(&error);
            assert!(!kernel_remembers(), "{text}");
            assert!(matches!(error, Error::Driver { .. }), "{error:?}");
            assert!(text.contains(fault), "{text}");
        }
    }
}

/// A run and an exec, of which each ends with a code of its own, by `rounds`.
fn runs_and_execs(bench: &Bench, rounds: usize, fault: &str) {
    for round in 0..rounds {
        let command = bench.command(&["exit", "9"]);
        // Init as PID 1 tells the status by a pipe, the program itself by wait(2) alone.
        let command = command.with_linux(|linux| linux.init = round % 2 == 1);
        let options = RunOptions::default();
        let run = bench
            .driver
            .run(&command, &options, Pipes::null(), &Hooks::none());
        right_or_the_hosts_fault(run, 9, fault);
        assert_no_trace(bench, &command.id);
    }
    let hooks = Hooks::none().on_start(|context| {
        let request = ExecRequest::new(process(&["exit", "7"]));
        let (pipes, hooks) = (Pipes::null(), Hooks::none());
        let exec = bench.driver.exec(context.id, &request, pipes, &hooks);
        right_or_the_hosts_fault(exec, 7, fault);
        Ok(bench.driver.terminate(context.id)?)
    });
    let command = bench.command(&["pause"]);
    let run = bench
        .driver
        .run(&command, &RunOptions::default(), Pipes::null(), &hooks);
    match run {
        Ok(status) => assert_eq!(status.code, 137),
        Err(error) => assert!(!kernel_remembers(), "{}", chain(&error)),
    }
    assert_no_trace(bench, &command.id);
}

#[test]
fn a_host_that_ignores_sigchld_gets_the_right_status() {
    if own::in_own_process("a_host_that_ignores_sigchld_gets_the_right_status") {
        let bench = Bench::new();
        signals::ignore_children();
        runs_and_execs(&bench, 10, "SIGCHLD");
    }
}

#[test]
fn a_host_that_reaps_every_child_gets_the_right_status() {
    if !own::in_own_process("a_host_that_reaps_every_child_gets_the_right_status") {
        return;
    }
    let bench = Bench::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if nix::sys::wait::wait().is_err() {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        });
        // A failed assertion must not leave the scope waiting for its thread.
        let stop = StopWhenDropped(&stop);
        runs_and_execs(&bench, 30, "reaps every child");
        drop(stop);
    });
}

struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A program that does not read what it is sent, and a reader that does not read what it says.
fn broken_pipes(bench: &Bench) {
    let much = std::io::Read::take(std::io::repeat(b'x'), 8 << 20);
    let pipes = Pipes::null().stdin(Stdio::reader(much));
    let status = bench
        .run_with(&bench.command(&["exit", "4"]), pipes, &Hooks::none())
        .status;
    assert_eq!(status.code, 4);
    let (reader, writer) = os_pipe::pipe().unwrap();
    drop(reader);
    let pipes = Pipes::null().stdout(writer);
    let (options, hooks) = (RunOptions::default(), Hooks::none());
    let command = bench.command(&["big", "1000000"]).with_linux(|linux| {
        // As PID 1 the program would survive its signal.
        linux.init = true;
    });
    // The program's own SIGPIPE is the default one, whatever the host's is.
    let status = bench.driver.run(&command, &options, pipes, &hooks).unwrap();
    assert_eq!(status.signal.map(|signal| signal.number()), Some(13));
    let said = bench.says(&["status", "SigIgn", "SigBlk"]);
    assert_eq!(said, "SigBlk 0000000000000000\nSigIgn 0000000000000000\n");
}

#[test]
fn a_host_that_ignores_sigpipe_gives_programs_the_default() {
    if own::in_own_process("a_host_that_ignores_sigpipe_gives_programs_the_default") {
        // As std has set it.
        broken_pipes(&Bench::new());
    }
}

#[test]
fn a_host_that_sigpipe_would_kill_is_not_killed() {
    if own::in_own_process("a_host_that_sigpipe_would_kill_is_not_killed") {
        signals::die_of_closed_pipes();
        broken_pipes(&Bench::new());
    }
}

/// CVE-2024-21626 began with such a descriptor.
#[test]
fn cve_2024_21626_descriptors_that_the_host_leaks_do_not_reach_a_container() {
    if !own::in_own_process(
        "cve_2024_21626_descriptors_that_the_host_leaks_do_not_reach_a_container",
    ) {
        return;
    }
    let directory = File::open("/").unwrap();
    for _ in 0..50 {
        // Without FD_CLOEXEC, and for the rest of this process's life.
        fcntl(&directory, FcntlArg::F_DUPFD(20)).unwrap();
    }
    let numbers = |said: &str| -> Vec<String> {
        let number = |line: &str| line.split(' ').next().unwrap().to_owned();
        said.lines().map(number).collect()
    };
    let bench = Bench::new();
    for (tty, init) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut command = bench
            .command(&["fds"])
            .with_linux(|linux| linux.init = init);
        command.process.tty = tty;
        let said = bench.output(&command);
        assert_eq!(numbers(&said), ["0", "1", "2"], "{said}");
    }
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        let said = bench.exec(&command.id, &["fds"]).out;
        assert_eq!(numbers(&said), ["0", "1", "2"], "{said}");
    });
}

/// PR_SET_PDEATHSIG is about the thread that made the process, and `run` stays on that one.
#[test]
fn a_container_outlives_the_thread_that_started_the_one_which_runs_it() {
    let bench = std::sync::Arc::new(Bench::new());
    for die_with_host in [false, true] {
        let (send, receive) = std::sync::mpsc::channel();
        let bench = std::sync::Arc::clone(&bench);
        let starter = thread::spawn(move || {
            thread::spawn(move || {
                let command = bench.command(&["seq", "sleep", "0.5", ",", "exit", "6"]);
                let options = RunOptions::default().die_with_host(die_with_host);
                let (pipes, hooks) = (Pipes::null(), Hooks::none());
                let status = bench.driver.run(&command, &options, pipes, &hooks);
                send.send(status).expect("the test waits");
            });
        });
        starter.join().unwrap();
        let status = receive.recv_timeout(contract::SOON).unwrap().unwrap();
        assert_eq!((status.code, status.reason), (6, ExitReason::Exited));
    }
}

const ROOTFS: &str = "EXECDRIVER_TEST_ROOTFS";
const STATE: &str = "EXECDRIVER_TEST_STATE";
const PID_FILE: &str = "EXECDRIVER_TEST_PID_FILE";

/// What the host programs of the tests below do: run a container until somebody ends them. `how` is their role.
fn be_the_host(how: &str) {
    let path = |name| std::path::PathBuf::from(std::env::var_os(name).unwrap());
    let registry = execdriver::Registry::with_builtin();
    let driver = registry.open("native", &path(STATE), execdriver::Options::none());
    let driver = driver.unwrap();
    let id = path(PID_FILE)
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let command = Command::linux(id, path(ROOTFS), "/bin/pause");
    let options = RunOptions::default().die_with_host(how.ends_with("with-host"));
    let pid_file = path(PID_FILE);
    let (leaves, (send, receive)) = (how.starts_with("leave"), std::sync::mpsc::channel());
    let run = move || {
        let hooks = Hooks::none().on_start(move |context| {
            let unfinished = pid_file.with_extension("new");
            std::fs::write(&unfinished, context.pid.to_string())?;
            std::fs::rename(unfinished, &pid_file)?;
            Ok(send.send(())?)
        });
        driver.run(&command, &options, Pipes::null(), &hooks)
    };
    let runner = thread::spawn(run);
    receive.recv().unwrap();
    if leaves {
        // With its thread still in `run`.
        std::process::exit(0);
    }
    panic!("the container ended first: {:?}", runner.join());
}

/// A host program in its own process with a running container.
struct Host {
    bench: Bench,
    id: String,
    host: Child,
    pid: u32,
}

impl Host {
    fn start(test: &str, how: &str) -> Self {
        let bench = Bench::on(Rootfs::new());
        let id = unique_id("host");
        let pid_file = bench.rootfs.outside().join(&id);
        let (rootfs, state) = (bench.rootfs.path(), bench.rootfs.state());
        let paths: [(&str, &Path); 3] = [(ROOTFS, &rootfs), (STATE, &state), (PID_FILE, &pid_file)];
        let mut host = own::start(test, how, &paths);
        let up = within(contract::SOON, || pid_file.exists());
        if !up {
            host.kill().unwrap();
            host.wait().unwrap();
            panic!("the host program did not start its container");
        }
        let pid = std::fs::read_to_string(pid_file).unwrap().parse().unwrap();
        Self {
            bench,
            id,
            host,
            pid,
        }
    }

    fn ends(&mut self, by_kill: bool) {
        if by_kill {
            self.host.kill().unwrap();
        }
        self.host.wait().unwrap();
    }
}

/// The next process finds the container, may act on it and ends it.
fn outlives(test: &str, how: &str) {
    if own::role().is_some_and(|role| role == how) {
        return be_the_host(how);
    }
    let mut host = Host::start(test, how);
    host.ends(how.starts_with("killed"));
    thread::sleep(Duration::from_millis(100));
    assert!(alive(host.pid), "the container died with its host");
    let list = host.bench.driver.list().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(
        (list[0].pid, list[0].state),
        (Some(host.pid), ContainerState::Running)
    );
    assert_eq!(host.bench.exec(&host.id, &["exit", "3"]).status.code, 3);
    let again = host.bench.try_run(&Command {
        id: host.id.clone(),
        ..host.bench.command(&["true"])
    });
    assert!(
        matches!(again, Err(Error::AlreadyExists { .. })),
        "{again:?}"
    );
    assert!(matches!(
        host.bench.driver.clean(&host.id),
        Err(Error::Running { .. })
    ));
    host.bench.driver.terminate(&host.id).unwrap();
    assert_gone(host.pid);
    host.bench.driver.clean(&host.id).unwrap();
    assert_no_trace(&host.bench, &host.id);
    assert!(host.bench.driver.list().unwrap().is_empty());
}

/// Nothing runs any more, and what is left on disk goes with `clean`.
fn dies(test: &str, how: &str) {
    if own::role().is_some_and(|role| role == how) {
        return be_the_host(how);
    }
    let mut host = Host::start(test, how);
    host.ends(how.starts_with("killed"));
    assert_gone(host.pid);
    eventually("nothing runs", || {
        let list = host.bench.driver.list().unwrap();
        list.iter()
            .all(|container| container.state == ContainerState::Stopped)
    });
    host.bench.driver.clean(&host.id).unwrap();
    assert_no_trace(&host.bench, &host.id);
}

#[test]
fn a_container_of_a_killed_host_is_terminated_by_the_next_process() {
    outlives(
        "a_container_of_a_killed_host_is_terminated_by_the_next_process",
        "killed",
    );
}

#[test]
fn a_container_of_a_host_that_left_in_the_middle_is_terminated_by_the_next_process() {
    outlives(
        "a_container_of_a_host_that_left_in_the_middle_is_terminated_by_the_next_process",
        "leave",
    );
}

#[test]
fn nothing_is_left_of_a_killed_host_whose_containers_die_with_it() {
    dies(
        "nothing_is_left_of_a_killed_host_whose_containers_die_with_it",
        "killed-with-host",
    );
}

#[test]
fn nothing_is_left_of_a_host_that_left_whose_containers_die_with_it() {
    dies(
        "nothing_is_left_of_a_host_that_left_whose_containers_die_with_it",
        "leave-with-host",
    );
}
