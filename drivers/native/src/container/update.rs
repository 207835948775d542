//! `update`: other limits for a container that runs, all of them or none.

use super::members::Wanted;
use super::{Containers, error, unless_ended};
use crate::cgroup::Cgroup;
use crate::cgroup::limits::{self, Available, Purpose};
use crate::facts::HostFacts;
use crate::plan::PlanError;
use crate::state::{Entry, LOCK_PATIENCE, Locked, Record, Status, Unread};
use execdriver_core::{Error, LinuxResources, Resources, Result, spec};
use oci_spec::runtime;

const SYS_RESOURCE: u64 = 1 << 24;

impl Containers {
    /// Changes the limits of a container. Its lock is held meanwhile, so that two updates do not mix.
    pub(crate) fn update(&self, id: &str, resources: &Resources) -> Result<()> {
        let asked = spec::limits(resources)?;
        let (entry, _) = self.live(id)?;
        let locked = entry.lock(LOCK_PATIENCE)?;
        let record = locked.read()?;
        // What it was may be over by the time that we had the lock.
        if record.status != Status::Running || record.liveness() != crate::state::Liveness::Alive {
            return Err(Error::NotRunning { id: id.to_owned() });
        }
        let facts = self.facts();
        let update = Update {
            entry: &entry,
            locked: &locked,
            asked,
            resources,
            facts: &facts,
            raises: facts.capabilities.permitted & SYS_RESOURCE != 0,
        };
        update
            .whole(&record)
            .map_err(|error| unless_ended(&record, error))
    }
}

struct Update<'a> {
    entry: &'a Entry,
    locked: &'a Locked,
    asked: runtime::LinuxResources,
    resources: &'a Resources,
    facts: &'a HostFacts,
    /// Whether the host program may raise hard limits.
    raises: bool,
}

impl Update<'_> {
    fn whole(&self, record: &Record) -> Result<()> {
        let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose()?;
        let cgroup = cgroup.as_ref();
        let have = cgroup.map_or_else(|| no_cgroup(self.facts), Cgroup::available);
        let before = record.limits.as_ref().map(|part| self.entry.part(part));
        let before = before.transpose()?.unwrap_or_default();
        let settings = limits::settings(&self.asked, &before, &have, Purpose::Update);
        let settings = settings.map_err(PlanError::from)?;
        let wanted = wanted(self.resources.linux.as_ref());
        wanted.check(record, cgroup, self.raises)?;
        let written = match cgroup {
            Some(cgroup) => Some((cgroup, cgroup.limit(&settings)?)),
            None => None,
        };
        let recorded = self.record(record, &before);
        // The processes come last: what is done to them cannot always be undone.
        let done = recorded.and_then(|()| wanted.apply(record, cgroup));
        done.inspect_err(|_| {
            // The update's own error is the one to report.
            let _ = self.locked.write(record);
            if let Some((cgroup, changed)) = written {
                cgroup.undo(changed);
            }
        })
    }

    /// What is in force now, for statistics, later updates and later execs.
    fn record(&self, record: &Record, before: &runtime::LinuxResources) -> Result<()> {
        let mut record = record.clone();
        let merged = limits::merged(before, &self.asked);
        let unwritten = error::setup("write the new limits down");
        let limits = limits::asks(&merged).then(|| Unread::of(&merged));
        record.limits = limits.transpose().map_err(unwritten)?;
        if let Some(part) = &mut record.defaults {
            let mut defaults = self.entry.part(part)?;
            defaults.update(self.resources)?;
            let unwritten = error::setup("write down what execs take over");
            *part = Unread::of(&defaults).map_err(unwritten)?;
        }
        Ok(self.locked.write(&record)?)
    }
}

/// What a container without a cgroup has for limits.
pub(super) fn no_cgroup(facts: &HostFacts) -> Available {
    let mend = crate::cgroup::mend(&facts.cgroups, facts.cgroup_access.read_only);
    Available {
        otherwise: format!(
            "it has none, since none could be made for it when it was started ({mend})"
        ),
        ..Available::default()
    }
}

fn wanted(linux: Option<&LinuxResources>) -> Wanted {
    let Some(linux) = linux else {
        return Wanted::default();
    };
    let rlimits = linux.rlimits.iter();
    Wanted {
        rlimits: rlimits
            .map(|limit| (limit.kind, (limit.soft, limit.hard)))
            .collect(),
        oom_score_adj: linux.oom_score_adj,
    }
}
