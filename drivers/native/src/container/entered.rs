//! What an exec makes outside of processes: its record and, with limits of its own, its cgroup.

use super::error;
use super::made::{KILL_PATIENCE, signal_bit};
use super::update::no_cgroup;
use crate::cgroup::limits::{self, Available, Purpose};
use crate::cgroup::{Cgroup, Counters};
use crate::facts::HostFacts;
use crate::plan::PlanError;
use crate::state::{self, Entry, ExecRecord, LOCK_PATIENCE, ProcessId, TerminalRecord};
use execdriver_core::spec::{self, ExecSpec};
use execdriver_core::{Error, ExecRequest, Result};
use oci_spec::runtime::LinuxResources;

/// The traces of an exec on the host. Dropped, it kills what runs in the exec's own cgroup and
/// removes them.
pub(super) struct Entered<'a> {
    entry: &'a Entry,
    exec_id: &'a str,
    own: Option<Cgroup>,
    container: Option<&'a Cgroup>,
    cleaned: bool,
}

impl<'a> Entered<'a> {
    /// Takes the exec's id and makes its cgroup below the container's, with its limits in force.
    pub(super) fn enter(
        entry: &'a Entry,
        exec_id: &'a str,
        request: &ExecRequest,
        spec: &ExecSpec,
        container: Option<&'a Cgroup>,
        facts: &HostFacts,
    ) -> Result<Self> {
        let parent = ProcessId::own().map_err(error::setup("identify this process"))?;
        let command = spec.process.args().as_deref().unwrap_or_default();
        let mut record = ExecRecord::starting(exec_id, command, parent);
        record.tty = request.process.tty;
        entry.lock(LOCK_PATIENCE)?.create_exec(&record)?;
        let mut entered = Self {
            entry,
            exec_id,
            own: None,
            container,
            cleaned: false,
        };
        if let Some(resources) = &request.resources {
            entered.limit(&spec::limits(resources)?, facts)?;
        }
        Ok(entered)
    }

    fn limit(&mut self, asked: &LinuxResources, facts: &HostFacts) -> Result<()> {
        let nothing = LinuxResources::default();
        let settings = |have: &Available| {
            limits::settings(asked, &nothing, have, Purpose::Create).map_err(PlanError::from)
        };
        let Some(container) = self.container else {
            // Limits of setrlimit need no cgroup.
            return Ok(settings(&no_cgroup(facts)).map(drop)?);
        };
        let name = format!("exec-{}", self.exec_id);
        let own = container.create_below(&name, &limits::needed(asked))?;
        let own = self.own.insert(own);
        let recorded = own.record();
        let settings = settings(&own.available())?;
        own.limit(&settings)?;
        self.modify(|record| record.cgroup = Some(recorded))
    }

    /// Its own cgroup.
    pub(super) fn cgroup(&self) -> Option<&Cgroup> {
        self.own.as_ref()
    }

    /// Records the process.
    pub(super) fn record_process(&self, pid: u32, terminal: Option<TerminalRecord>) -> Result<()> {
        self.modify(|record| {
            record.process = ProcessId::of(pid).ok();
            record.terminal = terminal;
        })
    }

    fn modify(&self, change: impl FnOnce(&mut ExecRecord<'_>)) -> Result<()> {
        let locked = match self.entry.lock(LOCK_PATIENCE) {
            Ok(locked) => locked,
            // The container is gone already, and the process with it.
            Err(state::StateError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut record = locked.read_exec(self.exec_id)?;
        change(&mut record);
        Ok(locked.write_exec(&record)?)
    }

    /// Whether a driver sent `signal` to it, or killed its container.
    pub(super) fn was_sent(&self, signal: i32) -> bool {
        let bit = signal_bit(signal);
        let own = self.entry.read_exec(self.exec_id);
        own.is_ok_and(|record| record.signals & bit != 0)
    }

    /// Kills what its process has left in its cgroup, and gives what was counted there.
    pub(super) fn settle(&self) -> Result<Counters> {
        let Some(own) = &self.own else {
            return Ok(Counters::default());
        };
        self.kill(own)?;
        Ok(own.counters())
    }

    fn kill(&self, own: &Cgroup) -> Result<()> {
        match self.container {
            Some(container) => Ok(container.kill_below(own, KILL_PATIENCE)?),
            None => Ok(()),
        }
    }

    /// Adds kills for want of memory to the container's. Before the cgroup goes, so that whoever looks there first, and at the
    /// record then, sees them.
    fn hand_up(&self, oom_kills: u64) {
        if oom_kills > 0
            && let Ok(locked) = self.entry.lock(LOCK_PATIENCE)
        {
            // Without it the container's status is worth returning all the same.
            let _ = locked.modify(|record| record.exec_oom_kills += oom_kills);
        }
    }

    /// Removes everything; the first error, when something stays.
    pub(super) fn clean(mut self) -> Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.cleaned, true) {
            return Ok(());
        }
        let own = self.own.take();
        let removed = own.map_or(Ok(()), |own| {
            let killed = self.kill(&own);
            self.hand_up(own.uncounted_above());
            killed.and(own.destroy(KILL_PATIENCE).map_err(Error::from))
        });
        // The exec's id becomes free only after the cgroup of its name is gone.
        if let Ok(locked) = self.entry.lock(LOCK_PATIENCE) {
            // The container's own removal takes along what cannot be removed here.
            let _ = locked.remove_exec(self.exec_id);
        }
        removed
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // An earlier error, or a hook's panic, is on its way.
        let _ = self.remove();
    }
}
