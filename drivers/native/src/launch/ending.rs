//! Ends and reaps what a launch has started, whatever state it is in.

use core::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::error::LaunchError;
use super::process::{Exit, Process, ProcessError};

/// After so long a process that was killed is believed to be in a frozen cgroup.
pub(crate) const FROZEN_PATIENCE: Duration = Duration::from_millis(50);
/// How long the kernel may take to end a process that was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// What was sent SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Killed {
    /// The process of this pid.
    Process(i32),
    /// All of the process group of this leader, which is gone.
    Group(i32),
}

/// Frees what was sent SIGKILL from a cgroup in which it would not die.
pub(super) type Release<'a> = Option<&'a dyn Fn(Killed)>;

/// Kills and reaps; how it ended, unless other code of the host reaped it.
pub(super) fn end(process: &Process) -> Result<Option<Exit>, LaunchError> {
    kill(process);
    match process.wait_until(Some(Instant::now() + KILL_PATIENCE)) {
        // When it cannot be polled, to reap it waits as well.
        Ok(true) | Err(_) => Ok(reap(process)),
        Ok(false) => Err(left(process.pid())),
    }
}

/// As [`end`], also where a frozen cgroup keeps what was killed from dying.
pub(super) fn end_anywhere(
    process: &Process,
    release: Release,
) -> Result<Option<Exit>, LaunchError> {
    if let Some(release) = release {
        kill(process);
        let soon = Instant::now() + FROZEN_PATIENCE;
        match process.wait_until(Some(soon)) {
            Ok(true) => return Ok(reap(process)),
            Ok(false) => release(Killed::Process(process.pid())),
            Err(_) => {}
        }
    }
    end(process)
}

/// A process that has ended already keeps its status; one must not be left for one failure that a second try does not meet.
fn kill(process: &Process) {
    if let Err(ProcessError::System { .. }) = process.signal(libc::SIGKILL) {
        let _ = process.signal(libc::SIGKILL);
    }
}

/// Ends and reaps the second process that a first one, which was reaped, has cloned but never told of: killed by us, or for
/// want of memory, it may have been anywhere. A clone is born into its process group, and stays there until it was told of.
pub(super) fn end_group(leader: i32, release: Release) -> Result<(), LaunchError> {
    let group = Pid::from_raw(leader);
    let begun = Instant::now();
    let mut nap = Duration::from_micros(50);
    loop {
        match wait_for(group) {
            // The group's number is nobody else's while one of it is there.
            Ok(WaitStatus::StillAlive) => drop(killpg(group, Signal::SIGKILL)),
            // Reaped; there may be another.
            Ok(_) => continue,
            Err(_) => return Ok(()),
        }
        if begun.elapsed() > KILL_PATIENCE {
            return Err(left(leader));
        }
        if let Some(release) = release
            && begun.elapsed() > FROZEN_PATIENCE
        {
            release(Killed::Group(leader));
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(10));
    }
}

/// Reaps one of the children in a process group, if one has ended; as in [`reap`], the first failure does not count.
fn wait_for(group: Pid) -> nix::Result<WaitStatus> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    let wait = || waitid(Id::PGid(group), flags);
    match wait() {
        Err(Errno::ECHILD) => Err(Errno::ECHILD),
        Err(_) => wait(),
        known => known,
    }
}

/// A zombie must not be left for one failure that a second try does not meet.
fn reap(process: &Process) -> Option<Exit> {
    let again = |error| match error {
        ProcessError::System { .. } => process.reap(),
        error => Err(error),
    };
    process.reap().or_else(again).ok()
}

fn left(pid: i32) -> LaunchError {
    LaunchError::Left {
        pid,
        source: Box::new(LaunchError::EndedEarly { exit: None }),
    }
}
