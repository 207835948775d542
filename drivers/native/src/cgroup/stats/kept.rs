//! Files of counters that stay open between two readings of a container: who asked twice will ask again.
//!
//! Of what the kernel does for a cgroup's file, opening it and closing it again is two thirds. Few containers have theirs kept,
//! and only those that were read again while they were among the last ones read: to read a thousand in turn keeps nothing.

use super::places::{Places, Turn};
use super::{Cgroup, CgroupError, Files, Usage};
use crate::state::CgroupRecord;
use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Instant;

/// What stays open of the containers that were read last.
#[derive(Debug)]
pub(crate) struct Kept(Places<Open>);

/// A container's cgroups, open, and the files in them that are.
#[derive(Debug)]
struct Open {
    of: CgroupRecord,
    cgroup: Cgroup,
    files: Files,
}

/// Dropped, it closes what is kept of a container: nothing is read of it any more.
pub(crate) struct Forgetting<'a> {
    kept: &'a Kept,
    id: &'a str,
}

impl Kept {
    /// Of the last `most` containers.
    pub(crate) const fn new(most: usize) -> Self {
        Self(Places::new(most))
    }

    /// One reading of the container `id`, whose cgroups are recorded so.
    pub(crate) fn read(
        &self,
        id: &str,
        recorded: &CgroupRecord,
        page_sizes: &[String],
    ) -> Result<Usage, CgroupError> {
        let turn = self.0.take(id, Instant::now());
        let keeps = !matches!(turn, Turn::Passes);
        let kept = match turn {
            Turn::Has(open) if open.of == *recorded => open.read(page_sizes),
            _ => None,
        };
        if let Some((usage, open)) = kept {
            self.0.give_back(id, Some(open));
            return Ok(usage);
        }
        let cgroup = Cgroup::open_counting(recorded)?;
        let mut files = Files::kept_below(if keeps { half_of_all() } else { 0 });
        let usage = cgroup.usage(&mut files, page_sizes);
        if let Some(errno) = files.exhausted() {
            let first = recorded.hierarchies.first();
            let path = first.map_or_else(PathBuf::new, |first| first.path.as_path().into());
            return Err(CgroupError::io("open all counters of", path)(errno));
        }
        if keeps {
            let of = recorded.clone();
            let open = Some(Box::new(Open { of, cgroup, files }));
            self.0
                .give_back(id, open.filter(|open| open.files.are_kept()));
        }
        Ok(usage)
    }

    /// Closes what is kept of a container that has ended.
    pub(crate) fn forget(&self, id: &str) {
        self.0.forget(id);
    }

    /// The same when the value is dropped, whatever happens before.
    pub(crate) fn forgetting<'a>(&'a self, id: &'a str) -> Forgetting<'a> {
        Forgetting { kept: self, id }
    }
}

impl Open {
    /// `None`: something is gone; what is there is told, as ever, by who looks for the first time.
    fn read(mut self: Box<Self>, page_sizes: &[String]) -> Option<(Usage, Box<Self>)> {
        let usage = self.cgroup.usage(&mut self.files, page_sizes);
        let whole = !self.files.are_lost() && self.files.exhausted().is_none();
        whole.then_some((usage, self))
    }
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.kept.forget(self.id);
    }
}

/// The other half of the descriptors that this process may have is for others.
fn half_of_all() -> RawFd {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    RawFd::try_from(limit / 2).unwrap_or(RawFd::MAX)
}
