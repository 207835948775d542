//! `--soak N`: N runs of every kind that containers come to, and nothing of them left at the end.

mod acts;
mod census;

use crate::Result;
use crate::place::Place;
use crate::sleeper;
use acts::{Dice, Runner};
use census::Census;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Callers at once.
const WORKERS: usize = 6;
/// After which a run counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);
/// Runs before the baseline is taken: what a process makes once is no leak.
const WARM_UP: usize = 200;
/// In which nothing is under way any more.
const SETTLED: Duration = Duration::from_millis(500);
/// Lines of progress.
const LINES: usize = 20;

/// What the workers and who looks after them share.
struct Shared {
    next: AtomicUsize,
    stop: AtomicBool,
    /// What each worker does, since when.
    busy: Vec<Mutex<Option<(String, Instant)>>>,
    strange: Mutex<Vec<String>>,
}

/// Runs the soak; the same seed makes the same runs, though never at quite the same times.
/// Of `pool` containers what can be is made ahead.
pub(crate) fn run(runs: usize, seed: u64, pool: usize) -> Result<()> {
    let place = Place::new()?;
    let driver = sleeper::pooled_driver(&place.state("soak"), pool)?;
    let runner = Runner::new(driver, place.rootfs());
    let census = || Census::take(&place.state("soak"), runner.prefix());
    println!("soak: {runs} runs by {WORKERS} callers, seed {seed}");
    stretch(&runner, 0..WARM_UP, seed, |_| {})?;
    // A pool is full before it is counted.
    thread::sleep(SETTLED);
    let before = census()?;
    println!("baseline after {WARM_UP} runs: {before}");
    let every = runs.div_ceil(LINES).max(1);
    let begun = Instant::now();
    let mut told = 0;
    stretch(&runner, WARM_UP..WARM_UP + runs, seed, |done| {
        if done / every > told {
            told = done / every;
            let so_far = census().map_or_else(|error| error.to_string(), |now| now.to_string());
            println!("{done} runs in {:.0?}: {so_far}", begun.elapsed());
        }
    })?;
    // The kernel ends namespaces in its own time.
    let patience = Instant::now() + Duration::from_secs(10);
    let mut left = before.left(&census()?);
    while !left.is_empty() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(100));
        left = before.left(&census()?);
    }
    println!("at the end: {}", census()?);
    match left.is_empty() {
        true => Ok(()),
        false => Err(format!("the soak left (seed {seed}): {}", left.join(", ")).into()),
    }
}

/// Hands the runs out to the workers and looks after them.
fn stretch(
    runner: &Runner,
    numbers: std::ops::Range<usize>,
    seed: u64,
    mut progress: impl FnMut(usize),
) -> Result<()> {
    let shared = Shared {
        next: AtomicUsize::new(numbers.start),
        stop: AtomicBool::new(false),
        busy: (0..WORKERS).map(|_| Mutex::default()).collect(),
        strange: Mutex::default(),
    };
    thread::scope(|scope| {
        let workers: Vec<_> = shared
            .busy
            .iter()
            .map(|busy| scope.spawn(|| work(runner, &shared, busy, numbers.end, seed)))
            .collect();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(50));
            refuse_hang(&shared.busy);
            progress(shared.next.load(Ordering::Relaxed).min(numbers.end) - numbers.start);
        }
    });
    let strange = lock(&shared.strange);
    match strange.is_empty() {
        true => Ok(()),
        false => Err(format!("strange ends (seed {seed}):\n{}", strange.join("\n")).into()),
    }
}

fn work(
    runner: &Runner,
    shared: &Shared,
    busy: &Mutex<Option<(String, Instant)>>,
    end: usize,
    seed: u64,
) {
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            break;
        }
        let mut dice = Dice::new(seed, number);
        let kind = runner.kind(&mut dice);
        *lock(busy) = Some((format!("run {number}, {kind:?}"), Instant::now()));
        if let Err(error) = runner.run(number, kind, &mut dice) {
            lock(&shared.strange).push(format!("run {number}, {kind:?}: {error}"));
            shared.stop.store(true, Ordering::Relaxed);
        }
        *lock(busy) = None;
    }
}

/// A hang cannot be joined: it is told, and everything ends.
fn refuse_hang(busy: &[Mutex<Option<(String, Instant)>>]) {
    for slot in busy {
        if let Some((what, since)) = &*lock(slot)
            && since.elapsed() > PATIENCE
        {
            eprintln!("bench: {what} hangs for {:.0?}", since.elapsed());
            std::process::exit(1);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
