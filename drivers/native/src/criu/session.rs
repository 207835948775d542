//! CRIU at work: the program, the socket, its notices and its answer.

use super::error::CriuError;
use super::log;
use super::message::{Kind, Reply, Request, acknowledge, question};
use super::started::{self, PATIENCE, Root, Start, Started};
use crate::sys::scm;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest answer: CRIU's own are of some hundred bytes.
const ANSWER: usize = 64 << 10;

/// A notice of ours: CRIU does not end by itself, and is about to be killed.
pub(crate) const ENDED: &str = "ended";
/// The last notice of a dump: everything is written, and the processes end or go on.
const WRITTEN: &str = "post-dump";

/// The program of a host on which it can be run.
#[derive(Debug)]
pub(crate) struct Criu {
    program: PathBuf,
    give_up: Option<Arc<OwnedFd>>,
}

/// CRIU as it waits for a request.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    criu: &'a Criu,
    // Closed before the process is waited for, which is killed when that does not end it.
    socket: OwnedFd,
    started: Started,
}

impl Criu {
    /// Asks the program who it is. It is given up, whatever it does, as soon as something can be read from `give_up`.
    ///
    /// # Errors
    /// It cannot be run, or is too old.
    pub(crate) fn find(program: &Path, give_up: Option<Arc<OwnedFd>>) -> Result<Self, CriuError> {
        let criu = Self {
            program: program.to_owned(),
            give_up,
        };
        let reply = criu
            .open(Default::default(), None)?
            .ask(&question(Kind::Version))?;
        let (major, minor, _) = reply.version;
        if (major, minor) < (3, 15) {
            let program = criu.program;
            return Err(CriuError::Old {
                program,
                major,
                minor,
            });
        }
        Ok(criu)
    }

    /// Whether it can tell which pages were written to since the last time.
    pub(crate) fn check_tracking(&self) -> Result<(), CriuError> {
        let reply = self
            .open(Default::default(), None)?
            .ask(&question(Kind::Features))?;
        match reply.success && reply.tracks_memory {
            true => Ok(()),
            false => Err(CriuError::NoTracking),
        }
    }

    /// Starts it. It keeps `kept` by their numbers, and is asked with the numbers of the directories.
    pub(crate) fn open(
        &self,
        (kept, directories): (Vec<OwnedFd>, Vec<PathBuf>),
        root: Option<&Root<'_>>,
    ) -> Result<Session<'_>, CriuError> {
        let kind = (AddressFamily::Unix, SockType::SeqPacket);
        let pair = socketpair(kind.0, kind.1, None, SockFlag::SOCK_CLOEXEC);
        let (socket, theirs) = pair.map_err(CriuError::system("make a socket for CRIU"))?;
        let start = Start {
            program: self.program.clone(),
            socket: theirs,
            kept,
            directories,
        };
        Ok(Session {
            criu: self,
            socket,
            started: start.run(root)?,
        })
    }

    /// Why it failed: what it says of this host, or the line of its log.
    fn explain(&self, reply: &Reply, log: &Path) -> CriuError {
        if let Some(said) = self.unfit() {
            let program = self.program.clone();
            return CriuError::Unfit { program, said };
        }
        let text = std::fs::read(log).unwrap_or_default();
        let cause = log::cause(&String::from_utf8_lossy(&text));
        let cause = cause.unwrap_or_else(|| match (reply.message.as_str(), reply.errno) {
            ("", 0) => "it gives no reason".to_owned(),
            ("", errno) => Errno::from_raw(errno.abs()).desc().to_lowercase(),
            (message, _) => message.to_owned(),
        });
        let log = log.to_owned();
        CriuError::Failed { cause, log }
    }

    /// What `criu check` says where it fails.
    fn unfit(&self) -> Option<String> {
        let (success, said) = started::check(&self.program)?;
        let said = String::from_utf8_lossy(&said);
        let last = || said.trim().lines().last().unwrap_or("no reason");
        (!success).then(|| log::cause(&said).unwrap_or_else(|| last().to_owned()))
    }
}

