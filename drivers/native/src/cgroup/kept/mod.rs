//! What stays open of a container's cgroups between two uses of them: who asked twice will ask again.
//!
//! Of what the kernel does for a cgroup's file, opening it and closing it again is two thirds. Few containers have theirs kept,
//! and only those that were used again while they were among the last ones: to read, or to execute in, a thousand in turn keeps
//! nothing.

mod counters;
mod entrances;
mod places;

pub(crate) use counters::Counters;
pub(crate) use entrances::{Entrance, Entrances};

use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::RawFd;

/// What a driver keeps of the containers that were used last.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Of those that were read.
    pub(crate) counters: Counters,
    /// Of those in which something was executed.
    pub(crate) entrances: Entrances,
}

/// Dropped, it closes what is kept of a container: nobody uses it any more.
pub(crate) struct Forgetting<'a> {
    kept: &'a Kept,
    id: &'a str,
}

impl Kept {
    /// Of the last `most` containers, in each of the two ways.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            counters: Counters::new(most),
            entrances: Entrances::new(most),
        }
    }

    /// Closes what is kept of a container that has ended.
    pub(crate) fn forget(&self, id: &str) {
        self.counters.forget(id);
        self.entrances.forget(id);
    }

    /// The same when the value is dropped, whatever happens before.
    pub(crate) fn forgetting<'a>(&'a self, id: &'a str) -> Forgetting<'a> {
        Forgetting { kept: self, id }
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
