//! The host's end of a stream: a pipe or the terminal, non-blocking, waited for with a cancel.

use super::terminal::{Guard, Master};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something that happens once and stays so; a thread in `poll` sees it too.
pub(super) struct Event {
    happened: AtomicBool,
    fd: EventFd,
}

impl Event {
    pub(super) fn new() -> io::Result<Self> {
        let fd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let happened = AtomicBool::new(false);
        Ok(Self { happened, fd })
    }

    pub(super) fn happen(&self) {
        self.happened.store(true, Ordering::SeqCst);
        // It can only fail when the counter is full: then it is readable.
        let _ = self.fd.write(1);
    }

    pub(super) fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The host's end of a stream.
pub(super) enum End {
    Pipe(OwnedFd),
    Master(Arc<Master>),
}

/// An end that cannot be closed while this lives.
pub(super) enum Held<'a> {
    Pipe(BorrowedFd<'a>),
    Master(Guard<'a>),
}

impl Held<'_> {
    /// The descriptor; `None` when the terminal was closed.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pipe(fd) => Some(*fd),
            Self::Master(guard) => guard.fd(),
        }
    }

    /// What becomes readable when somebody wants to close the terminal.
    pub(super) fn hangup(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pipe(_) => None,
            Self::Master(guard) => guard.hangup(),
        }
    }
}

impl End {
    pub(super) fn hold(&self) -> Held<'_> {
        match self {
            Self::Pipe(fd) => Held::Pipe(fd.as_fd()),
            Self::Master(master) => Held::Master(master.hold()),
        }
    }

    /// Reads without blocking; 0 is the end of the stream, a closed terminal's included.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let held = self.hold();
        let Some(fd) = held.fd() else {
            return Ok(0);
        };
        match nix::unistd::read(fd, buffer) {
            // The last descriptor of the slave is closed and everything was read (pty(7)).
            Err(Errno::EIO) if matches!(self, Self::Master(_)) => Ok(0),
            result => Ok(result?),
        }
    }

    /// Writes without blocking; a process that is gone or takes no input is a broken pipe.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let held = self.hold();
        let Some(fd) = held.fd() else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match nix::unistd::write(fd, bytes) {
            Err(Errno::EIO) if matches!(self, Self::Master(_)) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            result => Ok(result?),
        }
    }

    /// Waits until a read or write may succeed, the terminal is closed or `cancel` happened.
    pub(super) fn wait(&self, events: PollFlags, cancel: &Event) -> io::Result<()> {
        let held = self.hold();
        match held.fd() {
            Some(fd) => wait(fd, events, &[Some(cancel.as_fd()), held.hangup()]),
            None => Ok(()),
        }
    }
}

/// Waits until `fd` has one of `events` or one of `others` is readable.
pub(super) fn wait(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    others: &[Option<BorrowedFd<'_>>],
) -> io::Result<()> {
    let mut fds = vec![PollFd::new(fd, events)];
    let others = others.iter().flatten();
    fds.extend(others.map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
