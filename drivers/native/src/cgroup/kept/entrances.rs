//! Cgroups that stay open between two execs in a container, with the files by which a process enters them.

use super::half_of_all;
use super::places::{Places, Turn};
use crate::at;
use crate::cgroup::{Cgroup, CgroupError, Member, Version};
use crate::state::CgroupRecord;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::uio::pread;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

/// What stays open of the containers in which something was executed last.
#[derive(Debug)]
pub(crate) struct Entrances(Places<Arc<Entrance>>);

/// A container's cgroups, open.
#[derive(Debug)]
pub(crate) struct Entrance {
    cgroup: Cgroup,
    kept: Option<Open>,
}

/// What of them is open for the execs to come, too.
#[derive(Debug)]
struct Open {
    of: CgroupRecord,
    /// See [`Cgroup::entry_files`].
    entries: Vec<OwnedFd>,
    /// A file in each of them, by which it is known to be there.
    watched: Vec<OwnedFd>,
}

impl Entrances {
    /// Of the last `most` containers.
    pub(super) const fn new(most: usize) -> Self {
        Self(Places::new(most))
    }

    /// The cgroups of the container `id`, which are recorded so.
    pub(crate) fn open(
        &self,
        id: &str,
        recorded: &CgroupRecord,
    ) -> Result<Arc<Entrance>, CgroupError> {
        let turn = self.0.take(id, Instant::now());
        let keeps = !matches!(turn, Turn::Passes);
        if let Turn::Has(entrance) = turn
            && entrance.leads_to(recorded)
        {
            // At once: of several execs at the same time each finds it.
            self.0.give_back(id, Some(Arc::clone(&entrance)));
            return Ok(entrance);
        }
        let opened = Cgroup::open(recorded);
        if keeps && opened.is_err() {
            self.0.give_back(id, None);
        }
        let cgroup = opened?;
        let bound = if keeps { half_of_all() } else { 0 };
        let kept = Open::of(&cgroup, recorded, bound);
        let entrance = Arc::new(Entrance { cgroup, kept });
        if keeps {
            let kept = entrance.kept.is_some().then(|| Arc::clone(&entrance));
            self.0.give_back(id, kept);
        }
        Ok(entrance)
    }

    /// Closes what is kept of a container, once nothing is executed in it.
    pub(crate) fn forget(&self, id: &str) {
        self.0.forget(id);
    }
}

impl Entrance {
    /// The cgroups.
    pub(crate) fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// What [`Cgroup::entry_files`] gives, where it is open already.
    pub(crate) fn entries(&self) -> Option<&[OwnedFd]> {
        self.kept.as_ref().map(|kept| kept.entries.as_slice())
    }

    /// Whether these are the cgroups, all of them still there.
    fn leads_to(&self, recorded: &CgroupRecord) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.of == *recorded && kept.is_there())
    }
}

impl Open {
    /// `None` where a descriptor is not below `bound`, something cannot be opened, or a cgroup is gone: who needs it will be told.
    fn of(cgroup: &Cgroup, recorded: &CgroupRecord, bound: RawFd) -> Option<Self> {
        let is_low = |fd: &OwnedFd| fd.as_raw_fd() < bound;
        let are_all = cgroup.members.len() == recorded.hierarchies.len();
        if !are_all || !cgroup.members.iter().all(|member| is_low(&member.dir)) {
            return None;
        }
        let entries = cgroup.entry_files().ok()?;
        let watched = cgroup.members.iter().map(watch).collect::<Option<_>>();
        let watched: Vec<OwnedFd> = watched?;
        let are_low = entries.iter().chain(&watched).all(is_low);
        are_low.then(|| Self {
            of: recorded.clone(),
            entries,
            watched,
        })
    }

    /// What was removed has an error pending, whatever is asked for: `kernfs_fop_poll` in fs/kernfs/file.c.
    fn is_there(&self) -> bool {
        let files = self.watched.iter();
        let mut asked: Vec<PollFd<'_>> = files
            .map(|file| PollFd::new(file.as_fd(), PollFlags::empty()))
            .collect();
        poll(&mut asked, PollTimeout::ZERO) == Ok(0)
    }
}

/// Opens a file that every cgroup has, that says something at any time and tells nobody of changes. It is read once: a file that
/// was not read yet has an event pending, too.
fn watch(member: &Member) -> Option<OwnedFd> {
    let name = match member.version {
        Version::V1 => "notify_on_release",
        Version::V2 => "cgroup.controllers",
    };
    let file = at::open_file(member.dir.as_fd(), OsStr::new(name), OFlag::O_RDONLY).ok()?;
    pread(&file, &mut [0], 0).ok().map(|_| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::Controllers;
    use crate::state::HierarchyRecord;

    #[test]
    fn who_fails_once_keeps_what_the_next_one_opens() {
        let entrances = Entrances::new(1);
        let open = |recorded: &CgroupRecord| entrances.open("a", recorded);
        let none = CgroupRecord::default();
        // No directory at all, and so no cgroup that is gone.
        let bad = CgroupRecord {
            hierarchies: vec![HierarchyRecord {
                version: 1,
                controllers: Controllers::from("pids"),
                path: "/proc/self/status".into(),
                dev: 0,
                ino: 0,
            }],
            ..CgroupRecord::default()
        };
        open(&none).unwrap();
        open(&bad).unwrap_err();
        let kept = open(&none).unwrap();
        assert!(Arc::ptr_eq(&kept, &open(&none).unwrap()));
        open(&bad).unwrap_err();
        open(&none).unwrap();
        assert!(!Arc::ptr_eq(&kept, &open(&none).unwrap()));
    }
}
