//! Network namespaces made ahead: a start takes a ready one instead of waiting until the kernel has made it.
//!
//! A thread of the driver makes them, each from the namespace that it began in, sets the loopback interface up and goes
//! back. Each is given out once, by its only descriptor, and never comes back: no container finds what another left.

use crate::stdio::SignalsBlocked;
use crate::sys::loopback;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{FsType, fstatfs};
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

#[cfg(test)]
mod tests;

/// The most that a driver keeps: each is some 100 KiB of the kernel's memory.
pub(crate) const MOST: usize = 64;

/// `NSFS_MAGIC` of linux/magic.h: the file system of namespaces.
const NSFS: FsType = FsType(0x6e73_6673);

/// Bytes of the thread's stack: it has a few frames.
const STACK: usize = 128 << 10;

/// Ready network namespaces. Dropped, it ends its thread and lets go of all.
pub(crate) struct NetPool {
    size: usize,
    shared: Arc<Shared>,
    maker: Mutex<Option<Maker>>,
}

struct Maker {
    thread: JoinHandle<()>,
    /// Whose thread it is: a process that was forked off this one has the value, but neither the thread nor, alone, the
    /// namespaces.
    process: u32,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: Vec<OwnedFd>,
    /// No more are to be made, or can be.
    closed: bool,
}

impl NetPool {
    /// Keeps up to `size`; 0 is none, and no thread.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size: size.min(MOST),
            shared: Arc::default(),
            maker: Mutex::default(),
        }
    }

    /// One that nobody else has or had, its loopback interface up; `None` when none is ready, and the container makes its
    /// own. The first call begins to make them.
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        if self.size == 0 || !self.begin() {
            return None;
        }
        let taken = self.shared.lock().ready.pop();
        self.shared.changed.notify_all();
        taken
    }

    /// Whether there is a thread, and it is this process's.
    fn begin(&self) -> bool {
        let process = std::process::id();
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(maker) = &*maker {
            return maker.process == process;
        }
        // Without a thread there is no pool: every container makes its own.
        let Ok(_signals) = SignalsBlocked::new() else {
            return false;
        };
        let (shared, size) = (Arc::clone(&self.shared), self.size);
        let thread = std::thread::Builder::new()
            .name("execdriver-net".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                // Whatever it was: nothing that a container needs, and `take` gives none from now on.
                let _ = make_all(&shared, size);
                shared.close();
            });
        *maker = thread.ok().map(|thread| Maker { thread, process });
        maker.is_some()
    }
}

impl Drop for NetPool {
    fn drop(&mut self) {
        let maker = self.maker.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(maker) = maker.take()
            && maker.process == std::process::id()
        {
            self.shared.close();
            // It ends when what it is making is made: milliseconds.
            let _ = maker.thread.join();
        }
    }
}

impl fmt::Debug for NetPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetPool").field("size", &self.size).finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until one is wanted; false when none ever will be.
    fn await_want(&self, size: usize) -> bool {
        let full = |state: &mut State| !state.closed && state.ready.len() >= size;
        let state = self.changed.wait_while(self.lock(), full);
        !state.unwrap_or_else(PoisonError::into_inner).closed
    }
}

fn make_all(shared: &Shared, size: usize) -> nix::Result<()> {
    let home = own()?;
    while shared.await_want(size) {
        let made = make(&home)?;
        shared.lock().ready.push(made);
    }
    Ok(())
}

/// A new one. The thread goes back every time: what a new namespace inherits (`net.core.devconf_inherit_init_net`) is the
/// host's to give, not that of the one before, which a container has by now; nor does it keep one longer than its container.
fn make(home: &OwnedFd) -> nix::Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let made = loopback::set_up().and_then(|()| own());
    setns(home, CloneFlags::CLONE_NEWNET)?;
    let made = made?;
    // The host's own network is nothing that could be given by mistake, whatever /proc says.
    let (new, old) = (fstat(&made)?, fstat(home)?);
    match (new.st_dev, new.st_ino) == (old.st_dev, old.st_ino) {
        true => Err(Errno::EINVAL),
        false => Ok(made),
    }
}

/// The network namespace of this thread.
fn own() -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let own = open("/proc/thread-self/ns/net", flags, Mode::empty())?;
    match fstatfs(&own)?.filesystem_type() == NSFS {
        true => Ok(own),
        false => Err(Errno::EINVAL),
    }
}
