//! What a workshop makes, and where its thread is afterwards.

use super::*;
use crate::support::{Need, skip_unless};

fn identity(file: &OwnedFd) -> u64 {
    fstat(file).unwrap().st_ino
}

/// On a thread of its own, which ends there.
fn on_a_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join().unwrap())
}

#[test]
fn every_namespace_is_new_with_its_loopback_up_and_the_thread_is_back_home() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let made = on_a_thread(|| {
        let workshop = Workshop::open().unwrap();
        let homes = [&workshop.network.own, &workshop.ipc.own].map(identity);
        let made: Vec<OwnedFd> = (0..5).map(|_| workshop.network().unwrap()).collect();
        let ipc = workshop.ipc().unwrap();
        let back = ["net", "ipc"].map(|name| {
            let own = open_namespace(&format!("/proc/thread-self/ns/{name}")).unwrap();
            identity(&own)
        });
        assert_eq!(back, homes);
        let all = made.iter().chain([&ipc]).map(identity);
        let mut seen: Vec<u64> = all.chain(homes).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 8);
        made
    });
    let flags = on_a_thread(|| {
        setns(&made[0], CloneFlags::CLONE_NEWNET).unwrap();
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names: Vec<_> = devices.lines().filter(|line| line.contains(':')).collect();
        assert_eq!(names.len(), 1, "{devices}");
        let routes = std::fs::read_to_string("/proc/thread-self/net/fib_trie").unwrap();
        routes.contains("127.0.0.1")
    });
    assert!(flags);
}

#[test]
fn a_thread_that_could_not_go_back_makes_none() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    on_a_thread(|| {
        let mut workshop = Workshop::open().unwrap();
        workshop.ipc.own = std::fs::File::open("/").unwrap().into();
        assert_eq!(workshop.ipc().unwrap_err(), Errno::EINVAL);
        workshop.ipc.own = open_namespace("/proc/self/ns/ipc").unwrap();
        assert_eq!(workshop.ipc().unwrap_err(), Errno::ESTALE);
        workshop.network().unwrap();
    });
}
