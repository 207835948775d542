//! The processes of a running container, each held by a pidfd, and what an update changes in them.

use super::error;
use crate::cgroup::{Cgroup, Pids, pidns};
use crate::launch::{Process, ProcessDir, ProcfsError};
use crate::state::Record;
use crate::sys::rlimit::{self, Pair};
use execdriver_core::{Error, Result};
use nix::errno::Errno;
use std::collections::HashSet;

/// A process is only believed to be none that is new when a whole round finds no other. Far more
/// rounds than any program forks against.
const ROUNDS: usize = 32;

const SCORE: &str = "oom_score_adj";

/// What is to be changed in every process.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Linux's number of the limit, and the limit.
    pub(super) rlimits: Vec<(u32, Pair)>,
    pub(super) oom_score_adj: Option<i32>,
}

/// What was changed in one process.
#[derive(Debug)]
struct Undo {
    process: Process,
    rlimits: Vec<(u32, Pair)>,
    oom_score_adj: Option<String>,
}

/// What was changed in all of them.
#[derive(Debug, Default)]
struct Changes(Vec<Undo>);

impl Wanted {
    /// Changes every process, those included that are forked meanwhile: all or none.
    pub(super) fn apply(&self, record: &Record, cgroup: Option<&Cgroup>) -> Result<()> {
        let mut changes = Changes::default();
        if self.rlimits.is_empty() && self.oom_score_adj.is_none() {
            return Ok(());
        }
        let mut done = HashSet::new();
        for _ in 0..ROUNDS {
            let fresh = match members(record, cgroup, &done) {
                Ok(fresh) => fresh,
                Err(error) => return Err(changes.undone(error)),
            };
            if fresh.is_empty() {
                return Ok(());
            }
            for process in fresh {
                done.insert(process.pid());
                if let Err(error) = self.change(process, &mut changes) {
                    return Err(changes.undone(error));
                }
            }
        }
        let operation = format!(
            "update of the processes of {:?}, which forks all the time (pause it first)",
            record.id
        );
        Err(changes.undone(Error::Timeout { operation }))
    }

    /// Judges the limits before anything is changed: a hard limit that was lowered is not raised
    /// again without CAP_SYS_RESOURCE, so there may be no way back.
    pub(super) fn check(
        &self,
        record: &Record,
        cgroup: Option<&Cgroup>,
        raises: bool,
    ) -> Result<()> {
        if self.rlimits.is_empty() {
            return Ok(());
        }
        for process in members(record, cgroup, &HashSet::new())? {
            for (kind, (_, hard)) in &self.rlimits {
                match rlimit::get(process.pid(), *kind) {
                    Ok((_, now)) if now >= *hard || raises => {}
                    Ok(_) => return Err(refused_rlimit(*kind, process.pid(), Errno::EPERM)),
                    Err(Errno::ESRCH) => break,
                    Err(errno) => return Err(refused_rlimit(*kind, process.pid(), errno)),
                }
            }
        }
        Ok(())
    }

    fn change(&self, process: Process, changes: &mut Changes) -> Result<()> {
        let pid = process.pid();
        changes.0.push(Undo {
            process,
            rlimits: Vec::new(),
            oom_score_adj: None,
        });
        let Some(undo) = changes.0.last_mut() else {
            return Ok(());
        };
        if let Some(score) = self.oom_score_adj {
            set_score(undo, score)?;
        }
        for (kind, limit) in &self.rlimits {
            match rlimit::set(pid, *kind, *limit) {
                Ok(before) => undo.rlimits.push((*kind, before)),
                Err(Errno::ESRCH) => return Ok(()),
                Err(errno) => return Err(refused_rlimit(*kind, pid, errno)),
            }
        }
        Ok(())
    }
}

impl Changes {
    /// Brings everything back, as far as the processes are still there.
    fn undo(self) {
        for undo in self.0.into_iter().rev() {
            if undo.process.was_reaped() {
                continue;
            }
            for (kind, before) in undo.rlimits.iter().rev() {
                let _ = rlimit::set(undo.process.pid(), *kind, *before);
            }
            if let Some(before) = undo.oom_score_adj {
                let dir = ProcessDir::open(&undo.process);
                let _ = dir.map(|dir| dir.write(SCORE, &before));
            }
        }
    }

    fn undone(self, error: Error) -> Error {
        self.undo();
        error
    }
}

fn set_score(undo: &mut Undo, score: i32) -> Result<()> {
    let write = || {
        let dir = ProcessDir::open(&undo.process)?;
        let mut page = [0; 16];
        let before = dir.read(SCORE, &mut page)?;
        dir.write(SCORE, &score.to_string())?;
        Ok(String::from_utf8_lossy(before).trim().to_owned())
    };
    match write() {
        Ok(before) => {
            undo.oom_score_adj = Some(before);
            Ok(())
        }
        Err(
            ProcfsError::Process { .. }
            | ProcfsError::File {
                source: Errno::ESRCH,
                ..
            },
        ) => Ok(()),
        Err(ProcfsError::File {
            source: Errno::EACCES | Errno::EPERM,
            ..
        }) => {
            let reason = format!("got {score}: {}", error::LESS_OOM);
            Err(Error::invalid("resources.oom_score_adj", reason))
        }
        Err(other) => Err(error::driver("change oom_score_adj", other)),
    }
}

fn refused_rlimit(kind: u32, pid: i32, errno: Errno) -> Error {
    let name = execdriver_core::Rlimit::names()
        .get(usize::try_from(kind).unwrap_or(usize::MAX))
        .copied()
        .unwrap_or("?");
    let hint = match errno {
        Errno::EPERM => {
            " (raising a hard limit, or those of another user's process, needs CAP_SYS_RESOURCE)"
        }
        _ => "",
    };
    Error::invalid(
        "resources.rlimits",
        format!("{name} of process {pid}: {}{hint}", errno.desc()),
    )
}

/// The processes that are not in `done`. A pid is listed, opened, and listed again: if it is there
/// both times, the descriptor is of a process of the container, or of one that is gone.
fn members(record: &Record, cgroup: Option<&Cgroup>, done: &HashSet<i32>) -> Result<Vec<Process>> {
    let first = list(record, cgroup)?;
    if first.foreign > 0 {
        let operation = "update of processes outside of the host program's pid namespace";
        return Err(Error::unsupported(crate::NativeDriver::NAME, operation));
    }
    let numbers = first.pids.iter().filter_map(|pid| i32::try_from(*pid).ok());
    let fresh = numbers.filter(|pid| !done.contains(pid));
    let opened: Vec<Process> = fresh.filter_map(|pid| Process::open(pid).ok()).collect();
    let again = list(record, cgroup)?.pids;
    let still = |process: &Process| {
        u32::try_from(process.pid()).is_ok_and(|pid| again.binary_search(&pid).is_ok())
    };
    Ok(opened.into_iter().filter(still).collect())
}

fn list(record: &Record, cgroup: Option<&Cgroup>) -> Result<Pids> {
    if let Some(cgroup) = cgroup {
        return Ok(cgroup.pids()?);
    }
    let gone = || Error::NotRunning {
        id: record.id.to_string(),
    };
    let init = record.init.as_ref().ok_or_else(gone)?;
    match pidns::pids(init.pid) {
        Ok(pids) => Ok(pids),
        Err(Errno::ESRCH) => Err(gone()),
        Err(errno) => Err(error::driver("list the container's processes", errno)),
    }
}
