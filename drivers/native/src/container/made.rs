//! What a run makes outside of processes: the state directory and the cgroup. Both go with it.

use super::error;
use super::traced::traces;
use crate::cgroup::devices::DevicePrograms;
use crate::cgroup::limits;
use crate::cgroup::{Cgroup, CgroupError, Counters, Manager, Place};
use crate::facts::HostFacts;
use crate::launch::Early;
use crate::plan::{CgroupPlan, Plan};
use crate::ready::Waiting;
use crate::state::{
    CgroupRecord, Entry, LOCK_PATIENCE, ProcessId, Record, StateError, Status, Store,
    TerminalRecord, Unread,
};
use execdriver_core::spec::ExecDefaults;
use execdriver_core::{Error, Result, Spec};
use std::cell::{Ref, RefCell};
use std::time::{Duration, Instant};

/// How long processes that were killed may take to be gone.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(10);

const WRITE_DOWN: &str = "write down what execs take over";

/// A container's traces on the host. Dropped, it kills what runs and removes them.
pub(super) struct Made {
    entry: Entry,
    cgroup: RefCell<Own>,
    /// Why there is no cgroup.
    pub(super) no_cgroup: String,
    /// The record as it was last written here: nothing of it is taken apart again while it is the one on disk.
    known: RefCell<Option<Box<Record>>>,
    cleaned: bool,
}

/// The container's own cgroup.
enum Own {
    None,
    Open(Cgroup),
    /// For a long wait: it holds no descriptor.
    Resting(CgroupRecord),
}

impl Made {
    /// Takes the id and, once it has that, the cgroups of a first process that waits in them.
    pub(super) fn begin_with(
        store: &Store,
        spec: &Spec,
        waiting: &mut Option<Waiting>,
    ) -> Result<(Self, Option<Early>)> {
        let mut record = starting(spec)?;
        record.cgroup = waiting.as_ref().and_then(Waiting::record);
        let (entry, locked) = store.create(&record)?;
        drop(locked);
        let (early, cgroup) = waiting.take().map(Waiting::part).unwrap_or_default();
        let made = Self {
            entry,
            cgroup: RefCell::new(cgroup.map_or(Own::None, Own::Open)),
            no_cgroup: String::new(),
            known: RefCell::new(Some(record)),
            cleaned: false,
        };
        Ok((made, early))
    }

    /// Takes the id and makes the cgroup.
    pub(super) fn begin(
        (store, manager): (&Store, &Manager),
        spec: &Spec,
        facts: &HostFacts,
    ) -> Result<Self> {
        let ordinary = !facts.is_root() || facts.user_namespaces.outer.is_some();
        let place = manager.place(&spec.cgroup_parent, &spec.id, ordinary)?;
        Self::begin_at((store, manager), &place, spec, facts, |_| {})
    }

    /// The same with the cgroup at this place, and more in the record.
    pub(super) fn begin_at(
        (store, manager): (&Store, &Manager),
        place: &Place,
        spec: &Spec,
        facts: &HostFacts,
        note: impl FnOnce(&mut Record),
    ) -> Result<Self> {
        let needed = spec.limits().map(limits::needed).unwrap_or_default();
        let mut record = starting(spec)?;
        note(&mut record);
        record.planned_cgroups = place.planned(&facts.cgroups);
        let (entry, locked) = store.create(&record)?;
        let mut made = Self {
            entry,
            cgroup: RefCell::new(Own::None),
            no_cgroup: String::new(),
            known: RefCell::new(None),
            cleaned: false,
        };
        let taken = match manager.create(&facts.cgroups, place, &needed) {
            Ok(cgroup) => {
                record.cgroup = Some(cgroup.record());
                record.planned_cgroups.clear();
                made.cgroup = RefCell::new(Own::Open(cgroup));
                locked.write(&record).map_err(Error::from)
            }
            Err(unavailable @ CgroupError::Unavailable { .. }) => {
                made.no_cgroup = unavailable.to_string();
                Ok(())
            }
            Err(other) => Err(other.into()),
        };
        // Before `made` goes, whose clean-up takes the lock itself.
        drop(locked);
        taken?;
        made.known = RefCell::new(Some(record));
        Ok(made)
    }

