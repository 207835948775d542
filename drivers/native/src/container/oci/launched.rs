//! A process that was launched, for whoever waits for it or leaves it.

use super::OciResult;
use crate::container::error;
use crate::launch::{End, Process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A container's first process, or an exec's. Dropped, it is left alone.
#[derive(Debug)]
pub struct Launched {
    pub(super) process: Arc<Process>,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) warnings: Vec<String>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl Outcome {
    /// The code as shells report it: 128 and more for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(signal) => 128 + signal,
        }
    }
}

impl Launched {
    /// A sentence for each thing that was asked for and left out.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Its pid as the host sees it.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Its pidfd, readable once it has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        Process::as_fd(&self.process)
    }

    /// Its terminal's master, once.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// Sends it a signal; one that has ended gets none.
    pub fn signal(&self, signal: i32) {
        let _ = self.process.signal(signal);
    }

    /// Waits for its end and reaps it.
    ///
    /// # Errors
    /// Its status is lost.
    pub fn wait(&self) -> OciResult<Outcome> {
        let reap = self.process.reap();
        let exit = reap.map_err(error::process("read the exit status"))?;
        Ok(match exit.end {
            End::Exited(code) => Outcome::Exited(code),
            End::Signalled { signal, .. } => Outcome::Signalled(signal),
        })
    }
}
