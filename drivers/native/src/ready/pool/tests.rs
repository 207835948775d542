//! What is given out, how often, what is made again, and what is left.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A thing, and how many of all are there.
struct Thing {
    kind: u8,
    number: usize,
    alive: &'static AtomicUsize,
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A pool of things of its own, and how many of them are alive.
macro_rules! pool {
    ($size:expr) => {{
        static ALIVE: AtomicUsize = AtomicUsize::new(0);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let pool = Pool::new("execdriver-test", $size, || {
            Some(Box::new(|kind: &u8| {
                if *kind == BAD {
                    return None;
                }
                ALIVE.fetch_add(1, Ordering::SeqCst);
                Some(Thing {
                    kind: *kind,
                    number: MADE.fetch_add(1, Ordering::SeqCst),
                    alive: &ALIVE,
                })
            }))
        });
        (pool, &ALIVE)
    }};
}

/// None of it can be made.
const BAD: u8 = 99;

fn take(pool: &Pool<u8, Thing>, kind: u8) -> Option<Thing> {
    pool.take(|one| *one == kind, || Some(kind))
}

fn await_that(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets the thread do all that is to be done; the kinds that are there then.
fn stocked(pool: &Pool<u8, Thing>) -> Vec<u8> {
    pool.restock();
    await_that(|| {
        let state = pool.shared.lock();
        !state.has_work() && !state.working
    });
    let state = pool.shared.lock();
    state.ready.iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn the_first_asks_for_as_many_as_are_kept_and_each_is_given_once() {
    let (pool, alive) = pool!(3);
    assert!(take(&pool, 1).is_none());
    assert_eq!(stocked(&pool), [1, 1, 1]);
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let thing = take(&pool, 1).unwrap();
        assert_eq!(thing.kind, 1);
        numbers.push(thing.number);
        assert_eq!(stocked(&pool), [1, 1, 1], "what was given is made again");
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
    drop(pool);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn nothing_is_made_before_a_start_is_over() {
    let (pool, alive) = pool!(2);
    assert!(take(&pool, 1).is_none());
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    stocked(&pool);
    assert_eq!(alive.load(Ordering::SeqCst), 2);
}

#[test]
fn another_kind_takes_the_place_of_what_lies_there_longest() {
    let (pool, alive) = pool!(3);
    take(&pool, 1);
    stocked(&pool);
    assert!(take(&pool, 2).is_none());
    assert_eq!(stocked(&pool), [1, 1, 1], "it may never be asked for again");
    assert!(take(&pool, 2).is_none());
    assert_eq!(stocked(&pool), [1, 1, 2]);
    assert_eq!(alive.load(Ordering::SeqCst), 3, "the surplus is gone");
    let both = (take(&pool, 2).unwrap(), take(&pool, 1).unwrap());
    assert_eq!((both.0.kind, both.1.kind), (2, 1));
    let mut kinds = stocked(&pool);
    kinds.sort_unstable();
    assert_eq!(kinds, [1, 1, 2]);
}

#[test]
fn kinds_that_never_come_back_are_not_made() {
    let (pool, alive) = pool!(2);
    for kind in 1..20 {
        assert!(take(&pool, kind).is_none());
        assert_eq!(stocked(&pool), [1, 1]);
    }
    assert_eq!(alive.load(Ordering::SeqCst), 2);
}

#[test]
fn what_cannot_be_made_is_not_given_and_hinders_nothing_else() {
    let (pool, _) = pool!(2);
    assert!(take(&pool, BAD).is_none());
    assert!(stocked(&pool).is_empty());
    assert!(take(&pool, BAD).is_none());
    take(&pool, 1);
    take(&pool, 1);
    assert_eq!(stocked(&pool), [1]);
    assert!(take(&pool, 1).is_some());
}

#[test]
fn who_asks_for_nothing_that_could_be_made_changes_nothing() {
    let (pool, _) = pool!(2);
    take(&pool, 1);
    assert_eq!(stocked(&pool), [1, 1]);
    assert!(pool.take(|_| false, || None).is_none());
    assert!(take(&pool, 2).is_none());
    assert_eq!(stocked(&pool), [1, 1]);
}

#[test]
fn a_pool_that_can_make_nothing_gives_up() {
    let (pool, _) = pool!(2);
    await_that(|| {
        assert!(take(&pool, BAD).is_none());
        pool.restock();
        pool.shared.lock().closed
    });
    assert!(take(&pool, 1).is_none());
}

#[test]
fn a_fork_of_the_host_finds_no_pool_and_waits_for_no_lock_of_it() {
    let (pool, _) = pool!(2);
    take(&pool, 1);
    assert_eq!(stocked(&pool), [1, 1]);
    pool.process.store(1, Ordering::Release);
    let (maker, state) = (pool.maker.lock().unwrap(), pool.shared.lock());
    assert!(take(&pool, 1).is_none());
    pool.restock();
    drop((maker, state));
    pool.process.store(std::process::id(), Ordering::Release);
}

#[test]
fn a_pool_that_cannot_begin_gives_nothing_and_ends() {
    let pool: Pool<u8, Thing> = Pool::new("execdriver-test", 2, || None);
    assert!(take(&pool, 1).is_none());
    pool.restock();
    let thread = pool.maker.lock().unwrap().take().unwrap();
    thread.join().unwrap();
    assert!(pool.shared.lock().closed);
    assert!(take(&pool, 1).is_none());
}

#[test]
fn a_place_that_stayed_empty_is_filled_by_the_next_that_is_taken() {
    let (pool, _) = pool!(3);
    take(&pool, 1);
    stocked(&pool);
    assert!(take(&pool, BAD).is_none());
    assert!(take(&pool, BAD).is_none());
    assert_eq!(
        stocked(&pool),
        [1, 1],
        "one made room for what cannot be made"
    );
    assert!(take(&pool, 1).is_some());
    assert_eq!(stocked(&pool), [1, 1, 1]);
}

#[test]
fn what_is_handed_over_goes_on_the_thread_and_no_more_of_it_than_is_kept() {
    let (pool, alive) = pool!(2);
    take(&pool, 1);
    stocked(&pool);
    let things = [take(&pool, 1).unwrap(), take(&pool, 1).unwrap()];
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    let one_more = Thing {
        kind: 1,
        number: 99,
        alive,
    };
    alive.fetch_add(1, Ordering::SeqCst);
    assert!(things.into_iter().all(|thing| pool.let_go(thing).is_none()));
    assert!(pool.let_go(one_more).is_some(), "it goes here");
    assert_eq!(stocked(&pool), [1, 1]);
    assert_eq!(alive.load(Ordering::SeqCst), 2);
}
