//! `native.netns_pool`: containers whose network namespace was made ahead are as apart as all others.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, refused, remapped};
use execdriver::{Hooks, Network, Options, Pipes, Registry};
use std::collections::BTreeSet;
use std::sync::Mutex;
use support::{Baseline, Need, alone, among, skip_unless};

const RUNS: usize = 12;

/// A bench whose driver has a pool that has begun.
fn pooled(bench: Bench) -> Bench {
    let bench = bench.with_option("native.netns_pool=2");
    bench.says(&["true"]);
    bench
}

fn own() -> String {
    let link = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    link.to_string_lossy().into_owned()
}

#[test]
fn every_container_has_a_network_that_nobody_had_before_with_its_loopback_up() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = pooled(Bench::new());
    // While they live: the kernel may use the number of one that is gone again.
    let seen = Mutex::new(BTreeSet::from([own()]));
    std::thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| {
                let command = bench.command(&["pause"]);
                bench.while_running(&command, |started| {
                    let link = std::fs::read_link(format!("/proc/{}/ns/net", started.pid));
                    let new = link.unwrap().to_string_lossy().into_owned();
                    assert!(seen.lock().unwrap().insert(new.clone()), "{new}");
                    let said = bench.exec(&command.id, &["loopback"]);
                    assert_eq!(said.status.code, 0, "{said:?}");
                });
            });
        }
    });
    assert_eq!(seen.lock().unwrap().len(), RUNS + 1);
}

#[test]
fn what_a_container_changes_in_its_network_no_later_one_finds() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = pooled(Bench::new());
    const SWITCH: &str = "/proc/sys/net/ipv4/conf/lo/accept_local";
    let mut dirty = bench.command(&["seq", "cat", SWITCH, ",", "write", SWITCH, "1"]);
    dirty.process.privileged = true;
    for _ in 0..RUNS {
        dirty.id = support::unique_id("dirty");
        assert!(bench.output(&dirty).starts_with('0'));
    }
}

#[test]
fn a_pre_start_hook_finds_the_containers_network_and_not_the_hosts() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = pooled(Bench::new());
    for _ in 0..3 {
        let seen = Mutex::new(String::new());
        let hooks = Hooks::none().on_pre_start(|context| {
            let link = std::fs::read_link(format!("/proc/{}/ns/net", context.pid))?;
            *seen.lock().unwrap() = link.to_string_lossy().into_owned();
            Ok(())
        });
        let said = bench.run_with(&bench.command(&["ns", "net"]), Pipes::null(), &hooks);
        drop(hooks);
        assert_eq!(said.out.trim(), *seen.lock().unwrap());
        assert_ne!(said.out.trim(), own());
    }
}

#[test]
fn other_containers_take_none() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = pooled(Bench::new());
    let mut shared = bench.command(&["ns", "net"]);
    shared.network = Some(Network::host());
    assert_eq!(bench.output(&shared).trim(), own());
    let (bench, change) = remapped();
    let bench = pooled(bench);
    let said = bench.output(&change(bench.command(&["ns", "net"])));
    assert_ne!(said.trim(), own());
    let said = bench.run(&change(bench.command(&["ifup"])));
    assert_eq!(said.status.code, 0, "its own user namespace's: {said:?}");
}

#[test]
fn a_dropped_driver_leaves_nothing_of_its_pool() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let baseline = Baseline::take(&bench.rootfs, &[]);
    let other = pooled(Bench::new());
    for _ in 0..3 {
        other.says(&["true"]);
    }
    drop(other);
    baseline.assert_back();
}

#[test]
fn a_size_that_is_none_is_refused() {
    let _among = among();
    let rootfs = support::Rootfs::new();
    for size in ["x", "-1", "65", ""] {
        let options = Options::parse([format!("native.netns_pool={size}")]).unwrap();
        let opened = Registry::with_builtin().open("native", &rootfs.state(), options);
        let (_, words) = refused(opened.map(drop));
        assert!(words.contains("native.netns_pool"), "{words}");
        assert!(words.contains("0 to 64"), "{words}");
    }
}
