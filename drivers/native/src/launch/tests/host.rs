//! Hosts that do what a library must survive: reap, fork, leak descriptors, ignore signals, allocate.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::launch::{End, LaunchError, ProcessError, launch};
use crate::support::{Need, patience, rounds, skip_unless};
use crate::sys::pidfd;
use crate::wire::{NO_SLOT, Op};

use super::support::{Plan, in_own_process, printing, shell, signalled};

const HERE: &str = "launch::tests::host::";

fn own(test: &str) -> bool {
    in_own_process(&format!("{HERE}{test}"), None)
}

/// Whether the kernel tells the status of a process that somebody else reaped.
fn kernel_remembers() -> bool {
    let started = launch(shell("true").launch()).unwrap();
    started.process.reap().unwrap();
    pidfd::exit_status(std::os::fd::AsFd::as_fd(&*started.process)).is_ok()
}

#[test]
fn a_host_that_ignores_sigchld_gets_the_status_or_its_own_fault() {
    if !own("a_host_that_ignores_sigchld_gets_the_status_or_its_own_fault") {
        return;
    }
    let remembers = kernel_remembers();
    // SAFETY: ignoring a signal in a process of this test alone.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    for _ in 0..rounds(20) {
        let started = launch(shell("exit 9").launch()).unwrap();
        match started.process.reap() {
            Ok(exit) if remembers => assert_eq!((exit.end, exit.usage), (End::Exited(9), None)),
            Err(ProcessError::SigchldIgnored { .. }) if !remembers => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_host_that_reaps_every_child_gets_the_status_or_its_own_fault() {
    if !own("a_host_that_reaps_every_child_gets_the_status_or_its_own_fault") {
        return;
    }
    let remembers = kernel_remembers();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: reaps any child, without its status.
                unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
            }
        });
        for _ in 0..rounds(50) {
            let started = launch(shell("exit 9").launch()).unwrap();
            match started.process.reap() {
                Ok(exit) if remembers => assert_eq!(exit.end, End::Exited(9)),
                Ok(exit) => assert_eq!(exit.end, End::Exited(9), "won the race"),
                Err(ProcessError::ReapedElsewhere { .. }) if !remembers => {}
                other => panic!("{other:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        // Wakes the thief.
        drop(std::process::Command::new("/bin/true").spawn().unwrap());
    });
}

#[test]
fn a_fork_of_another_thread_that_holds_the_socket_delays_no_launch() {
    if own("a_fork_of_another_thread_that_holds_the_socket_delays_no_launch") {
        launch_beside_forks(false);
    }
}

#[test]
fn a_fork_of_another_thread_delays_no_launch_whose_init_stays_either() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    if own("a_fork_of_another_thread_delays_no_launch_whose_init_stays_either") {
        launch_beside_forks(true);
    }
}

/// Far more than the launches below take time for, and far less than a host has room for, should they hang.
const MOST_FORKS: usize = 1000;

fn launch_beside_forks(staying: bool) {
    let stop = Arc::new(AtomicBool::new(false));
    let forker = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut forks = Vec::new();
            while !stop.load(Ordering::Relaxed) && forks.len() < MOST_FORKS {
                // SAFETY: the child only sleeps and ends.
                match unsafe { libc::fork() } {
                    0 => {
                        // SAFETY: async-signal-safe.
                        unsafe { libc::sleep(60 * patience()) };
                        // SAFETY: async-signal-safe.
                        unsafe { libc::_exit(0) };
                    }
                    // No process, and for kill(2) every process that there is.
                    -1 => {}
                    child => forks.push(child),
                }
                // The window is between the socket's birth and the close after the clone.
                std::thread::sleep(Duration::from_millis(1));
            }
            for child in forks {
                // SAFETY: a child of ours that was not reaped.
                unsafe { libc::kill(child, libc::SIGKILL) };
                // SAFETY: the same.
                unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            }
        }
    });
    let mut slowest = Duration::ZERO;
    let mut wrong = None;
    for _ in 0..rounds(100) {
        // One that stays: the end of a payload would tell that it ran.
        let mut plan = Plan::of(&[Op::ReportNs {}]);
        if staying {
            plan = Plan::of(&[Op::ReportNs {}, Op::Pid1 { status: NO_SLOT }]);
        }
        plan.exec(&["/bin/sleep", "1000"]);
        let before = Instant::now();
        let mut request = plan.launch();
        request.init_stays = staying;
        if staying {
            // Ends with its PID 1.
            request.namespaces = u64::from(libc::CLONE_NEWPID.cast_unsigned());
        }
        let started = launch(request).unwrap();
        slowest = slowest.max(before.elapsed());
        started.process.signal(libc::SIGKILL).unwrap();
        let end = started.process.reap().unwrap().end;
        wrong = wrong.or((end != signalled(libc::SIGKILL)).then_some(end));
    }
    stop.store(true, Ordering::Relaxed);
    forker.join().unwrap();
    assert_eq!(wrong, None);
    // One that waited for a fork's copies would have waited for as long as forks live.
    assert!(
        slowest < Duration::from_secs(20) * patience(),
        "{slowest:?}"
    );
}

