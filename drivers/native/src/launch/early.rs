//! A first process that is started before its plan is made. It makes its namespaces meanwhile, and waits for the rest.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::Launch;
use super::channel::{Channel, Outgoing};
use super::ending;
use super::error::LaunchError;
use super::memfd::{self, Program};
use super::process::Process;
use super::slots;
use crate::sys::spawn::{Spawn, spawn};
use crate::wire::{Header, Op};

/// These the clone makes, and never `unshare(2)`: a pid namespace would be that of the children.
const BY_CLONE: u64 = libc::CLONE_NEWPID.cast_unsigned() as u64;

/// Started, and not yet told what it is. Dropped, it is ended and reaped; when its host dies it ends by itself.
pub(crate) struct Early {
    /// `None`: the launch has it.
    begun: Option<Begun>,
    /// `CLONE_NEW*` bits of what it makes.
    namespaces: u64,
}

/// A process that was started, and the way to it.
pub(super) struct Begun {
    pub(super) program: Arc<Program>,
    pub(super) channel: Channel,
    pub(super) process: Arc<Process>,
    /// Whether it was born in the cgroup that it belongs to.
    pub(super) in_cgroup: bool,
}

impl Begun {
    /// Starts init, which finds there what `send` has sent.
    pub(super) fn start(
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
        send: impl FnOnce(&Channel, &Program) -> Result<(), LaunchError>,
    ) -> Result<Self, LaunchError> {
        let program = memfd::init()?;
        Self::start_program(program, namespaces, cgroup, send)
    }

    pub(super) fn start_program(
        program: Arc<Program>,
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
        send: impl FnOnce(&Channel, &Program) -> Result<(), LaunchError>,
    ) -> Result<Self, LaunchError> {
        let (channel, theirs) = Channel::pair()?;
        // Init then finds it there and never waits for us to wake up.
        send(&channel, &program)?;
        let spawned = slots::with_low(&program, theirs, |socket| {
            spawn(&Spawn {
                program: program.file().as_fd(),
                socket,
                namespaces,
                share_descriptors: slots::sharing_is_safe(),
                cgroup,
            })
        })?;
        Ok(Self {
            process: Arc::new(Process::child(spawned.pidfd, spawned.pid)),
            in_cgroup: spawned.in_cgroup,
            program,
            channel,
        })
    }
}

impl Early {
    /// Starts a process that makes these namespaces, a pid namespace among them and no user namespace, in a cgroup of version 2.
    pub(crate) fn begin(
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Self, LaunchError> {
        let begun = Begun::start(namespaces & BY_CLONE, cgroup, |channel, program| {
            make(channel, program, namespaces & !BY_CLONE)
        })?;
        Ok(Self {
            begun: Some(begun),
            namespaces,
        })
    }

    /// The process, for a launch of just what it makes.
    pub(super) fn serve(mut self, launch: &Launch<'_>) -> Option<Begun> {
        let begun = self.begun.as_ref()?;
        let placed = begun.in_cgroup || launch.cgroup.is_none();
        (placed && launch.namespaces == self.namespaces)
            .then(|| self.begun.take())
            .flatten()
    }
}

/// Says which namespaces to make, and that the plan follows. A descriptor that init has anyway keeps this apart from what
/// follows (unix(7)).
fn make(channel: &Channel, program: &Program, namespaces: u64) -> Result<(), LaunchError> {
    let flags = u32::try_from(namespaces).unwrap_or_default();
    let message = message(&[Op::More {}, Op::Unshare { flags }]);
    let fds = [program.file().as_fd()];
    channel.send_ahead(&mut Outgoing::new(&message, &fds))?;
    Ok(())
}

fn message(ops: &[Op<'_>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    ops.iter().for_each(|op| op.encode(&mut body));
    let header = Header {
        body_len: u32::try_from(body.len()).unwrap_or(u32::MAX),
        ops: u32::try_from(ops.len()).unwrap_or(u32::MAX),
        fds: 1,
        slots: 1,
    };
    let mut message = Vec::with_capacity(96);
    message.extend_from_slice(&header.encode());
    message.append(&mut body);
    message
}

impl Drop for Early {
    fn drop(&mut self) {
        if let Some(begun) = &self.begun {
            // It runs nobody's code, and whoever drops it has an error to tell, or another process to start.
            let _ = ending::end(&begun.process);
        }
    }
}
