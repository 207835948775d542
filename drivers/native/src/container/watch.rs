//! From a program that runs to its end: its output copied, its time kept, its status read.

use super::error;
use super::oom::OomNotifier;
use crate::launch::{End, Exit, FROZEN_PATIENCE, Process};
use crate::stdio::Console;
use execdriver_core::{ExitReason, ExitStatus, Result, RunOptions, Signal};
use nix::poll::{PollFd, PollFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// A process under watch.
pub(super) struct Watch<'a> {
    pub(super) process: &'a Process,
    pub(super) console: &'a mut Console,
    pub(super) options: &'a RunOptions,
    pub(super) deadline: Option<Instant>,
    /// Told to the hooks meanwhile.
    pub(super) oom: Option<OomNotifier>,
    /// Lets it die where a frozen cgroup keeps it from that.
    pub(super) unfreeze: &'a dyn Fn(),
    /// Gives back what only its end needs again.
    pub(super) rest: &'a dyn Fn(),
}

/// A process that runs for so long may run for ever.
const LONG: Duration = Duration::from_millis(100);

/// How a process ended, and whether its time was up.
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) timed_out: bool,
}

impl Watch<'_> {
    /// Waits for the end. When the time is up it sends TERM, and KILL after the grace.
    pub(super) fn await_end(&mut self) -> Result<Ended> {
        let mut timed_out = false;
        let long = Instant::now() + LONG;
        let mut ended = false;
        if self.deadline.is_none_or(|deadline| long < deadline) {
            ended = self.wait(Some(long))?;
            if !ended {
                (self.rest)();
            }
        }
        if !ended && !self.wait(self.deadline)? {
            timed_out = true;
            self.end()?;
        }
        let exit = self
            .process
            .reap()
            .map_err(error::process("read the exit status"))?;
        Ok(Ended { exit, timed_out })
    }

    fn end(&mut self) -> Result<()> {
        let grace = self.options.kill_grace;
        if !grace.is_zero() {
            // A process that has just ended cannot be signalled, which is what is wanted.
            let _ = self.process.signal(libc::SIGTERM);
            if self.wait(Instant::now().checked_add(grace))? {
                return Ok(());
            }
        }
        let _ = self.process.signal(libc::SIGKILL);
        if !self.wait(Instant::now().checked_add(FROZEN_PATIENCE))? {
            (self.unfreeze)();
        }
        self.wait(None).map(drop)
    }

    /// Whether it ended before `deadline`.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<bool> {
        loop {
            let process = PollFd::new(self.process.as_fd(), PollFlags::POLLIN);
            let oom = self.oom.as_ref().and_then(OomNotifier::poll_fd);
            let ready = match oom {
                Some(oom) => self.console.wait_for(&[process, oom], deadline),
                None => self.console.wait_for(&[process], deadline),
            };
            let ready = ready.map_err(|e| error::driver("wait for the process", e))?;
            if let (Some(_), Some(oom)) = (ready, &mut self.oom) {
                oom.deliver();
            }
            match ready {
                Some(0) => return Ok(true),
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }
}

impl Ended {
    /// In the words of the contract. `payload` is what init as PID 1 said of the program, and
    /// `was_sent` whether a signal came from the caller.
    pub(super) fn status(
        &self,
        payload: Option<End>,
        was_sent: impl Fn(i32) -> bool,
    ) -> ExitStatus {
        // A PID 1 that was killed itself said nothing, or its program died with it.
        let end = match (self.exit.end, payload) {
            (own @ End::Signalled { .. }, _) => own,
            (own, payload) => payload.unwrap_or(own),
        };
        let mut status = match end {
            End::Exited(code) => ExitStatus::exited(code),
            End::Signalled { signal, .. } => match Signal::new(signal) {
                Ok(known) => ExitStatus::signalled(known),
                Err(_) => ExitStatus::exited(128 + signal),
            },
        };
        if self.timed_out {
            status.reason = ExitReason::TimedOut;
        } else if let Some(signal) = status.signal
            && was_sent(signal.number())
        {
            status.reason = ExitReason::KilledByCaller;
        }
        if let Some(usage) = self.exit.usage {
            status.cpu_user = Some(usage.user);
            status.cpu_system = Some(usage.system);
            status.peak_memory = Some(usage.max_rss);
        }
        status
    }
}

/// What init wrote of its program's end: a status in the form of wait(2).
pub(super) fn payload_end(pipe: Option<OwnedFd>) -> Option<End> {
    let mut status = [0; 4];
    // Init has ended, so what it wrote is there. The pipe does not block: another thread's fork may
    // still hold its other end.
    File::from(pipe?).read_exact(&mut status).ok()?;
    Some(End::of(i32::from_le_bytes(status)))
}
