//! CRIU at work: the program, the socket, its notices and its answer.

use super::error::CriuError;
use super::log;
use super::message::{Kind, Reply, Request, acknowledge, question};
use super::started::{Root, Start, Started};
use crate::sys::scm;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The largest answer: CRIU's own are of some hundred bytes.
const ANSWER: usize = 64 << 10;

/// The program of a host on which it can be run.
#[derive(Debug)]
pub(crate) struct Criu {
    program: PathBuf,
}

/// CRIU as it waits for a request.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    criu: &'a Criu,
    // Closed before the process is waited for.
    socket: OwnedFd,
    started: Started,
}

impl Criu {
    /// Asks the program who it is.
    ///
    /// # Errors
    /// It cannot be run, or is too old.
    pub(crate) fn find(program: &Path) -> Result<Self, CriuError> {
        let criu = Self {
            program: program.to_owned(),
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
        let check = Command::new(&self.program)
            .arg("check")
            .stdin(Stdio::null())
            .output();
        let output = check.ok().filter(|output| !output.status.success())?;
        let said = String::from_utf8_lossy(&output.stderr);
        let cause = log::cause(&said);
        Some(cause.unwrap_or_else(|| said.trim().lines().last().unwrap_or("no reason").to_owned()))
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
    /// CRIU is told to give up, and the failure is the result.
    pub(crate) fn carry_out<E: From<CriuError>>(
        mut self,
        (request, kind, log): (&Request, Kind, &Path),
        mut notice: impl FnMut(&str, Option<i32>, Option<OwnedFd>) -> Result<(), E>,
    ) -> Result<Reply, E> {
        self.send(&request.encode(kind))?;
        let mut failed = None;
        loop {
            let (reply, descriptor) = self.receive()?;
            let Some(name) = &reply.notice else {
                return match (failed, reply.success) {
                    (Some(error), _) => Err(error),
                    (None, true) => Ok(reply),
                    (None, false) => Err(self.criu.explain(&reply, log).into()),
                };
            };
            let done = notice(name, reply.pid, descriptor);
            self.send(&acknowledge(done.is_ok()))?;
            failed = failed.or(done.err());
        }
    }

    fn ask(mut self, question: &[u8]) -> Result<Reply, CriuError> {
        self.send(question)?;
        Ok(self.receive()?.0)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), CriuError> {
        let sent = scm::send(self.socket.as_fd(), &[IoSlice::new(bytes)], &[]);
        sent.map(drop).map_err(|errno| self.mute(errno.desc()))
    }

    fn receive(&mut self) -> Result<(Reply, Option<OwnedFd>), CriuError> {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        while let Err(errno) = poll(&mut fds, PollTimeout::NONE) {
            if errno != Errno::EINTR {
                return Err(CriuError::system("wait for CRIU")(errno));
            }
        }
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

    fn mute(&self, said: &str) -> CriuError {
        let said = self.criu.unfit().unwrap_or_else(|| said.to_owned());
        let program = self.criu.program.clone();
        CriuError::Mute { program, said }
    }
}
