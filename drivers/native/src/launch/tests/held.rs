//! A launch in two halves: it is made, it waits, somebody lets its program start.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::support::{Plan, signalled};
use crate::launch::{End, Held, LaunchError, Limits, Process, Started, launch, release};
use crate::support::patience;
use crate::wire::Op;

/// A process that waits below a directory of its own.
struct Waiting {
    directory: tempfile::TempDir,
    started: Started,
}

impl Waiting {
    fn before(argv: &[&str]) -> Waiting {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("start")).unwrap();
        let mut plan = Plan::of(&[Op::ReportNs {}]);
        let slot = plan.pass(listener);
        plan.push(&Op::Hold {
            slot,
            program: c"/bin/sh",
            path: b"",
        });
        plan.exec(argv);
        let mut request = plan.launch();
        request.hold = true;
        let started = launch(request).unwrap();
        Waiting { directory, started }
    }

    fn touching() -> (Waiting, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.keep().join("touched");
        let script = format!("exec > {}", path.display());
        (Waiting::before(&["/bin/sh", "-c", &script]), path)
    }

    fn process(&self) -> &Arc<Process> {
        &self.started.process
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.directory.path().join("start")).unwrap()
    }

    fn release(&self) -> Result<(), LaunchError> {
        let deadline = Some(Instant::now() + Duration::from_secs(20));
        release(Held {
            process: self.process(),
            socket: self.connect().into(),
            describe: &|index| format!("step {index}"),
            listener: None,
            init_stays: false,
            limits: Limits {
                deadline,
                abort: None,
            },
        })
    }
}

#[test]
fn the_program_runs_when_it_is_let_go_and_not_before() {
    let (waiting, touched) = Waiting::touching();
    let soon = Some(Instant::now() + Duration::from_millis(50));
    assert!(!waiting.process().wait_until(soon).unwrap());
    assert!(!touched.exists());
    waiting.release().unwrap();
    assert_eq!(waiting.process().reap().unwrap().end, End::Exited(0));
    assert!(touched.exists());
    std::fs::remove_dir_all(touched.parent().unwrap()).unwrap();
}

#[test]
fn who_connects_and_goes_without_a_word_starts_nothing() {
    let waiting = Waiting::before(&["/bin/true"]);
    for _ in 0..3 {
        drop(waiting.connect());
    }
    waiting.release().unwrap();
    assert_eq!(waiting.process().reap().unwrap().end, End::Exited(0));
}

#[test]
fn a_program_that_is_not_there_is_said_to_whoever_starts_it() {
    let waiting = Waiting::before(&["/nowhere"]);
    let error = waiting.release().unwrap_err();
    assert!(
        matches!(error, LaunchError::Step { index: 2, .. }),
        "{error:?}"
    );
    assert_eq!(waiting.process().reap().unwrap().end, End::Exited(125));
}

#[test]
fn what_is_killed_while_it_waits_is_started_by_nobody() {
    let waiting = Waiting::before(&["/bin/true"]);
    let connected = waiting.connect();
    waiting.process().signal(libc::SIGKILL).unwrap();
    assert_eq!(
        waiting.process().reap().unwrap().end,
        signalled(libc::SIGKILL)
    );
    drop(connected);
    let path = waiting.directory.path().join("start");
    // Its end is told before the kernel has closed what it held.
    let until = Instant::now() + Duration::from_secs(20) * patience();
    while UnixStream::connect(&path).is_ok() {
        assert!(Instant::now() < until, "somebody listens");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn nothing_of_the_start_stays_open_in_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("list");
    let script = format!("ls -l /proc/$$/fd > {}", list.display());
    let waiting = Waiting::before(&["/bin/sh", "-c", &script]);
    waiting.release().unwrap();
    assert_eq!(waiting.process().reap().unwrap().end, End::Exited(0));
    let open = std::fs::read_to_string(&list).unwrap();
    assert!(!open.contains("socket:"), "{open}");
}
