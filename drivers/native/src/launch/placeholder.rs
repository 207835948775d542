//! A process that only is there: for who must show one before the container's own can be born.

use std::os::fd::AsFd;

use super::channel::Channel;
use super::error::LaunchError;
use super::memfd;
use super::process::Process;
use super::slots::sharing_is_safe;
use crate::sys::spawn::{Spawn, spawn};

/// An init that waits for a message that never comes. It ends when this is dropped, or with the host program.
#[derive(Debug)]
pub(crate) struct Placeholder {
    process: Process,
    pid: u32,
    _channel: Channel,
}

impl Placeholder {
    /// Starts it in the cgroups that we are in ourselves.
    pub(crate) fn start() -> Result<Self, LaunchError> {
        let program = memfd::init()?;
        let (channel, theirs) = Channel::pair()?;
        let spawned = spawn(&Spawn {
            program: program.file().as_fd(),
            socket: theirs.as_fd(),
            namespaces: 0,
            share_descriptors: sharing_is_safe(),
            cgroup: None,
        })?;
        Ok(Self {
            pid: u32::try_from(spawned.pid).unwrap_or(0),
            process: Process::child(spawned.pidfd, spawned.pid),
            _channel: channel,
        })
    }

    /// Its process id, as we see it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        // Its status is of no interest to anybody.
        let _ = self.process.signal(libc::SIGKILL);
        let _ = self.process.reap();
    }
}
