//! From the caller's pipes to a process's three descriptors, and the copying in between.
//!
//! ```text
//! prepare(pipes, tty) -> (ChildStdio, HostStdio)     before the launch
//! launch with ChildStdio::fds, then drop it           so that pipes can end
//! HostStdio::attach(id, master, cap) -> Console       once the program is executed
//! Console::wait(&[pidfd], deadline)                   copies captures while it waits
//! Console::finish(grace) -> Finished                  after the end of the process
//! ```
//!
//! What the process can be given directly it is given directly. A capture never blocks, so the
//! waiting thread fills it itself; only a caller's reader or writer, and an open file behind a
//! terminal, cost a thread.

mod caller;
mod console;
mod end;
mod error;
mod null;
mod pump;
mod signals;
mod terminal;
#[cfg(test)]
mod tests;
mod width;

pub(crate) use console::Console;
pub(crate) use error::StdioError;
pub(crate) use signals::SignalsBlocked;
pub(crate) use width::room;

use end::End;
use execdriver_core::console::Stream;
use execdriver_core::{Capture, Pipes, Stdio};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Gid, Uid, fchown};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

type Result<T, E = StdioError> = std::result::Result<T, E>;

/// The process's descriptors. Drop it as soon as the process has its own: an end that stays open
/// here keeps the other side from ever seeing the end of the stream.
#[derive(Debug)]
pub(crate) struct ChildStdio {
    /// `None` with a terminal.
    slots: Option<[Slot; 3]>,
}

#[derive(Debug)]
struct Slot {
    fd: Fd,
    /// A pipe that we made and nobody else knows: the user of the process is to own it, so that
    /// it can reopen `/dev/stdout`. What the caller gave keeps its owner (CVE-2016-9962's kin).
    ours: bool,
}

/// A descriptor of a slot; most are of one alone, and take no block of the allocator's.
#[derive(Debug)]
enum Fd {
    Own(OwnedFd),
    Shared(Arc<OwnedFd>),
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(fd) => fd.as_fd(),
            Self::Shared(fd) => fd.as_fd(),
        }
    }
}

impl ChildStdio {
    /// Standard input, output and error; `None` when the process gets a terminal instead.
    pub(crate) fn fds(&self) -> Option<[BorrowedFd<'_>; 3]> {
        self.slots
            .as_ref()
            .map(|s| [0, 1, 2].map(|n| s[n].fd.as_fd()))
    }

