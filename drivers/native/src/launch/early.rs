//! A first process that is started before it is said what it is: in its cgroups and a pid namespace, it waits for its plan.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::channel::{Channel, Outgoing};
use super::ending::{self, Killed};
use super::error::LaunchError;
use super::memfd::{self, Program};
use super::process::Process;
use super::slots;
use crate::sys::spawn::{Spawn, spawn};
use crate::wire::{Header, Op};

/// What the clone makes. All else the plan's first step makes, when the container is asked for: as the host is then.
const BY_CLONE: u64 = libc::CLONE_NEWPID.cast_unsigned() as u64;

/// Started, and not yet told what it is. Dropped, it is ended and reaped; when its host dies it ends by itself.
#[derive(Debug)]
pub(crate) struct Early {
    /// `None`: the launch has it, or another process of the host's, from which this one was forked off.
    begun: Option<Begun>,
}

/// A process that was started, and the way to it.
#[derive(Debug)]
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
    /// Starts one in a cgroup of version 2, never one that may be frozen, and in those of version 1, by their `tasks` files.
    /// `None` where it can only be moved into the former, which takes longer than to start one.
    pub(crate) fn begin(
        cgroup: Option<BorrowedFd<'_>>,
        entries: &[OwnedFd],
    ) -> Result<Option<Self>, LaunchError> {
        let begun = Begun::start(BY_CLONE, cgroup, |channel, program| {
            enter(channel, program, entries)
        })?;
        let placed = begun.in_cgroup || cgroup.is_none();
        let early = Self { begun: Some(begun) };
        Ok(placed.then_some(early))
    }

    /// Whether it still waits: somebody may have killed it.
    pub(crate) fn waits(&self) -> bool {
        let ended = |begun: &Begun| begun.process.wait_until(Some(std::time::Instant::now()));
        self.begun
            .as_ref()
            .is_some_and(|begun| matches!(ended(begun), Ok(false)))
    }

    /// Lets go of it without ending it: in a process that was forked off its host, whose child it is not.
    pub(crate) fn forget(&mut self) {
        self.begun = None;
    }

    /// The process, for its launch.
    pub(super) fn serve(mut self) -> Option<Begun> {
        self.begun.take()
    }
}

/// Says which cgroups to enter, and that the plan follows. A descriptor, be it one that init has anyway, keeps this apart from
/// what follows (unix(7)).
fn enter(channel: &Channel, program: &Program, entries: &[OwnedFd]) -> Result<(), LaunchError> {
    let mut ops = vec![Op::More {}];
    ops.extend((0..).zip(entries).map(|(slot, _)| Op::Place { slot }));
    let mut fds: Vec<BorrowedFd<'_>> = entries.iter().map(AsFd::as_fd).collect();
    if fds.is_empty() {
        fds.push(program.file().as_fd());
    }
    let message = message(&ops, fds.len());
    channel.send_ahead(&mut Outgoing::new(&message, &fds))?;
    Ok(())
}

fn message(ops: &[Op<'_>], fds: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    ops.iter().for_each(|op| op.encode(&mut body));
    let header = Header {
        body_len: u32::try_from(body.len()).unwrap_or(u32::MAX),
        ops: u32::try_from(ops.len()).unwrap_or(u32::MAX),
        fds: fds.try_into().unwrap_or(u16::MAX),
        slots: fds.try_into().unwrap_or(u16::MAX),
    };
    let mut message = Vec::with_capacity(288);
    message.extend_from_slice(&header.encode());
    message.append(&mut body);
    message
}

impl Early {
    /// Ends and reaps it, also where its cgroups, of which `release` takes it out, are frozen.
    pub(crate) fn end(mut self, release: &dyn Fn(Killed)) {
        if let Some(begun) = self.begun.take() {
            // It runs nobody's code, and nobody waits for it who could be told.
            let _ = ending::end_anywhere(&begun.process, Some(release));
        }
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        if let Some(begun) = &self.begun {
            // Whoever drops it has an error to tell, or another process to start.
            let _ = ending::end(&begun.process);
        }
    }
}
