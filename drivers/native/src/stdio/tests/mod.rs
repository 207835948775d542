//! Tests with real processes, pipes and terminals; none needs root.

mod cost;
mod leaks;
mod pipes;
mod terminals;

use super::{Console, prepare, room};
use crate::sys::pidfd;
use execdriver_core::console::Finished;
use execdriver_core::{Pipes, Stdio};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(20);

/// A process and its console.
struct Running {
    child: Child,
    pidfd: OwnedFd,
    console: Console,
}

impl Running {
    /// Starts `script` the way a driver does, with a process of std's in the container's place.
    fn start(script: &str, pipes: Pipes, cap: Option<u64>) -> Self {
        let (theirs, host) = prepare(pipes, false).unwrap();
        let fds = theirs.fds().unwrap();
        let fds = fds.map(|fd| fd.try_clone_to_owned().unwrap());
        let child = spawn(&["sh", "-c", script], fds);
        drop(theirs);
        let pidfd = pidfd::open(child.id().try_into().unwrap()).unwrap();
        let console = host
            .with_room(room(true, None))
            .attach("test", None, cap)
            .unwrap();
        Self {
            child,
            pidfd,
            console,
        }
    }

    /// Starts `argv` on a terminal of its own.
    fn on_terminal(argv: &[&str], pipes: Pipes, echo: bool) -> Self {
        let (theirs, host) = prepare(pipes, true).unwrap();
        assert!(theirs.fds().is_none());
        let (master, slave) = pty();
        if !echo {
            let mut termios = tcgetattr(&slave).unwrap();
            termios.local_flags.remove(LocalFlags::ECHO);
            tcsetattr(&slave, SetArg::TCSANOW, &termios).unwrap();
        }
        let fds = [0; 3].map(|_| slave.try_clone().unwrap().into());
        let child = spawn(argv, fds);
        drop(slave);
        let pidfd = pidfd::open(child.id().try_into().unwrap()).unwrap();
        let console = host.attach("test", Some(master), None).unwrap();
        Self {
            child,
            pidfd,
            console,
        }
    }

    /// Copies until the process has ended: its place among the descriptors, or `None` at the deadline.
    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<usize>> {
        let ended = PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN);
        self.console.wait_for(&[ended], deadline)
    }

    /// Waits for the end of the process and of its streams.
    fn end(self, grace: Duration) -> (i32, Finished) {
        self.end_within(LONG, grace)
    }

    fn end_within(mut self, time: Duration, grace: Duration) -> (i32, Finished) {
        let deadline = Some(Instant::now() + time);
        let ready = self.wait(deadline).unwrap();
        if ready.is_none() {
            self.child.kill().unwrap();
        }
        let status = self.child.wait().unwrap();
        let finished = self.console.finish(grace);
        assert_eq!(ready, Some(0), "the process did not end: {finished:?}");
        (status.code().unwrap_or(-1), finished)
    }
}

/// A pair that no process of another test inherits, as openpty(3)'s would be.
fn pty() -> (OwnedFd, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(ptsname_r(&master).unwrap())
        .unwrap();
    (master.as_fd().try_clone_to_owned().unwrap(), slave)
}

fn spawn(argv: &[&str], fds: [OwnedFd; 3]) -> Child {
    let [stdin, stdout, stderr] = fds;
    Command::new(argv[0])
        .args(&argv[1..])
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap()
}

fn clean(finished: &Finished) -> bool {
    !finished.truncated && finished.errors.is_empty()
}

/// A writer that takes its time for every write.
struct Slow<W>(W, Duration);

impl<W: Write> Write for Slow<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::thread::sleep(self.1);
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Kills what a test left behind on purpose, by the pid that it printed.
fn kill(pid: &str) {
    let pid: i32 = pid.trim().parse().unwrap();
    let pidfd = pidfd::open(pid).unwrap();
    pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL).unwrap();
}

fn silent() -> (Stdio, os_pipe::PipeWriter) {
    let (reader, writer) = os_pipe::pipe().unwrap();
    (Stdio::reader(reader), writer)
}
