//! What is given out, how often, and what is left.

use super::*;
use crate::support::{Need, skip_unless};
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn identity(file: &OwnedFd) -> u64 {
    fstat(file).unwrap().st_ino
}

fn await_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The names of this process's threads.
fn makers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: PathBuf| std::fs::read_to_string(task.join("comm")).unwrap_or_default();
    tasks
        .filter(|task| name(task.as_ref().unwrap().path()).trim() == "execdriver-net")
        .count()
}

#[test]
fn a_pool_of_none_has_no_thread() {
    let pool = NetPool::new(0);
    assert!(pool.take().is_none());
    assert!(pool.maker.lock().unwrap().is_none());
}

#[test]
fn every_namespace_is_given_once_with_its_loopback_up_and_is_not_the_hosts() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let host = own().unwrap();
    let pool = NetPool::new(2);
    drop(pool.take());
    let taken: Vec<OwnedFd> = (0..5).map(|_| await_some(|| pool.take())).collect();
    let mut seen: Vec<u64> = taken.iter().chain([&host]).map(identity).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 6);
    // In a thread of its own, which ends there.
    let flags = std::thread::spawn(move || {
        setns(&taken[0], CloneFlags::CLONE_NEWNET).unwrap();
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names: Vec<_> = devices.lines().filter(|line| line.contains(':')).collect();
        assert_eq!(names.len(), 1, "{devices}");
        let routes = std::fs::read_to_string("/proc/thread-self/net/fib_trie").unwrap();
        routes.contains("127.0.0.1")
    });
    assert!(flags.join().unwrap());
    assert_eq!(identity(&own().unwrap()), identity(&host));
}

#[test]
fn a_dropped_pool_leaves_neither_its_thread_nor_a_descriptor() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let pool = NetPool::new(3);
    pool.take();
    await_some(|| (pool.shared.lock().ready.len() == 3).then_some(()));
    let open: Vec<_> = pool.shared.lock().ready.iter().map(identity).collect();
    let shared = Arc::clone(&pool.shared);
    drop(pool);
    assert_eq!(Arc::strong_count(&shared), 1, "the thread has its own");
    drop(shared);
    let left = std::fs::read_dir("/proc/self/fd").unwrap();
    let left = left.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let left: Vec<_> = left
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    for inode in open {
        assert!(!left.contains(&format!("net:[{inode}]")), "{left:?}");
    }
}

#[test]
fn at_most_as_many_as_asked_for_are_kept() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let pool = NetPool::new(2);
    pool.take();
    await_some(|| (pool.shared.lock().ready.len() == 2).then_some(()));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(pool.shared.lock().ready.len(), 2);
    assert!(makers() >= 1);
    assert_eq!(NetPool::new(100_000).size, MOST);
}

#[test]
fn where_none_can_be_made_none_is_given_and_nothing_else_fails() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let pool = NetPool::new(2);
    pool.shared.close();
    assert!(pool.take().is_none());
    let thread = pool.maker.lock().unwrap().take().unwrap();
    thread.thread.join().unwrap();
    assert!(pool.take().is_none());
}
