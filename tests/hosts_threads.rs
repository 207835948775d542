//! Host programs whose threads are not alike: one has namespaces of its own.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod support;

use contract::Bench;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use support::{Need, skip_unless};

const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// The calling thread gets a mount namespace in which the hybrid host's version 2 is not mounted.
fn without_unified() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    // A host without it has nothing to hide.
    let _ = umount2(UNIFIED, MntFlags::MNT_DETACH);
}

#[test]
fn a_container_is_made_from_what_the_calling_thread_sees() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let worker = std::thread::spawn(|| {
        without_unified();
        let bench = Bench::new();
        bench.says(&["cat", "/proc/self/cgroup"])
    });
    let cgroups = worker.join().unwrap();
    let unified = cgroups.lines().find(|line| line.starts_with("0::"));
    if std::path::Path::new(UNIFIED).exists() {
        assert!(
            unified.is_none_or(|line| !line.contains("contract")),
            "{cgroups}"
        );
    }
}