    /// The cgroup, or why there is none; until it rests.
    pub(super) fn cgroup(&self) -> Result<Ref<'_, Cgroup>, &str> {
        let open = Ref::filter_map(self.cgroup.borrow(), |own| match own {
            Own::Open(cgroup) => Some(cgroup),
            Own::None | Own::Resting(_) => None,
        });
        open.map_err(|_| self.no_cgroup.as_str())
    }

    /// Lets go of the cgroup's descriptors, ten of them on a host with version 1: the wait may take
    /// years, a host program has a thousand containers and a bound on descriptors, and on older kernels
    /// each start copies its table of them (`sys/spawn_child.rs`).
    pub(super) fn rest(&self) {
        self.known.take();
        let mut own = self.cgroup.borrow_mut();
        let record = match &*own {
            Own::Open(cgroup) => cgroup.rest(),
            Own::None | Own::Resting(_) => None,
        };
        if let Some(record) = record {
            *own = Own::Resting(record);
        }
    }

    /// Opens it again. Where the host has no descriptors left it waits for some, as what is left
    /// behind would be for good.
    fn wake(&self) -> Result<(), CgroupError> {
        let deadline = Instant::now() + KILL_PATIENCE;
        let mut own = self.cgroup.borrow_mut();
        let Own::Resting(record) = &*own else {
            return Ok(());
        };
        let cgroup = loop {
            match Cgroup::open(record) {
                Err(error) if error.is_exhausted() && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => break other?,
            }
        };
        *own = Own::Open(cgroup);
        Ok(())
    }

    /// Puts the plan's controls in force.
    pub(super) fn restrict(&self, plan: &CgroupPlan, programs: &DevicePrograms) -> Result<()> {
        let Ok(cgroup) = self.cgroup() else {
            return Ok(());
        };
        cgroup.limit(&plan.limits)?;
        if plan.device_rules.is_empty() {
            return Ok(());
        }
        Ok(cgroup.restrict_devices(&plan.device_rules, programs)?)
    }

    /// Records the first process and what an exec has to know of the plan, unless a kill has asked
    /// for the start to be given up.
    pub(super) fn record_init(&self, pid: i32, plan: &Plan) -> Result<()> {
        // Also the default one: an exec gets what its container got.
        let profile = plan.apparmor.as_deref();
        let defaults = profile.map(|profile| self.defaults_with(profile));
        let defaults = defaults.transpose()?.flatten();
        self.modify(|record| {
            let pid = u32::try_from(pid).ok();
            record.init = pid.and_then(|pid| ProcessId::child(&record.parent, pid).ok());
            record.namespaces = plan.foreign_namespaces();
            record.denies_setgroups = plan.denies_setgroups();
            if defaults.is_some() {
                record.defaults = defaults;
            }
        })
    }

    fn defaults_with(&self, apparmor: &str) -> Result<Option<Unread<ExecDefaults>>> {
        let Some(part) = self.entry.read()?.defaults else {
            return Ok(None);
        };
        let mut defaults = self.entry.part(&part)?;
        let profile = Some(apparmor.to_owned());
        defaults.process.set_apparmor_profile(profile);
        let part = Unread::of(&defaults).map_err(error::setup(WRITE_DOWN))?;
        Ok(Some(part))
    }

    /// Records that the program runs, and on which terminal.
    pub(super) fn record_running(&self, terminal: Option<TerminalRecord>) -> Result<()> {
        self.modify(|record| {
            record.status = Status::Running;
            record.terminal = terminal;
        })
    }

    /// Whether a kill has asked for the start to be given up.
    pub(super) fn aborted(&self) -> bool {
        self.entry.read().is_ok_and(|record| record.aborted)
    }

    /// Whether the start is given up: a kill asked for it, or a `terminate` has taken its record away.
    pub(super) fn given_up(&self) -> bool {
        match self.entry.read() {
            Ok(record) => record.aborted,
            Err(error) => matches!(error, StateError::NotFound { .. }),
        }
    }

    /// Whether this driver, in any process, sent `signal` to the first process.
    pub(super) fn was_sent(&self, signal: i32) -> bool {
        let bit = |record: Record| record.signals & signal_bit(signal) != 0;
        self.entry.read().is_ok_and(bit)
    }

    /// Its directory.
    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Leaves everything as it is: the container outlives whoever made it.
    pub(super) fn leave(mut self) {
        self.cleaned = true;
    }

    /// Changes the record.
    ///
    /// # Errors
    /// `Aborted` when the start is given up: a kill asked for it, or a `terminate` has taken the record away.
    pub(super) fn modify(&self, change: impl FnOnce(&mut Record)) -> Result<()> {
        let aborted = || Error::Aborted {
            id: self.entry.id().to_owned(),
        };
        let known = self.known.take();
        let locked = self.entry.lock(LOCK_PATIENCE);
        let changed = locked.and_then(|locked| locked.modify_known(known, change));
        let record = changed.map_err(|error| match error {
            // Only a terminate removes the record of a container whose starter lives.
            StateError::NotFound { .. } => aborted(),
            other => other.into(),
        })?;
        if record.aborted {
            return Err(aborted());
        }
        self.known.replace(Some(record));
        Ok(())
    }

    /// Kills whatever is in the cgroup.
    pub(super) fn kill_all(&self) -> Result<()> {
        self.wake()?;
        match self.cgroup() {
            Ok(cgroup) => Ok(cgroup.kill_all(KILL_PATIENCE)?),
            Err(_) => Ok(()),
        }
    }

    /// Ends a container whose first process was killed and cannot die, because it is frozen.
    pub(super) fn kill_frozen(&self) {
        // Whoever waits for the process goes on to wait, and `terminate` tries again.
        if self.wake().is_ok()
            && let Ok(cgroup) = self.cgroup()
            && cgroup.is_frozen_anywhere()
        {
            let _ = cgroup.kill_all(KILL_PATIENCE);
        }
    }

    /// What the kernel counted, in the cgroups of execs that are gone too.
    pub(super) fn counters(&self) -> Counters {
        // What cannot be opened is told by `clean`.
        let woken = self.wake().is_ok();
        let Some(cgroup) = self.cgroup().ok().filter(|_| woken) else {
            return Counters::default();
        };
        let mut counters = cgroup.counters();
        if counters.oom_kills == Some(0) {
            counters.oom_kills = self.exec_oom_kills().ok();
        }
        counters
    }

    fn exec_oom_kills(&self) -> Result<u64, StateError> {
        match &*self.known.borrow() {
            Some(known) if self.entry.holds(known)? => Ok(known.exec_oom_kills),
            _ => Ok(self.entry.read()?.exec_oom_kills),
        }
    }

    /// Ends and removes everything; the first error, when something stays.
    pub(super) fn clean(mut self) -> Result<()> {
        self.remove(Some)
    }

    /// The same where all processes have ended and the cgroups have no name of the id's: `later` may take them, to remove them
    /// when nobody waits.
    pub(super) fn clean_later(
        mut self,
        later: impl FnOnce(Cgroup) -> Option<Cgroup>,
    ) -> Result<()> {
        self.remove(later)
    }

    fn remove(&mut self, later: impl FnOnce(Cgroup) -> Option<Cgroup>) -> Result<()> {
        if std::mem::replace(&mut self.cleaned, true) {
            return Ok(());
        }
        let removed = self
            .wake()
            .and_then(|()| match self.cgroup.replace(Own::None) {
                Own::Open(cgroup) => match later(cgroup) {
                    Some(cgroup) => cgroup.destroy(KILL_PATIENCE),
                    None => Ok(()),
                },
                Own::None | Own::Resting(_) => Ok(()),
            });
        // The id becomes free only after the cgroup of its name is gone.
        let freed = match self.entry.lock(LOCK_PATIENCE) {
            Ok(locked) => locked.remove(),
            // Somebody cleaned it.
            Err(StateError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        removed.map_err(Error::from).and(freed.map_err(Error::from))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // A hook panicked or an earlier error is on its way: `clean` can be asked again.
        let _ = self.remove(Some);
    }
}

/// The bit of a signal in a record's set.
pub(super) fn signal_bit(signal: i32) -> u64 {
    u32::try_from(signal - 1)
        .ok()
        .and_then(|shift| 1u64.checked_shl(shift))
        .unwrap_or(0)
}

/// The record of a start, before anything is made for it.
fn starting(spec: &Spec) -> Result<Box<Record>> {
    let parent = ProcessId::own().map_err(error::setup("identify this process"))?;
    let mut record = Box::new(Record::starting(&spec.id, parent));
    describe(&mut record, spec).map_err(error::setup(WRITE_DOWN))?;
    Ok(record)
}

fn describe(record: &mut Record, spec: &Spec) -> serde_json::Result<()> {
    let process = spec.oci.process().as_ref();
    let args = process.and_then(|process| process.args().as_ref());
    record.command = args.into_iter().flatten().collect();
    record.traced = process.is_none_or(traces);
    if let Some(root) = spec.oci.root() {
        record.rootfs = root.path().to_string_lossy().into_owned();
    }
    record.defaults = Some(Unread::lent(&spec.lent_exec_defaults())?);
    if let Some(limits) = spec.limits().filter(|limits| limits::asks(limits)) {
        let mut limits = limits.clone();
        limits.set_devices(None);
        record.limits = Some(Unread::of(&limits)?);
    }
    Ok(())
}