    /// Gives the pipes of ours to this user and group of the host: the root of a user namespace may
    /// hand on what belongs to an id of its own, and nothing else (user_namespaces(7)).
    pub(crate) fn give_to(&self, uid: u32, gid: u32) -> nix::Result<()> {
        let ours = self.slots.iter().flatten().filter(|slot| slot.ours);
        for slot in ours {
            fchown(&slot.fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(())
    }

    /// Bit n says that descriptor n is a pipe of ours, to be owned by the process's user.
    pub(crate) fn chown_mask(&self) -> u8 {
        let bit = |n: usize, slot: &Slot| u8::from(slot.ours) << n;
        self.slots
            .iter()
            .flatten()
            .enumerate()
            .fold(0, |mask, (n, slot)| mask | bit(n, slot))
    }
}

/// The host's side of the streams, before anything is copied. Dropping it closes everything.
pub(crate) struct HostStdio {
    stdin: Feed,
    stdout: Drain,
    stderr: Drain,
    /// What each pipe may be made to hold.
    room: usize,
}

impl HostStdio {
    /// Lets pipes grow, when their streams prove to be large, to what [`room`] says.
    pub(crate) fn with_room(mut self, room: usize) -> Self {
        self.room = room;
        self
    }

    /// Gives captures threads of their own: for when the waiting thread will be busy elsewhere, in
    /// a hook that may take long or look for the process's first words. Costs two threads at most.
    pub(crate) fn on_threads(self) -> Self {
        let thread = |drain| match drain {
            Drain::Capture(Some(capture), end) => Drain::Writer(Box::new(capture), end),
            Drain::Capture(None, end) => Drain::Writer(Box::new(io::sink()), end),
            other => other,
        };
        Self {
            stdin: self.stdin,
            stdout: thread(self.stdout),
            stderr: thread(self.stderr),
            room: self.room,
        }
    }
}

/// What becomes the process's input.
enum Feed {
    /// Nothing to copy.
    None,
    /// The caller's reader, into a pipe; without one, into the terminal.
    Reader(Box<dyn Read + Send>, Option<End>),
    /// An open file, into the terminal.
    File(File),
}

/// What becomes of an output.
enum Drain {
    /// Nothing to copy.
    None,
    /// Collected by the waiting thread; `None` collects nothing.
    Capture(Option<Capture>, Option<End>),
    /// The caller's writer.
    Writer(Box<dyn Write + Send>, Option<End>),
    /// An open file that the terminal is copied to.
    File(File),
}

/// Makes a process's descriptors, or with `tty` only remembers what its terminal is to be
/// connected to.
pub(crate) fn prepare(mut pipes: Pipes, tty: bool) -> Result<(ChildStdio, HostStdio)> {
    // First, before any descriptor of ours can take the number of one that is closed.
    inherit(&mut pipes)?;
    if tty {
        let host = HostStdio {
            stdin: feed(pipes.stdin),
            stdout: drain(pipes.stdout),
            stderr: Drain::None,
            room: width::DEFAULT,
        };
        return Ok((ChildStdio { slots: None }, host));
    }
    let mut null = null::Null::default();
    let shared = shared_capture(&pipes);
    let (stdin, feed) = child_input(pipes.stdin, &mut null)?;
    let (mut stdout, drain) = child_output(pipes.stdout, Stream::Stdout, &mut null)?;
    let (stderr, errors) = if shared {
        let second;
        (stdout, second) = stdout.doubled();
        (second, Drain::None)
    } else {
        child_output(pipes.stderr, Stream::Stderr, &mut null)?
    };
    let host = HostStdio {
        stdin: feed,
        stdout: drain,
        stderr: errors,
        room: width::DEFAULT,
    };
    let slots = Some([stdin, stdout, stderr]);
    Ok((ChildStdio { slots }, host))
}

/// Turns what is inherited into open files.
fn inherit(pipes: &mut Pipes) -> Result<()> {
    for (stdio, stream) in [
        (&mut pipes.stdin, Stream::Stdin),
        (&mut pipes.stdout, Stream::Stdout),
        (&mut pipes.stderr, Stream::Stderr),
    ] {
        if !matches!(stdio, Stdio::Inherit) {
            continue;
        }
        let copy = match stream {
            Stream::Stdin => io::stdin().as_fd().try_clone_to_owned(),
            Stream::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Stream::Stderr => io::stderr().as_fd().try_clone_to_owned(),
        };
        let copy = copy.map_err(|e| StdioError::new(format!("inherit {stream} of the host"), e))?;
        *stdio = Stdio::Fd(File::from(copy));
    }
    Ok(())
}

/// Two outputs into one capture go through one pipe, which keeps their order.
fn shared_capture(pipes: &Pipes) -> bool {
    match (&pipes.stdout, &pipes.stderr) {
        (Stdio::Capture(out), Stdio::Capture(err)) => out.is_same(err),
        _ => false,
    }
}

fn child_input(stdin: Stdio, null: &mut null::Null) -> Result<(Slot, Feed)> {
    match feed(stdin) {
        Feed::None => Ok((null.slot()?, Feed::None)),
        Feed::File(file) => Ok((Slot::given(file), Feed::None)),
        Feed::Reader(reader, _) => {
            let (theirs, ours) = pipe(Stream::Stdin)?;
            nonblocking(&ours, Stream::Stdin)?;
            Ok((
                Slot::made(theirs),
                Feed::Reader(reader, Some(End::Pipe(ours))),
            ))
        }
    }
}

fn child_output(output: Stdio, stream: Stream, null: &mut null::Null) -> Result<(Slot, Drain)> {
    let drain = drain(output);
    let made = match drain {
        Drain::None | Drain::Capture(None, _) => return Ok((null.slot()?, Drain::None)),
        Drain::File(file) => return Ok((Slot::given(file), Drain::None)),
        made => made,
    };
    let (ours, theirs) = pipe(stream)?;
    nonblocking(&ours, stream)?;
    let end = Some(End::Pipe(ours));
    let drain = match made {
        Drain::Capture(capture, _) => Drain::Capture(capture, end),
        Drain::Writer(writer, _) => Drain::Writer(writer, end),
        other => other,
    };
    Ok((Slot::made(theirs), drain))
}

fn feed(stdin: Stdio) -> Feed {
    match stdin {
        Stdio::Fd(file) => Feed::File(file),
        Stdio::Reader(reader) => Feed::Reader(reader, None),
        _ => Feed::None,
    }
}

fn drain(output: Stdio) -> Drain {
    match output {
        Stdio::Fd(file) => Drain::File(file),
        Stdio::Writer(writer) => Drain::Writer(writer, None),
        Stdio::Capture(capture) => Drain::Capture(Some(capture), None),
        _ => Drain::Capture(None, None),
    }
}

impl Slot {
    fn given(file: File) -> Self {
        Self {
            fd: Fd::Own(file.into()),
            ours: false,
        }
    }

    fn made(fd: OwnedFd) -> Self {
        Self {
            fd: Fd::Own(fd),
            ours: true,
        }
    }

    /// Two slots of this one's descriptor.
    fn doubled(self) -> (Self, Self) {
        let fd = match self.fd {
            Fd::Own(fd) => Arc::new(fd),
            Fd::Shared(fd) => fd,
        };
        let slot = |fd| Self {
            fd: Fd::Shared(fd),
            ours: self.ours,
        };
        (slot(Arc::clone(&fd)), slot(fd))
    }
}

fn pipe(stream: Stream) -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
        .map_err(|e| StdioError::new(format!("make a pipe for {stream}"), e.into()))
}

/// Only our end: a process does not expect its streams to be non-blocking.
fn nonblocking(fd: &OwnedFd, stream: Stream) -> Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map_err(|e| StdioError::new(format!("make {stream} non-blocking"), e.into()))?;
    Ok(())
}
