//! A pause that the kernel does not carry out: given up in time, told with the container's name, and undone.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "contract/cgroup.rs"]
mod cgroup;
mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use cgroup::freezer;
use contract::{Bench, SOON, process, refused};
use execdriver::{ContainerState, Error, ExecRequest, Hooks, Pipes};
use host::assert_no_trace;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};
use support::{Need, skip_unless, within};

/// Mounts on `/tmp` of the container a file system in user space that never answers: who asks it something waits until it is killed
/// or the file is closed.
fn mount_silence(init: u32) -> File {
    let mut both = OpenOptions::new();
    let fuse = both.read(true).write(true).open("/dev/fuse").unwrap();
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        fuse.as_raw_fd()
    );
    let namespace = File::open(format!("/proc/{init}/ns/mnt")).unwrap();
    // A thread that shares its root and working directory with others joins no mount namespace.
    let there = thread::spawn(move || {
        unshare(CloneFlags::CLONE_FS).unwrap();
        setns(namespace, CloneFlags::CLONE_NEWNS).unwrap();
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(
            Some("silence"),
            "/tmp",
            Some("fuse"),
            flags,
            Some(&*options),
        )
        .unwrap();
    });
    there.join().unwrap();
    fuse
}

/// The state of a process, as `ps` shows it.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[test]
fn a_pause_that_the_kernel_does_not_carry_out_is_given_up_and_undone() {
    if skip_unless(&[
        Need::Root,
        Need::CgroupV1("freezer"),
        Need::Path("/dev/fuse"),
    ]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |init| {
        let silence = mount_silence(init.pid);
        let waiting = || {
            let pids = bench.driver.pids(id).unwrap();
            pids.into_iter()
                .filter(|pid| state(*pid) == Some('D'))
                .count()
        };
        let make = |name: &'static str| {
            let path = format!("/tmp/{name}");
            let request = ExecRequest::new(process(&["mkdir", &path])).exec_id(name);
            let driver = bench.other_driver();
            move || driver.exec(id, &request, Pipes::null(), &Hooks::none())
        };
        thread::scope(|scope| {
            // The first one holds the directory while it waits for an answer, the second one waits for the directory: no
            // signal and no freezer wakes that.
            let first = scope.spawn(make("first"));
            let first_waits = within(SOON, || waiting() == 1);
            let second = scope.spawn(make("second"));
            let both_wait = within(SOON, || waiting() == 2);
            let begun = Instant::now();
            let paused = bench.driver.pause(id);
            let took = begun.elapsed();
            let told = fs::read_to_string(freezer(id).join("freezer.state")).unwrap();
            let state = bench.driver.list().unwrap()[0].state;
            let beside = bench.try_exec(id, &["exit", "3"]);
            let _ = bench.driver.unpause(id);
            // Closed, it answers everybody with an error.
            drop(silence);
            for stuck in [first, second] {
                assert_eq!(stuck.join().unwrap().unwrap().code, 1);
            }
            assert!(first_waits && both_wait, "they wait in the kernel");
            let (error, text) = refused(paused);
            assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
            assert!(
                text.contains(id) && text.contains("not frozen after 5s"),
                "{text}"
            );
            assert!(took >= Duration::from_secs(5) && took < SOON, "{took:?}");
            // What could be frozen goes on.
            assert_eq!((told.trim(), state), ("THAWED", ContainerState::Running));
            assert_eq!(beside.unwrap().status.code, 3);
            bench.driver.pause(id).unwrap();
            bench.driver.unpause(id).unwrap();
        });
    });
    assert_no_trace(&bench, id);
}
