//! A launch under way: answers init's reports until the payload runs, or ends and reaps whatever was started.

use core::time::Duration;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::write;

use super::channel::{Channel, ChannelError, Event, Limits, Outgoing};
use super::early::Begun;
use super::error::LaunchError;
use super::executed::{Execution, step_failed};
use super::idmap;
use super::memfd::Program;
use super::process::{Exit, Process};
use super::procfs::ProcessDir;
use super::{Launch, Started, ending};
use crate::sys::pidfd;
use crate::wire::{Kind, Report};

/// How long others may have to wait for a process to enter its cgroups.
const ENTER_PATIENCE: Duration = Duration::from_secs(1);

/// Dropped before it finished, by an error or a panic of a callback, it ends and reaps what it started.
pub(super) struct Attempt<'a> {
    launch: Launch<'a>,
    program: Arc<Program>,
    channel: Channel,
    process: Arc<Process>,
    /// Whether the process still is this attempt's to end.
    owned: bool,
    in_cgroup: bool,
    prepared: bool,
    /// The process that goes on is known. It is in the container's pid namespace, so that what it says from here on may be
    /// the container's, which is to name no process of the host's for its own.
    followed: bool,
    /// Of `process`, once it was needed.
    dir: Option<ProcessDir>,
    terminal: Option<OwnedFd>,
}

impl<'a> Attempt<'a> {
    /// Takes charge of a process that was started.
    pub(super) fn new(begun: Begun, launch: Launch<'a>) -> Self {
        Attempt {
            launch,
            program: begun.program,
            channel: begun.channel,
            process: begun.process,
            in_cgroup: begun.in_cgroup,
            owned: true,
            prepared: false,
            followed: false,
            dir: None,
            terminal: None,
        }
    }

    /// Goes all the way.
    pub(super) fn run(mut self, outgoing: Outgoing) -> Result<Started, LaunchError> {
        match self.drive(outgoing) {
            Ok(()) => {
                self.owned = false;
                Ok(Started {
                    process: Arc::clone(&self.process),
                    terminal: self.terminal.take(),
                })
            }
            Err(error) => Err(self.give_up(error)),
        }
    }

    fn drive(&mut self, outgoing: Outgoing) -> Result<(), LaunchError> {
        let limits = self.launch.limits;
        self.channel.send(outgoing, &self.process, limits)?;
        if self.launch.go_ahead {
            self.prepare()?;
        }
        let mut next = self.first();
        loop {
            match next? {
                Event::Report(report, fd) => match report.kind {
                    Kind::Ns => self.prepare()?,
                    Kind::Forked => self.follow(&report, fd)?,
                    Kind::Terminal if self.terminal.is_none() => {
                        self.terminal = Some(fd.ok_or(ChannelError::Malformed)?);
                    }
                    Kind::Terminal => return Err(ChannelError::Malformed.into()),
                    Kind::Listener => self.listen(fd)?,
                    Kind::Failed => return Err(step_failed(self.launch.describe, &report)),
                    Kind::Held if self.launch.hold => return self.check_prepared(),
                    Kind::Executing if !self.launch.hold => return self.executed(),
                    Kind::Held | Kind::Executing | Kind::Offered => {
                        return Err(ChannelError::Malformed.into());
                    }
                    Kind::Mounted => self.mounted()?,
                },
                Event::Closed | Event::Ended => return Err(LaunchError::EndedEarly { exit: None }),
            }
            next = self.channel.next(&self.process, limits);
        }
    }

    /// What init says first: it has entered its cgroups by then. Whoever froze them meanwhile makes it late.
    fn first(&mut self) -> Result<Event, ChannelError> {
        let limits = self.launch.limits;
        let Some(entered) = self.launch.entered.take() else {
            return self.channel.next(&self.process, limits);
        };
        let patience = Instant::now() + ENTER_PATIENCE;
        let deadline = limits.deadline.map_or(patience, |own| own.min(patience));
        let soon = Limits {
            deadline: Some(deadline),
            ..limits
        };
        let first = self.channel.next(&self.process, soon);
        entered();
        match first {
            Err(ChannelError::TimedOut) => self.channel.next(&self.process, limits),
            other => other,
        }
    }

    /// Init waits in its new namespaces: does what only the parent can do, lets PreStart run, and lets init go on.
    fn prepare(&mut self) -> Result<(), LaunchError> {
        if self.prepared {
            return Err(ChannelError::Malformed.into());
        }
        self.prepared = true;
        let (maps, oom) = (self.launch.id_maps, self.launch.oom_score_adj);
        if maps.is_some() || oom.is_some() {
            self.dir = Some(ProcessDir::open(&self.process)?);
        }
        if let (Some(dir), Some(maps)) = (&self.dir, maps) {
            idmap::write(dir, self.process.pid(), maps)?;
        }
        self.place()?;
        if let (Some(dir), Some(value)) = (&self.dir, oom) {
            let written = dir.write("oom_score_adj", &value.to_string());
            written.map_err(|source| LaunchError::OomScore { value, source })?;
        }
        if let Some(pre_start) = &mut self.launch.pre_start {
            pre_start(&self.process).map_err(LaunchError::PreStart)?;
        }
        Ok(self.channel.go()?)
    }

