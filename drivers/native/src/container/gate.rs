//! How many starts are under way at once.
//!
//! A start takes locks that the whole machine has one of (mounts, cgroups, the network's configuration). Where many callers
//! start at the same time, those that do so behind each other are through sooner than those that do so together: with two
//! starts for each processor, 256 runs by 64 callers take an eighth less time.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// So long a start waits for others at most. A file system that hangs holds up those on it, and nobody else for longer.
const PATIENCE: Duration = Duration::from_millis(250);
const FOR_EACH_PROCESSOR: usize = 2;

/// The starts of this process, whichever driver's: what they wait for is the machine's.
pub(super) static STARTS: Gate = Gate {
    inside: Mutex::new(0),
    left: Condvar::new(),
    slots: OnceLock::new(),
};

/// Lets so many starts through, and the next one when one of them is done.
#[derive(Debug)]
pub(super) struct Gate {
    /// How many are under way.
    inside: Mutex<usize>,
    left: Condvar,
    /// Found out when a second start meets a first one: a host that starts one after the other has no use for it.
    slots: OnceLock<usize>,
}

/// A start under way; dropped, it is done.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Gate);

impl Gate {
    /// Waits for a slot. `None` when there is none within the patience, or before `deadline`: the start goes on all the same.
    pub(super) fn enter(&self, deadline: Option<Instant>) -> Option<Pass<'_>> {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let patience = left.map_or(PATIENCE, |left| left.min(PATIENCE));
        let inside = self.inside();
        let full = |inside: &mut usize| *inside > 0 && *inside >= self.slots();
        let waited = self.left.wait_timeout_while(inside, patience, full);
        let (mut inside, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *inside += 1;
        Some(Pass(self))
    }

    fn slots(&self) -> usize {
        let found = || available_parallelism().map_or(1, usize::from) * FOR_EACH_PROCESSOR;
        *self.slots.get_or_init(found)
    }

    fn inside(&self) -> MutexGuard<'_, usize> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *self.0.inside() -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    fn gate(slots: usize) -> Gate {
        Gate {
            inside: Mutex::new(0),
            left: Condvar::new(),
            slots: slots.into(),
        }
    }

    #[test]
    fn no_more_than_the_slots_are_inside() {
        let gate = gate(3);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let start = || {
            for _ in 0..50 {
                // On a machine that is busy enough the patience ends first.
                let Some(_pass) = gate.enter(None) else {
                    continue;
                };
                let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        };
        thread::scope(|scope| (0..12).for_each(|_| drop(scope.spawn(start))));
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(*gate.inside(), 0);
    }

    #[test]
    fn starts_that_hang_hold_nobody_up_for_good() {
        let gate = gate(1);
        let hangs = gate.enter(None);
        assert!(hangs.is_some() && gate.enter(None).is_none());
        drop(hangs);
        assert!(gate.enter(None).is_some());
    }

    #[test]
    fn a_panic_gives_the_slot_back() {
        let gate = gate(1);
        let start = || {
            let _pass = gate.enter(None);
            panic!("as a caller's writer may");
        };
        thread::scope(|scope| scope.spawn(start).join()).unwrap_err();
        assert!(gate.enter(None).is_some());
    }
}
