//! An allocator that counts what each thread asks of it, and how often it would wait for others in the C library's.
//!
//! # Safety
//! Every call is passed on to the system's allocator as it came; the counters are cells of the thread, made without an
//! allocation and without anything to do at the thread's end.
#![allow(unsafe_code)]

mod store;

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// New blocks, and blocks of another size.
    pub(crate) blocks: usize,
    /// How often a lock that other threads hold too would be taken for it.
    pub(crate) locks: usize,
}

thread_local! {
    static ASKED: Cell<Asked> = const { Cell::new(Asked { blocks: 0, locks: 0 }) };
    static SHOW: Cell<bool> = const { Cell::new(false) };
    /// What is shown just now asks for memory itself.
    static SHOWING: Cell<bool> = const { Cell::new(false) };
}

struct Counting;

/// What `act` has the calling thread ask for. With `EXECDRIVER_SHOW_LOCKS=1` each place that takes a lock is printed.
pub(crate) fn of(act: impl FnOnce()) -> Asked {
    SHOW.set(std::env::var_os("EXECDRIVER_SHOW_LOCKS").is_some());
    let before = ASKED.get();
    act();
    let after = ASKED.get();
    SHOW.set(false);
    Asked {
        blocks: after.blocks - before.blocks,
        locks: after.locks - before.locks,
    }
}

/// Counts a request, which `takes_lock` by the store's rules.
fn count(blocks: usize, what: &str, size: usize, takes_lock: impl FnOnce() -> bool) {
    // No cells in a thread that has ended, almost: there is nobody who would ask.
    if SHOWING.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    let locks = usize::from(takes_lock());
    let _ = ASKED.try_with(|asked| {
        let before = asked.get();
        asked.set(Asked {
            blocks: before.blocks + blocks,
            locks: before.locks + locks,
        });
    });
    if locks > 0 && SHOW.try_with(Cell::get).unwrap_or(false) {
        SHOWING.set(true);
        eprintln!(
            "a lock to {what} {size} bytes\n{}",
            Backtrace::force_capture()
        );
        SHOWING.set(false);
    }
}

// SAFETY: each method is the system's allocator's, which keeps the promises of the trait.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        count(1, "get", size, || !store::take(size));
        // SAFETY: the caller promises what this call wants, a layout that is not empty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // calloc(3) looks into no thread's store.
        count(1, "get, zeroed,", layout.size(), || true);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Nor does realloc(3).
        count(1, "resize to", size, || true);
        // SAFETY: the caller promises a block of this layout, from here, which is from the system's allocator.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let size = layout.size();
        count(0, "give back", size, || !store::give(size));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