impl Session<'_> {
    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.started.pid()
    }

    /// The numbers of the directories.
    pub(crate) fn directories(&self) -> Vec<RawFd> {
        self.started.directories()
    }

    /// Has the request carried out. Each notice on the way goes to `notice`, with a descriptor if there is one; where it fails
    /// CRIU is told to give up, and the failure is the result. Where it is given up and goes on all the same, [`ENDED`] is told.
    pub(crate) fn carry_out<E: From<CriuError>>(
        mut self,
        (request, kind, log): (&Request, Kind, &Path),
        mut notice: impl FnMut(&str, Option<i32>, Option<OwnedFd>) -> Result<(), E>,
    ) -> Result<Reply, E> {
        self.send(&request.encode(kind))?;
        let (mut failed, mut written) = (None, false);
        loop {
            let received = self.receive(written);
            if let Err(CriuError::GivenUp | CriuError::GivenUpLate) = received {
                // One that is alive finds nobody at its next notice, and undoes what it did.
                let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
                self.started.end(&mut || drop(notice(ENDED, None, None)));
            }
            let (reply, descriptor) = received?;
            let Some(name) = &reply.notice else {
                return match (failed, reply.success) {
                    (Some(error), _) => Err(error),
                    (None, true) => Ok(reply),
                    (None, false) => Err(self.criu.explain(&reply, log).into()),
                };
            };
            let done = notice(name, reply.pid, descriptor);
            written = kind == Kind::Dump && name == WRITTEN && failed.is_none() && done.is_ok();
            self.send(&acknowledge(done.is_ok()))?;
            failed = failed.or(done.err());
        }
    }

    fn ask(mut self, question: &[u8]) -> Result<Reply, CriuError> {
        self.send(question)?;
        Ok(self.receive(false)?.0)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), CriuError> {
        let sent = scm::send(self.socket.as_fd(), &[IoSlice::new(bytes)], &[]);
        sent.map(drop).map_err(|errno| self.mute(errno.desc()))
    }

    fn receive(&mut self, written: bool) -> Result<(Reply, Option<OwnedFd>), CriuError> {
        self.await_word(written)?;
        let mut buffer = vec![0; ANSWER];
        match scm::receive(self.socket.as_fd(), &mut buffer) {
            Ok((0, _)) => Err(self.mute("it ended")),
            Ok((count, descriptor)) => match Reply::decode(&buffer[..count]) {
                Some(reply) => Ok((reply, descriptor)),
                None => Err(self.mute("what it sent is no answer")),
            },
            Err(errno) => Err(self.mute(errno.desc())),
        }
    }

    /// Waits until there is something to receive, or until it is to be given up: what is written is, if it says so in time.
    fn await_word(&self, written: bool) -> Result<(), CriuError> {
        let mut fds = vec![PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let give_up = self.criu.give_up.as_ref();
        fds.extend(give_up.map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        wait(&mut fds, PollTimeout::NONE)?;
        let given_up = fds.get(1).is_some_and(|fd| fd.any().unwrap_or(false));
        match (given_up, written) {
            (false, _) => Ok(()),
            (true, false) => Err(CriuError::GivenUp),
            (true, true) => match wait(&mut fds[..1], PATIENCE)? {
                0 => Err(CriuError::GivenUpLate),
                _ => Ok(()),
            },
        }
    }

    fn mute(&self, said: &str) -> CriuError {
        let said = self.criu.unfit().unwrap_or_else(|| said.to_owned());
        let program = self.criu.program.clone();
        CriuError::Mute { program, said }
    }
}

/// `poll` that goes on after a signal; how many descriptors are ready.
fn wait(fds: &mut [PollFd<'_>], most: impl Into<PollTimeout> + Copy) -> Result<i32, CriuError> {
    loop {
        match poll(fds, most) {
            Err(Errno::EINTR) => {}
            other => return other.map_err(CriuError::system("wait for CRIU")),
        }
    }
}
