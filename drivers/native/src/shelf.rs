//! What one start leaves to the next: lists whose memory is not asked for again.
//!
//! To ask for a block of more than 1 KiB, and to give it back, takes a lock that threads of the host hold too (glibc's arenas,
//! malloc(3)); where these are more than the processors, the one that holds it does not run, and a start waits for its turn.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

/// So many starts at once find something.
const MOST: usize = 8;

/// A longer list is not kept, in bytes: who needed it once may never do so again.
const LARGEST: usize = 64 << 10;

/// Some things of a kind that nobody uses just now. Nobody waits for it: who comes while another is there goes without.
#[derive(Debug)]
pub(crate) struct Shelf<T>(Mutex<Vec<T>>);

impl<T> Shelf<T> {
    /// With nothing on it.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The last one that was put there and suits.
    pub(crate) fn take(&self, suits: impl Fn(&T) -> bool) -> Option<T> {
        let mut kept = self.0.try_lock().ok()?;
        let at = kept.iter().rposition(suits)?;
        Some(kept.remove(at))
    }

    /// Puts one there. What has lain there longest makes room for it.
    pub(crate) fn put(&self, one: T) {
        // Dropped when the lock is open again.
        let _surplus = self.keep(one);
    }

    fn keep(&self, one: T) -> Option<T> {
        let Ok(mut kept) = self.0.try_lock() else {
            return Some(one);
        };
        let room = MOST - kept.len();
        kept.reserve_exact(room);
        let oldest = (kept.len() == MOST).then(|| kept.remove(0));
        kept.push(one);
        oldest
    }
}

/// A list in memory from a shelf, which it goes back to, wiped: an environment may hold what is secret.
#[derive(Debug)]
pub(crate) struct Lent<T: Copy + Default + 'static> {
    list: Vec<T>,
    shelf: &'static Shelf<Vec<T>>,
}

impl<T: Copy + Default> Lent<T> {
    /// An empty list with room for so many.
    pub(crate) fn with_capacity(shelf: &'static Shelf<Vec<T>>, room: usize) -> Self {
        let list = shelf.take(|list| list.capacity() >= room);
        let list = list.unwrap_or_else(|| Vec::with_capacity(room));
        Self { list, shelf }
    }
}

impl<T: Copy + Default> Drop for Lent<T> {
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        let bytes = list.capacity().saturating_mul(size_of::<T>());
        if (1..=LARGEST).contains(&bytes) {
            list.fill(T::default());
            list.clear();
            self.shelf.put(list);
        }
    }
}

impl<T: Copy + Default> Clone for Lent<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::with_capacity(self.shelf, self.capacity());
        copy.extend_from_slice(self);
        copy
    }
}

impl<T: Copy + Default> Deref for Lent<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.list
    }
}

impl<T: Copy + Default> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_longest_goes_and_what_suits_is_found() {
        let shelf = Shelf::new();
        (0..MOST + 2).for_each(|one| shelf.put(one));
        assert_eq!(shelf.take(|one| *one < 2), None);
        assert_eq!(shelf.take(|one| one.is_multiple_of(2)), Some(MOST));
        assert_eq!(shelf.take(|_| true), Some(MOST + 1));
        assert_eq!(shelf.0.lock().unwrap().len(), MOST - 2);
    }

    #[test]
    fn nobody_waits_at_the_shelf() {
        let shelf = Shelf::new();
        shelf.put(1);
        let other = shelf.0.lock().unwrap();
        assert_eq!(shelf.take(|_| true), None);
        shelf.put(2);
        drop(other);
        assert_eq!(shelf.take(|_| true), Some(1));
        assert_eq!(shelf.take(|_| true), None);
    }

    #[test]
    fn a_list_comes_back_wiped_and_a_long_one_never() {
        static SHELF: Shelf<Vec<u8>> = Shelf::new();
        let mut list = Lent::with_capacity(&SHELF, 100);
        list.extend_from_slice(b"secret");
        let copy = list.clone();
        assert_eq!((&copy[..], copy.capacity() >= 100), (&b"secret"[..], true));
        drop(list);
        let back = SHELF.take(|list| list.capacity() >= 100).unwrap();
        assert!(back.is_empty());
        drop(Lent {
            list: back,
            shelf: &SHELF,
        });
        drop(copy);
        assert_eq!(SHELF.0.lock().unwrap().len(), 2);
        drop(Lent::with_capacity(&SHELF, LARGEST + 1));
        assert_eq!(SHELF.0.lock().unwrap().len(), 2);
    }
}
