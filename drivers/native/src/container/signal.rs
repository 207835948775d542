//! Signals and window sizes for a container's first process or an exec.

use super::descriptors::{first_process, open_checked};
use super::made::signal_bit;
use super::{Containers, error};
use crate::at;
use crate::cgroup::Cgroup;
use crate::launch::{Process, ProcessError};
use crate::state::{Entry, LOCK_PATIENCE, Liveness, Record, StateError, Status, TerminalRecord};
use crate::sys::tty;
use execdriver_core::{ContainerId, Error, Result, Signal, Target, WindowSize};
use nix::errno::Errno;
use std::os::fd::AsFd;

impl Containers {
    /// Sends a signal. To a container that still starts it is a word to give the start up.
    pub(crate) fn kill(&self, target: &Target, signal: Signal) -> Result<()> {
        let (entry, record) = self.live(target.container())?;
        match target {
            Target::Exec { exec, .. } => kill_exec(&entry, &record, exec, signal),
            Target::Container(_) if record.status == Status::Starting => abort(&entry, signal),
            Target::Container(_) => kill_running(&entry, &record, signal),
        }
    }

    /// Tells a process that its window has this size.
    pub(crate) fn resize(&self, target: &Target, size: WindowSize) -> Result<()> {
        let (entry, record) = self.live(target.container())?;
        if let Some(terminal) = self.terminals.find(target) {
            return terminal.resize(size);
        }
        let (has_terminal, recorded) = match target {
            Target::Container(_) => {
                let defaults = record.defaults.as_ref();
                let defaults = defaults.map(|part| entry.part(part)).transpose()?;
                let has = defaults.and_then(|defaults| defaults.process.terminal());
                (has.unwrap_or(false), record.terminal)
            }
            Target::Exec { exec, .. } => {
                ContainerId::check(exec)?;
                let exec = entry.read_exec(exec)?;
                (exec.tty, exec.terminal)
            }
        };
        match recorded {
            Some(terminal) => resize_recorded(&record, &terminal, size),
            // It still starts; a size that goes nowhere must not look like one that was set.
            None if has_terminal => Err(Error::NotRunning {
                id: target.container().to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// Sets the size of a terminal that another process holds.
fn resize_recorded(record: &Record, terminal: &TerminalRecord, size: WindowSize) -> Result<()> {
    let gone = || Error::NotRunning {
        id: record.id.to_string(),
    };
    let init = record.init.as_ref().ok_or_else(gone)?;
    let failed = || format!("set the window size of {:?} to {size}", record.id);
    let set = terminal.open(init).and_then(|slave| {
        tty::set_window_size(slave.as_fd(), size.rows, size.columns).map_err(at::errno)
    });
    match set {
        // It was closed since, as it is at the end of its process; EIO is a hung-up terminal's.
        Err(Errno::ESRCH | Errno::ENOENT | Errno::ENXIO | Errno::EIO) => Err(gone()),
        set => set.map_err(|errno| error::driver(failed(), errno)),
    }
}

/// Whether the default action of a signal ends a process: signal(7).
fn is_fatal(signal: Signal) -> bool {
    const HARMLESS: [i32; 5] = [
        0,
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGURG,
        libc::SIGWINCH,
    ];
    !HARMLESS.contains(&signal.number())
}

/// Gives a start up: whoever starts it looks for the word when it records the first process, and
/// when that is recorded already it is killed.
fn abort(entry: &Entry, signal: Signal) -> Result<()> {
    if !is_fatal(signal) {
        return Ok(());
    }
    let record = entry.lock(LOCK_PATIENCE)?.modify(|record| {
        record.aborted = record.status == Status::Starting;
    })?;
    if !record.aborted {
        // The program began while we waited for the lock: the signal is its own matter now.
        return kill_running(entry, &record, signal);
    }
    match first_process(&record) {
        Some(process) => send(&process, Signal::KILL, entry.id()),
        None => Ok(()),
    }
}

/// Sends a signal to the first process of a container whose program runs.
fn kill_running(entry: &Entry, record: &Record, signal: Signal) -> Result<()> {
    let gone = || Error::NotRunning {
        id: record.id.to_string(),
    };
    // Opened before anything is written down: what is gone gets no note.
    let process = first_process(record).ok_or_else(gone)?;
    note(entry, signal)?;
    send(&process, signal, &record.id)?;
    thaw_for_kill(record, signal)
}

fn kill_exec(entry: &Entry, container: &Record, exec: &str, signal: Signal) -> Result<()> {
    ContainerId::check(exec)?;
    let gone = || Error::NotRunning {
        id: exec.to_owned(),
    };
    let record = entry.read_exec(exec)?;
    let id = record.process.as_ref().ok_or_else(gone)?;
    let process = open_checked(id).ok_or_else(gone)?;
    if is_fatal(signal) {
        let locked = entry.lock(LOCK_PATIENCE)?;
        let mut record = locked.read_exec(exec)?;
        record.signals |= signal_bit(signal.number());
        locked.write_exec(&record)?;
    }
    send(&process, signal, exec)?;
    let Some(recorded) = container.cgroup.as_ref().filter(|_| signal == Signal::KILL) else {
        return Ok(());
    };
    let all = Cgroup::open(recorded)?;
    // The container stays paused, and the exec dies nevertheless.
    all.release_killed(|pid| u32::try_from(pid) == Ok(id.pid));
    // With a cgroup of its own it goes with all that it has started.
    match &record.cgroup {
        Some(own) => Ok(all.kill_below(&Cgroup::open(own)?, super::made::KILL_PATIENCE)?),
        None => Ok(()),
    }
}

/// Writes down what was sent, so that the exit status can tell who ended the process.
fn note(entry: &Entry, signal: Signal) -> Result<()> {
    if is_fatal(signal) {
        let locked = match entry.lock(LOCK_PATIENCE) {
            // Whoever holds it may be stuck in the very container that is to be killed.
            Err(StateError::LockTimeout { .. }) if signal == Signal::KILL => return Ok(()),
            locked => locked?,
        };
        locked.modify(|record| record.signals |= signal_bit(signal.number()))?;
    }
    Ok(())
}

/// A frozen process dies only when it is thawed; the kill of everything in the cgroup does both.
fn thaw_for_kill(record: &Record, signal: Signal) -> Result<()> {
    let (Signal::KILL, Some(recorded)) = (signal, &record.cgroup) else {
        return Ok(());
    };
    let cgroup = Cgroup::open(recorded)?;
    if cgroup.is_frozen_anywhere() && record.liveness() == Liveness::Alive {
        cgroup.kill_all(super::made::KILL_PATIENCE)?;
    }
    Ok(())
}

fn send(process: &Process, signal: Signal, id: &str) -> Result<()> {
    match process.signal(signal.number()) {
        Ok(()) => Ok(()),
        Err(ProcessError::Ended { .. }) => Err(Error::NotRunning { id: id.to_owned() }),
        Err(other) => Err(error::driver(format!("send {signal} to {id}"), other)),
    }
}
