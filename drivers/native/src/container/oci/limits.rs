//! `update` and `events`: a container's limits, what it uses, and its want of memory.

use super::{OciError, OciResult, Runtime, Status, class, lock, state};
use crate::cgroup::limits::{self, Available, Purpose};
use crate::cgroup::stats::EventCounters;
use crate::cgroup::{Cgroup, OomWatch};
use crate::container::error::setup;
use crate::container::unless_ended;
use crate::container::update::no_cgroup;
use crate::plan::PlanError;
use crate::state::{Entry, Locked, Record, Unread};
use execdriver_core::{Error, ResourceStats};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use oci_spec::runtime::{LinuxIntelRdt, LinuxResources};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

impl Runtime {
    /// Changes limits, and with `class` the container's class of service; all of it or nothing. What is not named stays, and
    /// so does what is 0.
    ///
    /// # Errors
    /// It is stopped, or a limit cannot be had.
    pub fn update(
        &self,
        id: &str,
        asked: &LinuxResources,
        class: Option<&LinuxIntelRdt>,
    ) -> OciResult<()> {
        let (entry, _) = self.load(id)?;
        let locked = lock(&entry)?;
        let record = locked.read().map_err(Error::from)?;
        running(&record)?;
        let changed = class
            .map(|class| class::change(&record, class))
            .transpose()?;
        let no_cgroup = || no_cgroup(&self.containers.facts());
        let limited = limit(&entry, (&locked, &record), &named(asked), no_cgroup);
        if let (Err(_), Some(changed)) = (&limited, changed) {
            changed.undo();
        }
        limited
    }

    /// What the container has used so far.
    ///
    /// # Errors
    /// It is stopped.
    pub fn stats(&self, id: &str) -> OciResult<ResourceStats> {
        let (_, record) = self.load(id)?;
        running(&record)?;
        Ok(self.containers.stats(id)?)
    }

    /// What its cgroups count beside; none where it has none.
    ///
    /// # Errors
    /// It is stopped.
    pub fn event_counters(&self, id: &str) -> OciResult<Option<EventCounters>> {
        let (_, record) = self.load(id)?;
        running(&record)?;
        let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
        let cgroup = cgroup.map_err(|error| unless_ended(&record, error.into()))?;
        Ok(cgroup.map(|cgroup| cgroup.event_counters()))
    }

    /// Watches the container: each call of the result waits for want of memory, the end or the time.
    ///
    /// # Errors
    /// It is stopped.
    pub fn watch(&self, id: &str) -> OciResult<Watch> {
        let (_, record) = self.load(id)?;
        running(&record)?;
        let process = crate::container::descriptors::first_process(&record);
        let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
        let cgroup = cgroup.map_err(Error::from)?;
        Ok(Watch {
            process: process.ok_or(OciError::NotRunning)?,
            oom: cgroup.and_then(|cgroup| cgroup.watch_oom()),
        })
    }
}

/// A container under watch.
#[derive(Debug)]
pub struct Watch {
    process: crate::launch::Process,
    oom: Option<OomWatch>,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Watched {
    /// Memory was wanting in the container.
    OutOfMemory,
    /// Its first process has ended.
    Ended,
    /// The time is up.
    Nothing,
}

impl Watch {
    /// Waits, at most so long.
    ///
    /// # Errors
    /// The wait failed.
    pub fn wait(&mut self, patience: Duration) -> OciResult<Watched> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let process = PollFd::new(self.process.as_fd(), PollFlags::POLLIN);
            let oom = self.oom.as_ref().map(OomWatch::poll_fd);
            let mut fds: Vec<PollFd<'_>> = [process].into_iter().chain(oom).collect();
            match poll(&mut fds, timeout) {
                Ok(0) if left.is_zero() => return Ok(Watched::Nothing),
                Ok(0) | Err(Errno::EINTR) => continue,
                Err(errno) => {
                    let failed = crate::container::error::driver("watch the container", errno);
                    return Err(failed.into());
                }
                Ok(_) => {}
            }
            let ended = fds[0].any().unwrap_or(true);
            let told = fds.get(1).is_some_and(|fd| fd.any().unwrap_or(true));
            drop(fds);
            if told {
                match self.oom.as_mut().and_then(OomWatch::take) {
                    Some(notices) if notices.count > 0 => return Ok(Watched::OutOfMemory),
                    Some(_) => {}
                    None => self.oom = None,
                }
            }
            if ended {
                return Ok(Watched::Ended);
            }
        }
    }
}

/// Changes the limits of its cgroup, and writes them down.
fn limit(
    entry: &Entry,
    (locked, record): (&Locked, &Record),
    asked: &LinuxResources,
    no_cgroup: impl FnOnce() -> Available,
) -> OciResult<()> {
    let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
    let cgroup = cgroup.map_err(Error::from)?;
    let have = cgroup.as_ref().map_or_else(no_cgroup, Cgroup::available);
    let before = record.limits.as_ref().map(|part| entry.part(part));
    let before = before.transpose().map_err(Error::from)?;
    let before = before.unwrap_or_default();
    let settings = limits::settings(asked, &before, &have, Purpose::Update);
    let settings = settings.map_err(|error| Error::from(PlanError::from(error)))?;
    let Some(cgroup) = cgroup else {
        return Ok(());
    };
    let changed = cgroup.limit(&settings).map_err(Error::from)?;
    let merged = limits::merged(&before, asked);
    let merged = limits::asks(&merged).then(|| Unread::of(&merged));
    let written = match merged.transpose() {
        Ok(limits) => locked
            .modify(|record| record.limits = limits)
            .map_err(Error::from),
        Err(error) => Err(setup("write the new limits down")(error)),
    };
    if let Err(error) = written {
        cgroup.undo(changed);
        return Err(error.into());
    }
    Ok(())
}

fn running(record: &Record) -> OciResult<()> {
    match state::status(record) {
        Status::Stopped => Err(OciError::NotRunning),
        _ => Ok(()),
    }
}

/// What is asked for: clients write all fields, and 0 for what they leave alone.
fn named(asked: &LinuxResources) -> LinuxResources {
    let mut asked = asked.clone();
    // The rules of devices are decided once, when the container is made.
    asked.set_devices(None);
    if let Some(memory) = asked.memory_mut() {
        let some = |value: Option<i64>| value.filter(|value| *value != 0);
        let (limit, soft, swap) = (memory.limit(), memory.reservation(), memory.swap());
        memory
            .set_limit(some(limit))
            .set_reservation(some(soft))
            .set_swap(some(swap));
        #[allow(deprecated, reason = "clients still write it")]
        let kernel = (memory.kernel(), memory.kernel_tcp());
        #[allow(deprecated, reason = "clients still write it")]
        memory
            .set_kernel(some(kernel.0))
            .set_kernel_tcp(some(kernel.1));
    }
    if asked.pids().is_some_and(|pids| pids.limit() == 0) {
        asked.set_pids(None);
    }
    asked
}
