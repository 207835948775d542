//! The end of a launch: whether the program was executed, or init died in the attempt.

use core::time::Duration;
use std::time::Instant;

use super::channel::{Channel, ChannelError, Event, Limits};
use super::error::{LaunchError, StepFailure};
use super::process::Process;
use super::procfs::{ProcessDir, ProcfsError};
use crate::wire::{EARLY, INIT_NAME, Kind, Report};

/// How long an end of file may lag behind EXECUTING before /proc is asked whether the program runs.
const END_OF_FILE_GRACE: Duration = Duration::from_millis(20);
/// The same where init stays and the kernel does not list its children: a failure would have been reported by then.
const STAYING_INIT_GRACE: Duration = Duration::from_secs(5);

/// Init is about to execute the program.
pub(super) struct Execution<'a> {
    pub(super) channel: &'a Channel,
    pub(super) process: &'a Process,
    /// Device and inode of init's own program.
    pub(super) init: (u64, u64),
    /// See [`super::Launch::init_stays`].
    pub(super) init_stays: bool,
    /// See [`super::Launch::describe`].
    pub(super) describe: &'a dyn Fn(u32) -> String,
    pub(super) limits: Limits<'a>,
    /// Of `process`, once it was needed.
    pub(super) dir: Option<ProcessDir>,
}

impl Execution<'_> {
    /// After EXECUTING: the end of file tells that the exec closed the socket, or that init died in it; only a look at the
    /// process tells which.
    pub(super) fn see(mut self) -> Result<(), LaunchError> {
        let executing = Instant::now();
        loop {
            let patience = Instant::now() + END_OF_FILE_GRACE;
            let own = self.limits.deadline;
            let limits = Limits {
                deadline: Some(own.map_or(patience, |own| own.min(patience))),
                ..self.limits
            };
            match self.channel.next(self.process, limits) {
                Ok(Event::Report(report, _)) if report.kind == Kind::Failed => {
                    return Err(step_failed(self.describe, &report));
                }
                Ok(Event::Report(..)) => return Err(ChannelError::Malformed.into()),
                Ok(Event::Closed | Event::Ended) => return self.see_program(),
                // Another thread's fork may hold init's end of the socket for as long as it likes.
                Err(ChannelError::TimedOut) if !self.is_late() => {
                    let runs = match self.init_stays {
                        true => {
                            executing.elapsed() > STAYING_INIT_GRACE || self.child_runs_program()?
                        }
                        false => self.runs_program()? == Some(true),
                    };
                    if runs {
                        return self.last_word();
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The socket is closed: the exec succeeded, or a signal (of a seccomp filter that forbids execve) ended init in it.
    fn see_program(&mut self) -> Result<(), LaunchError> {
        if self.init_stays {
            return Ok(());
        }
        let mut ended = false;
        loop {
            match self.runs_program()? {
                Some(true) => return Ok(()),
                Some(false) if ended => return Err(LaunchError::EndedEarly { exit: None }),
                // Gone already, reaped by other code of the host: nobody can tell any more, and its status will.
                None => return Ok(()),
                Some(false) if self.is_late() => return Err(ChannelError::TimedOut.into()),
                Some(false) => {}
            }
            // It is between closing its descriptors and ending.
            let soon = Some(Instant::now() + Duration::from_micros(100));
            ended = self.process.wait_until(soon).unwrap_or(true);
        }
    }

    /// Whether the process executes something else than init; `None` when it has no directory in /proc any more.
    fn runs_program(&mut self) -> Result<Option<bool>, LaunchError> {
        let dir = match self
            .dir
            .take()
            .map_or_else(|| ProcessDir::open(self.process), Ok)
        {
            Err(ProcfsError::Process { .. }) => return Ok(None),
            other => other?,
        };
        let runs = match dir.program() {
            Ok(program) => Some(program != self.init),
            // A process that has ended has no program, but keeps the name that the exec gave it.
            Err(_) => dir
                .read("comm", &mut [0; 64])
                .ok()
                .map(|name| name.trim_ascii_end() != INIT_NAME.to_bytes()),
        };
        self.dir = Some(dir);
        Ok(runs)
    }

    /// The same of the child of an init that stays.
    fn child_runs_program(&mut self) -> Result<bool, LaunchError> {
        let program = match ProcessDir::open(self.process) {
            Err(ProcfsError::Process { .. }) => None,
            other => other?.child_program(),
        };
        Ok(program.is_some_and(|program| program != self.init))
    }

    /// A failure may have been reported between the last look at the socket and the one at the process.
    fn last_word(&self) -> Result<(), LaunchError> {
        match self.channel.receive()? {
            Some(Event::Report(report, _)) => Err(step_failed(self.describe, &report)),
            _ => Ok(()),
        }
    }

    fn is_late(&self) -> bool {
        self.limits
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// The operation that a report is about, in words.
pub(super) fn step_failed(describe: &dyn Fn(u32) -> String, report: &Report) -> LaunchError {
    let early = report.op & EARLY != 0 && report.op != u32::MAX;
    LaunchError::Step {
        index: report.op,
        words: match early {
            true => "enter its cgroups, before it was asked for".to_owned(),
            false => describe(report.op),
        },
        cause: StepFailure::of(report),
    }
}
