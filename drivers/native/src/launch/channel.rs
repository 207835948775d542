//! The parent's end of init's socket: the message out, the reports in, never blocked by a dead or deaf init.
//!
//! An end of file alone does not tell that init is gone: another thread's fork may hold a copy of init's end. So every wait
//! polls the process, too, and whatever init sent before it ended is read first.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::process::{Process, poll_until};
use crate::sys::scm;
use crate::wire::{FDS_PER_BATCH, GO, HEADER_LEN, REPORT_LEN, Report};

/// The parent's end.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
}

/// What came from init.
#[derive(Debug)]
pub(crate) enum Event {
    /// A record, with a descriptor or without.
    Report(Report, Option<OwnedFd>),
    /// The socket's other end is closed.
    Closed,
    /// The process has ended, and everything that it sent was read.
    Ended,
}

/// Why a wait was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// The socket itself failed.
    #[error("cannot {verb} the init process")]
    Socket {
        /// What was tried.
        verb: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// Not a record of this version.
    #[error("the init process sent a malformed report")]
    Malformed,
    /// The deadline came.
    #[error("the start took too long")]
    TimedOut,
    /// The caller's abort descriptor became readable.
    #[error("the start was aborted")]
    Aborted,
}

/// What ends a wait early.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits<'a> {
    /// Give up at this time.
    pub(crate) deadline: Option<Instant>,
    /// Give up when this becomes readable.
    pub(crate) abort: Option<BorrowedFd<'a>>,
}

/// A message on its way: header, body and descriptors in the batches that the wire format asks for.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    message: &'a [u8],
    fds: &'a [BorrowedFd<'a>],
    bytes_sent: usize,
    fds_sent: usize,
}

impl<'a> Outgoing<'a> {
    /// Header and body as one slice, and the descriptors that the header counts.
    pub(crate) fn new(message: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Self {
        Outgoing {
            message,
            fds,
            bytes_sent: 0,
            fds_sent: 0,
        }
    }

    fn is_sent(&self) -> bool {
        self.bytes_sent == self.message.len() && self.fds_sent == self.fds.len()
    }

    /// Sends the next piece; EAGAIN when the socket is full.
    fn send_some(&mut self, socket: BorrowedFd) -> Result<(), Errno> {
        let rest = self.message.get(self.bytes_sent..).unwrap_or_default();
        let batch = self.fds.get(self.fds_sent..).unwrap_or_default();
        let batch = batch.get(..FDS_PER_BATCH).unwrap_or(batch);
        let last_batch = self.fds_sent + batch.len() == self.fds.len();
        let in_header = self.bytes_sent < HEADER_LEN;
        if in_header && self.bytes_sent > 0 {
            let end = HEADER_LEN - self.bytes_sent;
            self.bytes_sent += scm::send(
                socket,
                &[IoSlice::new(rest.get(..end).unwrap_or(rest))],
                &[],
            )?;
        } else if in_header && !last_batch {
            self.bytes_sent += scm::send(
                socket,
                &[IoSlice::new(rest.get(..HEADER_LEN).unwrap_or(rest))],
                batch,
            )?;
            self.fds_sent += batch.len();
        } else if in_header || batch.is_empty() {
            self.bytes_sent += scm::send(socket, &[IoSlice::new(rest)], batch)?;
            self.fds_sent += batch.len();
        } else {
            scm::send(socket, &[IoSlice::new(&[0])], batch)?;
            self.fds_sent += batch.len();
        }
        Ok(())
    }
}

impl Channel {
    /// Makes the pair: ours, and the one that becomes init's descriptor 3.
    pub(crate) fn pair() -> Result<(Channel, OwnedFd), ChannelError> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::Stream,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .map_err(|source| ChannelError::Socket {
            verb: "make a socket for",
            source,
        })?;
        Ok((Channel { socket: ours }, theirs))
    }

    /// A connection to an init that listens.
    pub(crate) fn of(socket: OwnedFd) -> Channel {
        Channel { socket }
    }

