//! Who was used last, and what each use left for the next one: the rules of [`super::Kept`], whatever it is that is left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who was not read for so long is not expected any more: twice and a half the minute that monitors like.
const IDLE: Duration = Duration::from_secs(150);

/// The last ones read, by their ids, the latest behind all others. Nobody waits for a reading: what is left by one is taken out
/// by the next. What goes is dropped when the lock is open again.
#[derive(Debug)]
pub(super) struct Places<T> {
    most: usize,
    all: Mutex<VecDeque<Place<T>>>,
}

#[derive(Debug)]
struct Place<T> {
    id: String,
    read: Instant,
    left: Left<T>,
}

#[derive(Debug)]
enum Left<T> {
    Nothing,
    /// Somebody reads, who will leave it here.
    Taken,
    There(T),
}

/// What a reading begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<T> {
    /// Leaves nothing: it is the first, or another one is under way.
    Passes,
    /// The second of some: to be given back in any case, unless it fails.
    Keeps,
    /// One that finds what was left.
    Has(T),
}

impl<T> Places<T> {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            all: Mutex::new(VecDeque::new()),
        }
    }

    /// Begins a reading: `id` moves behind all others.
    pub(super) fn take(&self, id: &str, now: Instant) -> Turn<T> {
        if self.most == 0 {
            return Turn::Passes;
        }
        let mut place = Place::of(id, now);
        let mut gone = [const { None }; 2];
        let mut all = self.lock();
        let known = all.iter().rposition(|one| one.id == id);
        let known = known.and_then(|at| all.remove(at));
        let turn = match known {
            Some(known) if known.is_expected(now) => {
                let (turn, left) = match known.left {
                    Left::Nothing => (Turn::Keeps, Left::Taken),
                    Left::Taken => (Turn::Passes, Left::Taken),
                    Left::There(left) => (Turn::Has(left), Left::Taken),
                };
                place.left = left;
                turn
            }
            late => {
                gone[0] = late;
                Turn::Passes
            }
        };
        // In their order the idle ones are in front; the others go with the readings to come.
        let surplus = all.len() >= self.most;
        if surplus || all.front().is_some_and(|one| !one.is_expected(now)) {
            gone[1] = all.pop_front();
        }
        all.push_back(place);
        drop(all);
        drop(gone);
        turn
    }

    /// Ends a reading that was told to keep something, unless the place is gone meanwhile.
    pub(super) fn give_back(&self, id: &str, left: Option<T>) {
        let left = left.map_or(Left::Nothing, Left::There);
        let _gone = {
            let mut all = self.lock();
            match all.iter_mut().rfind(|one| one.id == id) {
                Some(place) => std::mem::replace(&mut place.left, left),
                None => left,
            }
        };
    }

    /// Drops what was left of `id`, and what is taken when it comes back, unless another use has begun meanwhile: what that finds
    /// it judges for itself.
    pub(crate) fn forget(&self, id: &str) {
        let _gone = {
            let mut all = self.lock();
            let at = all.iter().rposition(|one| one.id == id);
            at.and_then(|at| all.remove(at))
        };
    }

    /// What is behind the lock is whole after a panic, too: nobody panics between two changes.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Place<T>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Place<T> {
    fn of(id: &str, read: Instant) -> Self {
        Self {
            id: id.to_owned(),
            read,
            left: Left::Nothing,
        }
    }

    fn is_expected(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.read) < IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One reading that leaves `left` where it may.
    fn read(places: &Places<u8>, id: &str, now: Instant, left: u8) -> Turn<u8> {
        let turn = places.take(id, now);
        if turn != Turn::Passes {
            places.give_back(id, Some(left));
        }
        turn
    }

    #[test]
    fn the_second_reading_keeps_and_the_third_finds_it() {
        let (places, now) = (Places::new(2), Instant::now());
        assert_eq!(read(&places, "a", now, 1), Turn::Passes);
        assert_eq!(read(&places, "a", now, 2), Turn::Keeps);
        assert_eq!(read(&places, "a", now, 3), Turn::Has(2));
        assert_eq!(read(&places, "a", now, 4), Turn::Has(3));
    }

    #[test]
    fn others_take_the_place_of_who_was_read_longest_ago() {
        let (places, now) = (Places::new(2), Instant::now());
        for id in ["a", "a", "b", "b"] {
            read(&places, id, now, 7);
        }
        assert_eq!(read(&places, "a", now, 7), Turn::Has(7));
        assert_eq!(read(&places, "c", now, 7), Turn::Passes);
        assert_eq!(read(&places, "a", now, 7), Turn::Has(7));
        assert_eq!(read(&places, "b", now, 7), Turn::Passes);
        assert_eq!(places.lock().len(), 2);
    }

    #[test]
    fn who_are_read_by_turns_and_too_many_keep_nothing() {
        let now = Instant::now();
        for most in [0, 2] {
            let places = Places::new(most);
            for id in ["a", "b", "c", "a", "b", "c", "a", "b", "c"] {
                assert_eq!(read(&places, id, now, 7), Turn::Passes);
            }
        }
    }

    #[test]
    fn of_several_readings_at_once_one_keeps() {
        let (places, now) = (Places::new(2), Instant::now());
        read(&places, "a", now, 1);
        assert_eq!(places.take("a", now), Turn::Keeps);
        assert_eq!(places.take("a", now), Turn::Passes);
        places.give_back("a", Some(2));
        assert_eq!(places.take("a", now), Turn::Has(2));
        assert_eq!(places.take("a", now), Turn::Passes);
        places.give_back("a", None);
        assert_eq!(places.take("a", now), Turn::Keeps);
    }

    #[test]
    fn who_is_forgotten_while_it_is_read_leaves_nothing() {
        let (places, now) = (Places::new(2), Instant::now());
        read(&places, "a", now, 1);
        assert_eq!(places.take("a", now), Turn::Keeps);
        places.forget("a");
        places.give_back("a", Some(2));
        assert!(places.lock().is_empty());
        assert_eq!(places.take("a", now), Turn::Passes);
    }

    #[test]
    fn who_was_not_read_for_long_is_let_go() {
        let (places, now) = (Places::new(3), Instant::now());
        for id in ["a", "a", "b"] {
            read(&places, id, now, 1);
        }
        let later = now + IDLE;
        assert_eq!(read(&places, "a", later, 2), Turn::Passes);
        assert_eq!(read(&places, "a", later, 3), Turn::Keeps);
        // And the one that was in front.
        let ids: Vec<String> = places.lock().iter().map(|one| one.id.clone()).collect();
        assert_eq!(ids, ["a"]);
    }
}