    /// Init waits before the container's root: what is done now sees the container's files and is not in it.
    fn mounted(&mut self) -> Result<(), LaunchError> {
        // Once, so that nobody is let go on by it who waits for something else.
        let callback = self.launch.mounted.take().ok_or(ChannelError::Malformed)?;
        callback(&self.process).map_err(LaunchError::PreStart)?;
        Ok(self.channel.go()?)
    }

    fn place(&mut self) -> Result<(), LaunchError> {
        if self.launch.go_ahead && self.launch.cgroup.is_some() && !self.in_cgroup {
            // Its cgroup namespace may exist by now, with another cgroup for its root.
            return Err(LaunchError::DidNotWait);
        }
        self.move_to_cgroup()?;
        match &mut self.launch.place {
            Some(place) => place(&self.process).map_err(LaunchError::Place),
            None => Ok(()),
        }
    }

    fn move_to_cgroup(&mut self) -> Result<(), LaunchError> {
        let Some(cgroup) = self.launch.cgroup.filter(|_| !self.in_cgroup) else {
            return Ok(());
        };
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let moved = openat(cgroup, c"cgroup.procs", flags, Mode::empty())
            .and_then(|procs| write(&procs, self.process.pid().to_string().as_bytes()));
        moved.map_err(|errno| LaunchError::Place(errno.into()))?;
        self.in_cgroup = true;
        Ok(())
    }

    /// The first process has cloned the one that goes on, and ends.
    fn follow(&mut self, report: &Report, pidfd: Option<OwnedFd>) -> Result<(), LaunchError> {
        if std::mem::replace(&mut self.followed, true) {
            return Err(ChannelError::Malformed.into());
        }
        let second = Self::second(report, pidfd)?;
        let first = std::mem::replace(&mut self.process, Arc::new(second));
        self.dir = None;
        // From here on the second process is the one that is ended on failure; the first ends by itself. It is not waited for
        // while the second could go on.
        let going = self.let_follow().and_then(|()| self.known());
        let ended = self.end(&first);
        // What is left is worse than why.
        ended.and(going)
    }

    fn known(&mut self) -> Result<(), LaunchError> {
        match self.launch.known.take() {
            Some(known) => known(&self.process).map_err(LaunchError::Place),
            None => Ok(()),
        }
    }

    fn let_follow(&mut self) -> Result<(), LaunchError> {
        if !self.prepared {
            // Without a clone3(2) on this thread it is not in its cgroup yet, and it waits as the first would have.
            self.move_to_cgroup()?;
            self.check_prepared()?;
        }
        // It is the one that records and hooks are to name. The cgroup it has from the first.
        if let Some(place) = &mut self.launch.place {
            place(&self.process).map_err(LaunchError::Place)?;
        }
        Ok(self.channel.go()?)
    }

    /// The process that a record is about. Its pid is enough when no descriptor came: it is our child and not reaped.
    fn second(report: &Report, pidfd: Option<OwnedFd>) -> Result<Process, LaunchError> {
        let pid = i32::try_from(report.value).map_err(|_| ChannelError::Malformed)?;
        let pidfd = pidfd.map_or_else(|| pidfd::open(pid), Ok);
        let pidfd = pidfd.map_err(|source| ChannelError::Socket {
            verb: "open the second process of",
            source,
        })?;
        Ok(Process::child(pidfd, pid))
    }

    /// The filter is in force and waits for answers.
    fn listen(&mut self, listener: Option<OwnedFd>) -> Result<(), LaunchError> {
        let (Some(listener), Some(callback)) = (listener, &mut self.launch.listener) else {
            return Err(ChannelError::Malformed.into());
        };
        callback(&self.process, listener).map_err(LaunchError::Listener)?;
        Ok(self.channel.go()?)
    }

    fn check_prepared(&self) -> Result<(), LaunchError> {
        match self.must_wait() && !self.prepared {
            true => Err(LaunchError::DidNotWait),
            false => Ok(()),
        }
    }

    fn executed(&mut self) -> Result<(), LaunchError> {
        self.check_prepared()?;
        self.known()?;
        let execution = Execution {
            channel: &self.channel,
            process: &self.process,
            init: self.program.identity(),
            init_stays: self.launch.init_stays,
            describe: self.launch.describe,
            limits: self.launch.limits,
            dir: self.dir.take(),
        };
        execution.see()
    }

    fn must_wait(&self) -> bool {
        let launch = &self.launch;
        let placed = launch.place.is_none() && (launch.cgroup.is_none() || self.in_cgroup);
        !placed
            || launch.id_maps.is_some()
            || launch.oom_score_adj.is_some()
            || launch.pre_start.is_some()
    }

    /// Ends everything that was started and says what is left, if anything.
    fn give_up(&mut self, error: LaunchError) -> LaunchError {
        self.owned = false;
        let pid = self.process.pid();
        match self.end_all() {
            Err(_) => LaunchError::Left {
                pid,
                source: Box::new(error),
            },
            Ok(exit) => match error {
                LaunchError::EndedEarly { .. } => LaunchError::EndedEarly { exit },
                error => error,
            },
        }
    }

    fn end_all(&self) -> Result<Option<Exit>, LaunchError> {
        let exit = self.end(&self.process)?;
        ending::end_group(self.process.pid(), self.launch.release_killed)?;
        Ok(exit)
    }

    fn end(&self, process: &Process) -> Result<Option<Exit>, LaunchError> {
        ending::end_anywhere(process, self.launch.release_killed)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.owned {
            // A callback of the caller panics: what cannot be ended now cannot be reported either.
            let _ = self.end_all();
        }
    }
}