#[test]
fn descriptors_that_the_host_leaks_do_not_reach_the_payload() {
    let null = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: takes numbers only.
    let leaked: Vec<i32> = (0..50)
        .map(|_| unsafe { libc::fcntl(null.as_raw_fd(), libc::F_DUPFD, 20) })
        .collect();
    let (mut plan, output) = printing(&[Op::ReportNs {}], "echo /proc/self/fd/*; ls /proc/$$/fd");
    let started = launch(plan.launch()).unwrap();
    let text = output.text(plan);
    started.process.reap().unwrap();
    for fd in leaked {
        // SAFETY: made above and used by nobody else.
        unsafe { libc::close(fd) };
    }
    assert!(text.ends_with("\n0\n1\n2\n"), "{text}");
}

#[test]
fn the_threads_signal_mask_is_the_same_after_success_and_failure() {
    let mask = || nix::sys::signal::SigSet::thread_get_mask().unwrap();
    let before = mask();
    launch(shell("true").launch())
        .unwrap()
        .process
        .reap()
        .unwrap();
    assert_eq!(mask(), before);
    let mut plan = shell("true");
    let mut request = plan.launch();
    request.namespaces = u64::MAX >> 8;
    assert!(matches!(
        launch(request).unwrap_err(),
        LaunchError::Spawn(_)
    ));
    assert_eq!(mask(), before);
}

#[test]
fn a_payload_that_a_signal_ends_at_once_was_a_start() {
    for _ in 0..rounds(50) {
        let started = launch(shell("kill -KILL $$").launch()).unwrap();
        assert_eq!(
            started.process.reap().unwrap().end,
            signalled(libc::SIGKILL)
        );
    }
}

#[test]
fn a_host_without_standard_descriptors_starts_the_payload() {
    if !own("a_host_without_standard_descriptors_starts_the_payload") {
        return;
    }
    // SAFETY: takes numbers only.
    let saved: Vec<i32> = (0..3)
        .map(|fd| unsafe { libc::fcntl(fd, libc::F_DUPFD, 50) })
        .collect();
    for fd in 0..10 {
        // SAFETY: a process of this test alone; the harness's descriptors come back below.
        unsafe { libc::close(fd) };
    }
    let result =
        launch(shell("exit 8").launch()).map(|started| started.process.reap().unwrap().end);
    for (fd, saved) in (0..).zip(saved) {
        // SAFETY: takes numbers only.
        unsafe { libc::dup2(saved, fd) };
    }
    assert_eq!(result.unwrap(), End::Exited(8));
}

#[test]
fn a_large_host_whose_threads_allocate_launches_and_never_hangs() {
    if !own("a_large_host_whose_threads_allocate_launches_and_never_hangs") {
        return;
    }
    // How fast is the benchmark's to say.
    let ballast = vec![1u8; 1 << 30];
    let stop = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box(vec![1u8; 4096]);
                    std::thread::yield_now();
                }
            });
        }
        let launched = |_| match launch(shell("exit 7").launch()) {
            Ok(started) => started.process.reap().map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let ended: Vec<_> = (0..rounds(100)).map(launched).collect();
        // Before anything is asserted: the scope waits for its threads.
        stop.store(true, Ordering::Relaxed);
        ended
    });
    for exit in ended {
        assert_eq!(exit.unwrap().end, End::Exited(7), "{} bytes", ballast.len());
    }
}

#[test]
fn launches_that_fail_and_succeed_leave_nothing() {
    if !own("launches_that_fail_and_succeed_leave_nothing") {
        return;
    }
    let count = |dir: &str| std::fs::read_dir(dir).unwrap().count();
    launch(shell("true").launch())
        .unwrap()
        .process
        .reap()
        .unwrap();
    let (fds, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
    for round in 0..rounds(100) {
        let mut plan = match round % 4 {
            1 => Plan::of(&[
                Op::ReportNs {},
                Op::Stdio {
                    stdin: 9,
                    stdout: 9,
                    stderr: 9,
                },
            ]),
            _ => Plan::of(&[Op::ReportNs {}]),
        };
        plan.exec(&["/bin/true"]);
        let mut fail = |_: &_| Err("no".into());
        let mut request = plan.launch();
        match round % 4 {
            0 => request.pre_start = Some(&mut fail),
            2 => request.namespaces = u64::MAX >> 8,
            _ => {}
        }
        let started = launch(request);
        assert_eq!(started.is_ok(), round % 4 == 3);
        if let Ok(started) = started {
            started.process.reap().unwrap();
        }
    }
    assert_eq!(
        (count("/proc/self/fd"), count("/proc/self/task")),
        (fds, threads)
    );
    // SAFETY: takes numbers and a null pointer, which is allowed.
    let child = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    assert_eq!(child, -1, "a child is left");
}
