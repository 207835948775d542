//! Namespaces made ahead by a thread: each from the ones that it began in, to which it goes back.

use crate::sys::loopback;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{FsType, fstatfs};
use std::cell::Cell;
use std::os::fd::OwnedFd;

#[cfg(test)]
mod tests;

/// `NSFS_MAGIC` of linux/magic.h: the file system of namespaces.
const NSFS: FsType = FsType(0x6e73_6673);

/// Where a thread makes them.
pub(super) struct Workshop {
    network: Home,
    ipc: Home,
}

/// The thread's own namespace of a kind.
struct Home {
    kind: CloneFlags,
    path: &'static str,
    own: OwnedFd,
    /// The thread could not go back, and makes none in a namespace that is not the host's.
    lost: Cell<bool>,
}

impl Workshop {
    /// On the calling thread, which makes them from now on.
    pub(super) fn open() -> nix::Result<Self> {
        Ok(Self {
            network: Home::of(CloneFlags::CLONE_NEWNET, "/proc/thread-self/ns/net")?,
            ipc: Home::of(CloneFlags::CLONE_NEWIPC, "/proc/thread-self/ns/ipc")?,
        })
    }

    /// Whether it makes none any more.
    pub(super) fn is_lost(&self) -> bool {
        self.network.lost.get() || self.ipc.lost.get()
    }

    /// A network namespace with its loopback interface up.
    pub(super) fn network(&self) -> nix::Result<OwnedFd> {
        self.network.make(loopback::set_up)
    }

    /// A namespace of queues and shared memory.
    pub(super) fn ipc(&self) -> nix::Result<OwnedFd> {
        self.ipc.make(|| Ok(()))
    }
}

impl Home {
    fn of(kind: CloneFlags, path: &'static str) -> nix::Result<Self> {
        let own = open_namespace(path)?;
        Ok(Self {
            kind,
            path,
            own,
            lost: Cell::new(false),
        })
    }

    /// A new one. The thread goes back every time: what a new namespace inherits (`net.core.devconf_inherit_init_net`) is the
    /// host's to give, not that of the one before, which a container has by now; nor does it keep one longer than its container.
    fn make(&self, prepare: impl FnOnce() -> nix::Result<()>) -> nix::Result<OwnedFd> {
        if self.lost.get() {
            return Err(Errno::ESTALE);
        }
        unshare(self.kind)?;
        let made = prepare().and_then(|()| open_namespace(self.path));
        let back = setns(&self.own, self.kind);
        self.lost.set(back.is_err());
        let made = back.and(made)?;
        // The host's own is nothing that could be given by mistake, whatever /proc says.
        let (new, old) = (fstat(&made)?, fstat(&self.own)?);
        match (new.st_dev, new.st_ino) == (old.st_dev, old.st_ino) {
            true => Err(Errno::EINVAL),
            false => Ok(made),
        }
    }
}

fn open_namespace(path: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let own = open(path, flags, Mode::empty())?;
    match fstatfs(&own)?.filesystem_type() == NSFS {
        true => Ok(own),
        false => Err(Errno::EINVAL),
    }
}
