//! What an exec makes outside of processes: its record and, with limits of its own, its cgroup.

use super::error;
use super::made::{KILL_PATIENCE, signal_bit};
use super::update::no_cgroup;
use crate::cgroup::limits::{self, Available, Purpose};
use crate::cgroup::{Cgroup, Counters};
use crate::facts::HostFacts;
use crate::plan::PlanError;
use crate::state::{
    Entry, ExecRecord, LOCK_PATIENCE, Locked, ProcessId, StateError, TerminalRecord, now_unix_ms,
};
use execdriver_core::spec::{ExecSpec, limits as limits_of};
use execdriver_core::{Error, ExecRequest, Result};
use oci_spec::runtime::LinuxResources;
use std::cell::Cell;

/// The traces of an exec on the host. Dropped, it kills what runs in the exec's own cgroup and
/// removes them.
pub(super) struct Entered<'a> {
    entry: &'a Entry,
    exec_id: &'a str,
    request: &'a ExecRequest,
    started_unix_ms: u64,
    parent: ProcessId,
    own: Option<Cgroup>,
    container: Option<&'a Cgroup>,
    recorded: Cell<bool>,
    cleaned: bool,
}

impl<'a> Entered<'a> {
    /// Where the exec has limits of its own it takes its id now and makes its cgroup below the container's, with them in force;
    /// else nothing has to be on record before it is launched.
    pub(super) fn enter(
        entry: &'a Entry,
        exec_id: &'a str,
        request: &'a ExecRequest,
        spec: &ExecSpec,
        container: Option<&'a Cgroup>,
        facts: &HostFacts,
    ) -> Result<Self> {
        let mut entered = Self {
            entry,
            exec_id,
            request,
            started_unix_ms: now_unix_ms(),
            parent: ProcessId::own().map_err(error::setup("identify this process"))?,
            own: None,
            container,
            recorded: Cell::new(false),
            cleaned: false,
        };
        if let Some(resources) = &request.resources {
            entered.take_id(&entry.lock(LOCK_PATIENCE)?, spec)?;
            entered.limit(&limits_of(resources)?, spec, facts)?;
        }
        Ok(entered)
    }

    /// Takes the exec's id, if that is not done: before its first process. One that was made up nobody else can have, and it is
    /// taken when the process is recorded, unless somebody may ask for it before.
    pub(super) fn take_id(&self, locked: &Locked, spec: &ExecSpec) -> Result<()> {
        if !self.recorded.get() {
            locked.create_exec(&self.record(spec)?)?;
            self.recorded.set(true);
        }
        Ok(())
    }

    /// Without its process.
    fn record<'r>(&'r self, spec: &'r ExecSpec) -> Result<ExecRecord<'r>> {
        let command = spec.process.args().as_deref().unwrap_or_default();
        let mut record = ExecRecord::starting(self.exec_id, command, self.parent.clone());
        record.started_unix_ms = self.started_unix_ms;
        record.tty = self.request.process.tty;
        record.cgroup = self.own.as_ref().map(Cgroup::record);
        Ok(record)
    }

    fn limit(&mut self, asked: &LinuxResources, spec: &ExecSpec, facts: &HostFacts) -> Result<()> {
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
        let settings = settings(&own.available())?;
        own.limit(&settings)?;
        self.write(&self.record(spec)?)
    }

    /// Its own cgroup.
    pub(super) fn cgroup(&self) -> Option<&Cgroup> {
        self.own.as_ref()
    }

    /// Records the process. Nobody else has written the record before: who would signal it does not know it yet.
    pub(super) fn record_process(&self, spec: &ExecSpec, pid: u32) -> Result<()> {
        let mut record = self.record(spec)?;
        record.process = ProcessId::child(&record.parent, pid).ok();
        self.write(&record)
    }

    /// Records its terminal.
    pub(super) fn record_terminal(&self, terminal: TerminalRecord) -> Result<()> {
        let Some(locked) = self.lock()? else {
            return Ok(());
        };
        let mut record = locked.read_exec(self.exec_id)?;
        record.terminal = Some(terminal);
        Ok(locked.write_exec(&record)?)
    }

    fn write(&self, record: &ExecRecord<'_>) -> Result<()> {
        let Some(locked) = self.lock()? else {
            return Ok(());
        };
        locked.write_exec(record)?;
        self.recorded.set(true);
        Ok(())
    }

    fn lock(&self) -> Result<Option<Locked>> {
        match self.entry.lock(LOCK_PATIENCE) {
            Ok(locked) => Ok(Some(locked)),
            // The container is gone already, and the process with it.
            Err(StateError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a driver sent `signal` to it.
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
        if self.recorded.get()
            && let Ok(locked) = self.entry.lock(LOCK_PATIENCE)
        {
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
