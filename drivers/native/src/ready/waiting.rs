//! First processes that wait: each in cgroups and a pid namespace of its own, before it is said what it will be.

use crate::cgroup::waiting;
use crate::cgroup::{Cgroup, Manager};
use crate::facts::{HostFacts, Standing, ThreadStanding};
use crate::launch::{Early, Killed};
use crate::state::{CgroupRecord, ProcessId};
use nix::unistd::gettid;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long what is left in a cgroup may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it is good for: containers in the driver's own parent cgroup, with the same controllers, asked for by a thread of the same
/// standing on the same host. In a parent of the caller's it would be in the caller's way, who may want to remove that.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// Controllers of version 2.
    pub(crate) needed: Vec<String>,
    pub(crate) facts: Arc<HostFacts>,
    pub(crate) standing: Standing,
}

impl PartialEq for Post {
    fn eq(&self, other: &Self) -> bool {
        // Mostly all starts share them.
        (Arc::ptr_eq(&self.facts, &other.facts) || self.facts == other.facts)
            && self.needed == other.needed
            && self.standing == other.standing
    }
}

/// One, or what is left of it when its container has ended: its cgroups. Dropped, both go.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// `None`: its container has it, or had it.
    early: Option<Early>,
    cgroup: Option<Cgroup>,
    /// Whose child it is: a process that was forked off that one ends and removes nothing.
    host: u32,
}

impl Waiting {
    /// The cgroups of a container that has ended.
    pub(super) fn ended(cgroup: Cgroup) -> Self {
        Self {
            early: None,
            cgroup: Some(cgroup),
            host: std::process::id(),
        }
    }

    /// Whether it is there still.
    pub(crate) fn waits(&self) -> bool {
        self.early.as_ref().is_some_and(Early::waits)
    }

    /// Its cgroups, for a container's record.
    pub(crate) fn record(&self) -> Option<CgroupRecord> {
        self.cgroup.as_ref().map(Cgroup::record)
    }

    /// Its process and its cgroups, which are the caller's from here on.
    pub(crate) fn part(mut self) -> (Option<Early>, Option<Cgroup>) {
        (self.early.take(), self.cgroup.take())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.host != std::process::id() {
            self.early.iter_mut().for_each(Early::forget);
            return;
        }
        let cgroup = self.cgroup.take();
        // In this order: a cgroup goes when nobody is in it.
        if let Some(early) = self.early.take() {
            early.end(&|killed| {
                if let (Some(cgroup), Killed::Process(pid)) = (&cgroup, killed) {
                    cgroup.release_killed(|one| one == pid);
                }
            });
        }
        if let Some(cgroup) = cgroup {
            // A later driver's pool removes what stays.
            let _ = cgroup.destroy(PATIENCE);
        }
    }
}

/// What the thread hands down that makes them, as it was when it made the last one.
pub(super) type Known = Arc<Mutex<Option<ThreadStanding>>>;

/// Who makes them, on one thread.
#[derive(Debug)]
pub(super) struct Posting {
    known: Known,
    own: ProcessId,
    /// Numbers its cgroups.
    count: u64,
    /// Nothing of ended host programs is left.
    swept: bool,
}

impl Posting {
    /// On the calling thread, whose standing `known` tells the others from the first that it makes.
    pub(super) fn open(known: Known) -> Option<Self> {
        Some(Self {
            known,
            own: ProcessId::own().ok()?,
            count: 0,
            swept: false,
        })
    }

    /// Makes one; `None` where it cannot be made now.
    pub(super) fn make(&mut self, post: &Post) -> Option<Waiting> {
        // What this thread hands down is what the caller's would have.
        if self.standing(post)? != post.standing {
            return None;
        }
        self.count += 1;
        let place = waiting::place(&self.own, gettid().as_raw(), self.count).ok()?;
        let hierarchies = &post.facts.cgroups;
        if !std::mem::replace(&mut self.swept, true) {
            waiting::sweep(hierarchies, &place);
        }
        let cgroup = Manager::Cgroupfs.create(hierarchies, &place, &post.needed);
        let mut waiting = Waiting::ended(cgroup.ok()?);
        waiting.begin()?;
        // It may have changed in between, and back.
        (self.standing(post)? == post.standing).then_some(waiting)
    }

    fn standing(&self, post: &Post) -> Option<Standing> {
        let own = Standing::of_this_thread(post.facts.has_labels())?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(own.thread.clone());
        Some(own)
    }
}

impl Waiting {
    fn begin(&mut self) -> Option<()> {
        let cgroup = self.cgroup.as_ref()?;
        if cgroup.is_frozen() {
            // The clone, or the process, would sleep until somebody thaws the parent.
            return None;
        }
        let entries = cgroup.entry_files().ok()?;
        self.early = Early::begin(cgroup.unified_dir(), &entries).ok()?;
        self.early.as_ref().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::CgroupPath;
    use crate::cgroup::Place;
    use crate::support::{Need, skip_unless, unique_id};
    use std::time::Instant;

    fn cgroup() -> (Cgroup, HostFacts) {
        let facts = HostFacts::read();
        let path = CgroupPath::new("/execdriver", &unique_id("waits")).unwrap();
        let place = Place::Directory(path.keeping_parents());
        let cgroup = Manager::Cgroupfs.create(&facts.cgroups, &place, &[]);
        (cgroup.unwrap(), facts)
    }

    fn is_there(record: &CgroupRecord) -> bool {
        let mut all = record.hierarchies.iter();
        all.any(|one| one.path.as_path().exists())
    }

    #[test]
    fn nobody_is_born_where_all_are_frozen() {
        if skip_unless(&[Need::Root, Need::Freezer]) {
            return;
        }
        let mut waiting = Waiting::ended(cgroup().0);
        waiting.cgroup.as_ref().unwrap().set_frozen(true).unwrap();
        assert!(waiting.begin().is_none());
        waiting.cgroup.as_ref().unwrap().set_frozen(false).unwrap();
        assert!(waiting.begin().is_some() && waiting.waits());
    }

    #[test]
    fn one_that_was_frozen_since_is_ended_all_the_same() {
        if skip_unless(&[Need::Root, Need::Freezer]) {
            return;
        }
        let mut waiting = Waiting::ended(cgroup().0);
        let record = waiting.record().unwrap();
        waiting.begin().unwrap();
        waiting.cgroup.as_ref().unwrap().set_frozen(true).unwrap();
        let begun = Instant::now();
        drop(waiting);
        assert!(begun.elapsed() < PATIENCE && !is_there(&record));
    }

    #[test]
    fn a_process_that_was_forked_off_the_host_leaves_the_hosts_alone() {
        if skip_unless(&[Need::Root]) {
            return;
        }
        let mut waiting = Waiting::ended(cgroup().0);
        let record = waiting.record().unwrap();
        waiting.host += 1;
        drop(waiting);
        assert!(is_there(&record));
        drop(Waiting::ended(Cgroup::open(&record).unwrap()));
        assert!(!is_there(&record));
    }
}
