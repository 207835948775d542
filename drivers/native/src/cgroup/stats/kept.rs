//! Files of counters that stay open between two readings of a container: who asked twice will ask again.
//!
//! Of what the kernel does for a cgroup's file, opening it and closing it again is two thirds. Few containers have theirs kept,
//! and only those that were read again while they were among the last ones read: to read a thousand in turn keeps nothing.

use super::{Cgroup, CgroupError, Files, Usage};
use crate::state::CgroupRecord;
use nix::sys::resource::{Resource, getrlimit};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who was not read for so long is not watched any more.
const IDLE: Duration = Duration::from_secs(60);

/// The containers that were read last, by their ids, the latest behind all others.
#[derive(Debug)]
pub(crate) struct Kept {
    most: usize,
    places: Mutex<Vec<Place>>,
}

#[derive(Debug)]
struct Place {
    id: String,
    read: Instant,
    /// Nothing after one reading, and while another one is under way.
    counters: Option<Counters>,
}

/// A container's cgroups, open, and the files in them that are.
#[derive(Debug)]
struct Counters {
    of: CgroupRecord,
    cgroup: Cgroup,
    files: Files,
}

impl Kept {
    /// For the last `most` containers.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            places: Mutex::default(),
        }
    }

    /// One reading of the container `id`, whose cgroups are recorded so.
    pub(crate) fn read(
        &self,
        id: &str,
        recorded: &CgroupRecord,
        page_sizes: &[String],
    ) -> Result<Usage, CgroupError> {
        let (again, kept) = self.take(id);
        if let Some(mut counters) = kept.filter(|kept| kept.of == *recorded) {
            let usage = counters.cgroup.usage(&mut counters.files, page_sizes);
            // Else it is told, as ever, by those that are there.
            if !counters.files.are_lost() {
                self.put(id, counters);
                return Ok(usage);
            }
        }
        let cgroup = Cgroup::open_counting(recorded)?;
        let mut files = Files::that(again);
        let usage = cgroup.usage(&mut files, page_sizes);
        if again && has_room_for(&files) {
            let of = recorded.clone();
            self.put(id, Counters { of, cgroup, files });
        }
        Ok(usage)
    }

    /// Closes what is kept of a container that has ended.
    pub(crate) fn forget(&self, id: &str) {
        let _closed_unlocked = {
            let mut places = self.places();
            let at = places.iter().position(|place| place.id == id);
            at.map(|at| places.remove(at))
        };
    }

    /// Moves a container behind all others: whether it was among them, and what was kept of it.
    fn take(&self, id: &str) -> (bool, Option<Counters>) {
        let now = Instant::now();
        let mut closed_unlocked = Vec::new();
        let mut places = self.places();
        let known = places.iter().position(|place| place.id == id);
        let known = known.map(|at| places.remove(at));
        let again = known.as_ref().is_some_and(|place| place.is_watched(now));
        let mut place = known.unwrap_or_else(|| Place::of(id, now));
        place.read = now;
        let counters = place.counters.take();
        closed_unlocked.extend(places.extract_if(.., |place| !place.is_watched(now)));
        places.push(place);
        let surplus = places.len().saturating_sub(self.most);
        closed_unlocked.extend(places.drain(..surplus));
        drop(places);
        (again, counters)
    }

    /// Leaves it to the next reading, unless the container has ended meanwhile or others have taken its place.
    fn put(&self, id: &str, counters: Counters) {
        let _closed_unlocked = {
            let mut places = self.places();
            let place = places.iter_mut().find(|place| place.id == id);
            match place {
                Some(place) => place.counters.replace(counters),
                None => Some(counters),
            }
        };
    }

    /// What is behind the lock is whole after a panic, too: nobody panics between two changes.
    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn of(id: &str, read: Instant) -> Self {
        Self {
            id: id.to_owned(),
            read,
            counters: None,
        }
    }

    fn is_watched(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.read) < IDLE
    }
}

/// Whether half of the descriptors that this process may have is left for others.
fn has_room_for(files: &Files) -> bool {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    u64::try_from(files.highest()).is_ok_and(|highest| highest < limit / 2)
}
