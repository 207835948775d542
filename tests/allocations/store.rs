//! A thread's own store of freed blocks, by the rules of glibc 2.26 to 2.41 (malloc/malloc.c: tcache and fastbins), x86_64.
//!
//! Blocks of up to 1,032 bytes are in classes of 16; of each class the thread keeps seven that it has given back, and takes them
//! again without a lock. All else is its arena's, which it shares with other threads, under a lock. Only to give back small blocks
//! takes none: they are left in a list of the arena's, from which the next one that is asked for fills the store again.

use std::cell::Cell;

/// Blocks that the store holds of a class (`TCACHE_FILL_COUNT`).
const KEPT: usize = 7;

/// Classes (`TCACHE_MAX_BINS`) from a chunk of 32 bytes on.
const CLASSES: usize = 64;

/// The classes whose surplus needs no lock: chunks of up to 128 bytes (`global_max_fast`).
const FAST: usize = 7;

thread_local! {
    static STORED: [Cell<usize>; CLASSES] = const { [const { Cell::new(0) }; CLASSES] };
    static LEFT: [Cell<usize>; FAST] = const { [const { Cell::new(0) }; FAST] };
}

/// The class of a block: with its eight bytes of length it is a chunk of a multiple of 16.
fn class(size: usize) -> Option<usize> {
    let chunk = (size + 8).div_ceil(16).max(2);
    Some(chunk - 2).filter(|class| *class < CLASSES)
}

/// Takes a block from the store; false: from the arena.
pub(super) fn take(size: usize) -> bool {
    let Some(class) = class(size) else {
        return false;
    };
    // In a thread that is ending the store is gone.
    let taken = STORED.try_with(|stored| {
        let kept = stored[class].get();
        let from_arena = if kept == 0 { refill(class) } else { 0 };
        stored[class].set((kept + from_arena).saturating_sub(1));
        kept > 0
    });
    taken.unwrap_or(false)
}

/// What the arena's list of small blocks gives at once: the one that is asked for, and a store full.
fn refill(class: usize) -> usize {
    let moved = LEFT.try_with(|left| {
        let left = left.get(class)?;
        let moved = left.get().min(KEPT + 1);
        left.set(left.get() - moved);
        Some(moved)
    });
    moved.ok().flatten().unwrap_or(0)
}

/// Gives a block back without a lock; false: it takes one.
pub(super) fn give(size: usize) -> bool {
    let Some(class) = class(size) else {
        return false;
    };
    let given = STORED.try_with(|stored| {
        let kept = &stored[class];
        let room = kept.get() < KEPT;
        kept.set(kept.get() + usize::from(room));
        room || left_behind(class)
    });
    given.unwrap_or(false)
}

fn left_behind(class: usize) -> bool {
    let left = LEFT.try_with(|left| {
        let left = left.get(class)?;
        left.set(left.get() + 1);
        Some(())
    });
    left.ok().flatten().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_seven_of_a_class_and_the_small_ones_come_back_at_once() {
        std::thread::spawn(|| {
            for (size, first) in [(1, 0), (24, 0), (25, 1), (120, 6), (121, 7), (1032, 63)] {
                assert_eq!(class(size), Some(first), "{size}");
            }
            assert_eq!(class(1033), None);
            // Nothing in this thread has asked for blocks of these sizes.
            for size in [1000, 100] {
                let small = size == 100;
                assert!(!take(size));
                assert_eq!(
                    [(); 9].map(|()| give(size)),
                    [true, true, true, true, true, true, true, small, small]
                );
                assert_eq!([(); 7].map(|()| take(size)), [true; 7]);
                assert_eq!([take(size), take(size)], [false, small]);
            }
        })
        .join()
        .unwrap();
    }
}