    /// Sends what fits without waiting; true when all is sent. It may be called before init exists.
    pub(crate) fn send_ahead(&self, outgoing: &mut Outgoing) -> Result<bool, ChannelError> {
        while !outgoing.is_sent() {
            match outgoing.send_some(self.socket.as_fd()) {
                Ok(()) => {}
                Err(Errno::EAGAIN) => return Ok(false),
                // Init closed its end: what it has to say about that is in the reports.
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Ok(true),
                Err(source) => {
                    return Err(ChannelError::Socket {
                        verb: "send the plan to",
                        source,
                    });
                }
            }
        }
        Ok(true)
    }

    /// Sends the rest, waiting for init to read it. Ends early, without error, when init says or does something else first.
    pub(crate) fn send(
        &self,
        mut outgoing: Outgoing,
        process: &Process,
        limits: Limits,
    ) -> Result<(), ChannelError> {
        while !self.send_ahead(&mut outgoing)? {
            let ready = self.wait(PollFlags::POLLIN | PollFlags::POLLOUT, process, limits)?;
            if ready.readable || ready.ended {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lets init go on.
    pub(crate) fn go(&self) -> Result<(), ChannelError> {
        match scm::send(self.socket.as_fd(), &[IoSlice::new(&[GO])], &[]) {
            Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(source) => Err(ChannelError::Socket {
                verb: "release",
                source,
            }),
        }
    }

    /// Waits for the next record or the end; two system calls a record.
    pub(crate) fn next(&self, process: &Process, limits: Limits) -> Result<Event, ChannelError> {
        loop {
            let ready = self.wait(PollFlags::POLLIN, process, limits)?;
            match self.receive()? {
                Some(event) => return Ok(event),
                None if ready.ended => return Ok(Event::Ended),
                None => {}
            }
        }
    }

    /// The next record or the end if it is already there; `None` when nothing is.
    pub(crate) fn receive(&self) -> Result<Option<Event>, ChannelError> {
        let mut record = [0; REPORT_LEN];
        match scm::receive(self.socket.as_fd(), &mut record) {
            Err(Errno::EAGAIN) => Ok(None),
            Err(Errno::ECONNRESET) | Ok((0, _)) => Ok(Some(Event::Closed)),
            Ok((REPORT_LEN, fd)) => match Report::decode(&record) {
                Some(report) => Ok(Some(Event::Report(report, fd))),
                None => Err(ChannelError::Malformed),
            },
            Ok(_) => Err(ChannelError::Malformed),
            Err(source) => Err(ChannelError::Socket {
                verb: "read from",
                source,
            }),
        }
    }

    fn wait(
        &self,
        wanted: PollFlags,
        process: &Process,
        limits: Limits,
    ) -> Result<Ready, ChannelError> {
        let socket = PollFd::new(self.socket.as_fd(), wanted);
        let pidfd = PollFd::new(process.as_fd(), PollFlags::POLLIN);
        // poll(2) skips an entry without events' sake: the process stands in for a missing abort descriptor.
        let abort = match limits.abort {
            Some(abort) => PollFd::new(abort, PollFlags::POLLIN),
            None => PollFd::new(process.as_fd(), PollFlags::empty()),
        };
        let mut polled = [socket, pidfd, abort];
        let count =
            poll_until(&mut polled, limits.deadline).map_err(|source| ChannelError::Socket {
                verb: "wait for",
                source,
            })?;
        let [socket, pidfd, abort] =
            polled.map(|entry| entry.revents().unwrap_or(PollFlags::empty()));
        if limits.abort.is_some() && !abort.is_empty() {
            return Err(ChannelError::Aborted);
        }
        if count == 0 {
            return Err(ChannelError::TimedOut);
        }
        Ok(Ready {
            readable: socket.intersects(!PollFlags::POLLOUT),
            ended: !pidfd.is_empty(),
        })
    }
}

struct Ready {
    readable: bool,
    ended: bool,
}
