//! A user namespace for the sake of its maps alone: what mount_setattr(2) wants to map owners by.

use std::os::fd::{AsFd, OwnedFd};

use super::channel::Channel;
use super::ending::end;
use super::error::LaunchError;
use super::idmap::{self, IdMaps};
use super::memfd;
use super::process::Process;
use super::procfs::ProcessDir;
use super::slots::sharing_is_safe;
use crate::sys::spawn::{Spawn, spawn};

/// Makes one with these maps. Init is started in it, waits for a plan that never comes, and is ended: a process is what a
/// user namespace is made by, and none of the host's code should run in it.
pub(crate) fn id_namespace(maps: &IdMaps) -> Result<OwnedFd, LaunchError> {
    let program = memfd::init()?;
    let (channel, theirs) = Channel::pair()?;
    let spawned = spawn(&Spawn {
        program: program.file().as_fd(),
        socket: theirs.as_fd(),
        namespaces: libc::CLONE_NEWUSER as u64,
        share_descriptors: sharing_is_safe(),
        cgroup: None,
    })?;
    drop(theirs);
    let process = Process::child(spawned.pidfd, spawned.pid);
    let made = write(&process, maps);
    let ended = end(&process);
    drop(channel);
    let made = made?;
    ended?;
    Ok(made)
}

fn write(process: &Process, maps: &IdMaps) -> Result<OwnedFd, LaunchError> {
    let dir = ProcessDir::open(process)?;
    idmap::write(&dir, process.pid(), maps)?;
    Ok(dir.user_namespace()?)
}
