//! Pause and unpause: every process of a container frozen, and let go on.
//!
//! The freezer is written under the entry's lock, so that nothing is born into a container that
//! is about to freeze, and waited for without it. Whether a container is paused is asked of the
//! freezer and recorded nowhere: it is true whoever froze it.

use super::{Containers, unless_ended};
use crate::NativeDriver;
use crate::cgroup::{Cgroup, CgroupError, Frozen};
use crate::state::{Entry, LOCK_PATIENCE, Liveness, Record, StateError, Status};
use execdriver_core::{Error, Result};
use std::time::{Duration, Instant};

/// How long the kernel may take. A process in uninterruptible sleep, for a disk or a network file
/// system, keeps a version 1 freezer from being done.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait between two looks: a freeze takes some 100 us.
const FIRST_NAP: Duration = Duration::from_micros(50);
const LAST_NAP: Duration = Duration::from_millis(10);

impl Containers {
    /// Freezes a container and returns when none of its processes runs. Frozen already is fine.
    pub(crate) fn pause(&self, id: &str) -> Result<()> {
        let container = self.freezable(id)?;
        match container.freeze(Instant::now() + PATIENCE) {
            // A cgroup without processes freezes at once, too.
            Ok(()) if container.record.liveness() == Liveness::Alive => Ok(()),
            Ok(()) => {
                // Its end waits for this.
                let _ = container.cgroup.set_frozen(false);
                Err(Error::NotRunning { id: id.to_owned() })
            }
            Err(error) => Err(unless_ended(&container.record, error)),
        }
    }

    /// Lets a container go on. One that runs is fine.
    pub(crate) fn unpause(&self, id: &str) -> Result<()> {
        let container = self.freezable(id)?;
        let thawed = container.thaw(Instant::now() + PATIENCE);
        thawed.map_err(|error| unless_ended(&container.record, error))
    }

    fn freezable(&self, id: &str) -> Result<Freezable> {
        let (entry, record) = self.live(id)?;
        // One that waits for its `start` has a first process that can stand still too.
        if record.status == Status::Starting {
            return Err(Error::NotRunning { id: id.to_owned() });
        }
        let cgroup = match &record.cgroup {
            Some(recorded) => {
                Cgroup::open(recorded).map_err(|error| unless_ended(&record, error.into()))?
            }
            None => return Err(self.unsupported("the container has no cgroup")),
        };
        if !cgroup.has_freezer() {
            let missing = self.unsupported("the container's cgroup has no freezer");
            return Err(unless_ended(&record, missing));
        }
        Ok(Freezable {
            entry,
            record,
            cgroup,
        })
    }

    fn unsupported(&self, reason: &str) -> Error {
        let facts = self.facts();
        let mend = crate::cgroup::mend(&facts.cgroups, facts.cgroup_access.read_only);
        Error::unsupported(NativeDriver::NAME, format!("pause: {reason} ({mend})"))
    }
}

/// A container that can be frozen.
struct Freezable {
    entry: Entry,
    record: Record,
    cgroup: Cgroup,
}

impl Freezable {
    fn freeze(&self, deadline: Instant) -> Result<()> {
        let mut nap = FIRST_NAP;
        let frozen = self.ask(true).and_then(|()| {
            loop {
                match self.cgroup.frozen() {
                    Frozen::Yes => return Ok(()),
                    _ if Instant::now() >= deadline => return Err(self.not_frozen()),
                    // Somebody let it go on meanwhile.
                    Frozen::No => {
                        self.ask(true)?;
                        nap = FIRST_NAP;
                    }
                    // After a while a process that was missed is asked again.
                    Frozen::NotYet if nap == LAST_NAP => self.ask(true)?,
                    Frozen::NotYet => {}
                }
                self.cgroup.wait_for_freezer(nap);
                nap = (nap * 2).min(LAST_NAP);
            }
        });
        if frozen.is_err() {
            // Half of a container that stands still is worse than one that runs.
            let _ = self.cgroup.set_frozen(false);
        }
        frozen
    }

    fn thaw(&self, deadline: Instant) -> Result<()> {
        self.ask(false)?;
        let mut nap = FIRST_NAP;
        while self.cgroup.is_frozen() {
            if self.cgroup.is_told_to_freeze() {
                // It went on, and somebody has paused it since.
                return Ok(());
            }
            if Instant::now() >= deadline {
                let operation = format!(
                    "unpause of container {:?}: still frozen after {PATIENCE:?}, for a parent of \
                     its cgroup is",
                    self.record.id
                );
                return Err(Error::Timeout { operation });
            }
            self.cgroup.wait_for_freezer(nap);
            nap = (nap * 2).min(LAST_NAP);
        }
        Ok(())
    }

    fn ask(&self, frozen: bool) -> Result<()> {
        let _locked = match self.entry.lock(LOCK_PATIENCE) {
            Ok(locked) => locked,
            Err(StateError::NotFound { .. }) => {
                let id = self.record.id.to_string();
                return Err(Error::NotRunning { id });
            }
            Err(error) => return Err(error.into()),
        };
        self.cgroup.set_frozen(frozen).map_err(CgroupError::into)
    }

    fn not_frozen(&self) -> Error {
        let operation = format!(
            "pause of container {:?}: not frozen after {PATIENCE:?}, so it was let go on (a process \
             of it waits in the kernel and cannot be interrupted)",
            self.record.id
        );
        Error::Timeout { operation }
    }
}
