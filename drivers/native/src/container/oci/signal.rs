//! `kill`, `pause`, `resume`: acting on a container's processes.

use super::{OciError, OciResult, Runtime, Status, state};
use crate::cgroup::Cgroup;
use crate::container::descriptors::first_process;
use crate::container::error;
use crate::container::made::KILL_PATIENCE;
use crate::launch::{Process, ProcessError};
use crate::state::Record;
use execdriver_core::Error;

impl Runtime {
    /// Sends a signal to the first process, or with `all` to every process of the container's cgroup, which may also be one
    /// whose first process is no more.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self, id: &str, signal: i32, all: bool) -> OciResult<()> {
        let (_, record) = self.load(id)?;
        if all {
            return signal_all(&record, signal);
        }
        if state::status(&record) == Status::Stopped {
            return Err(OciError::NotRunning);
        }
        let process = first_process(&record).ok_or(OciError::NotRunning)?;
        send(&process, signal)?;
        thaw_for_kill(&record, signal)
    }

    /// Lets every process stand still, also of a container that waits for `start`, which is refused then.
    ///
    /// # Errors
    /// It is stopped, or there is no freezer.
    pub fn pause(&self, id: &str) -> OciResult<()> {
        let (_, record) = self.load(id)?;
        match state::status(&record) {
            Status::Created | Status::Running => Ok(self.containers.pause(id)?),
            Status::Stopped => Err(OciError::NotRunning),
            status => Err(OciError::WrongState {
                verb: "pause",
                status,
            }),
        }
    }

    /// Lets a paused container go on.
    ///
    /// # Errors
    /// It is not paused.
    pub fn resume(&self, id: &str) -> OciResult<()> {
        let (_, record) = self.load(id)?;
        match state::status(&record) {
            Status::Paused => Ok(self.containers.unpause(id)?),
            status => Err(OciError::WrongState {
                verb: "resume",
                status,
            }),
        }
    }

    /// The processes of a container as the host sees them.
    ///
    /// # Errors
    /// It does not run.
    pub fn pids(&self, id: &str) -> OciResult<Vec<u32>> {
        let (_, record) = self.load(id)?;
        match state::status(&record) {
            Status::Stopped => Err(OciError::NotRunning),
            _ => Ok(self.containers.pids(id)?),
        }
    }
}

fn send(process: &Process, signal: i32) -> OciResult<()> {
    match process.signal(signal) {
        Ok(()) => Ok(()),
        Err(ProcessError::Ended { .. }) => Err(OciError::NotRunning),
        Err(other) => Err(error::driver(format!("send signal {signal}"), other).into()),
    }
}

fn signal_all(record: &Record, signal: i32) -> OciResult<()> {
    let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
    let Some(cgroup) = cgroup.map_err(Error::from)? else {
        return match first_process(record) {
            Some(process) => send(&process, signal),
            None => Ok(()),
        };
    };
    if signal == libc::SIGKILL {
        return Ok(cgroup.kill_all(KILL_PATIENCE).map_err(Error::from)?);
    }
    for pid in cgroup.pids().map_err(Error::from)?.pids {
        let process = i32::try_from(pid)
            .ok()
            .and_then(|pid| Process::open(pid).ok());
        // Opened first and looked for after: the descriptor is of a process of the container.
        let still = || cgroup.pids().is_ok_and(|pids| pids.pids.contains(&pid));
        if let Some(process) = process.filter(|_| still()) {
            let _ = process.signal(signal);
        }
    }
    Ok(())
}

/// A frozen process dies only when it is thawed.
fn thaw_for_kill(record: &Record, signal: i32) -> OciResult<()> {
    let (libc::SIGKILL, Some(recorded)) = (signal, &record.cgroup) else {
        return Ok(());
    };
    let cgroup = Cgroup::open(recorded).map_err(Error::from)?;
    if cgroup.is_frozen_anywhere() {
        cgroup.kill_all(KILL_PATIENCE).map_err(Error::from)?;
    }
    Ok(())
}
