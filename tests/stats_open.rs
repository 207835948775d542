//! Counters that stay open between two readings: of whom, for how long, and that what is read is of now.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, refused};
use execdriver::{Command, Driver, Error, MemoryStats, Options, Registry, Resources};
use host::assert_no_trace;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use support::{Need, alone, among, skip_unless, unique_id};

/// How many descriptors of this process are of a container's cgroups.
fn open_of(id: &str) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
    targets.filter(|target| is_counter(target, id)).count()
}

/// Directories and files: a run holds those that its end needs, and none that counts processor time.
fn is_counter(target: &std::path::Path, id: &str) -> bool {
    target.to_string_lossy().contains(&format!("/{id}/"))
}

/// The highest descriptor of this process.
fn highest() -> u64 {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let numbers = open.filter_map(|link| link.file_name().to_str()?.parse().ok());
    numbers.max().unwrap()
}

fn reads(driver: &Arc<dyn Driver>, id: &str) -> MemoryStats {
    driver.stats(id).unwrap().cgroup.unwrap().memory_stats
}

fn limited(bench: &Bench, memory: i64) -> Command {
    Command {
        resources: Some(Resources {
            memory,
            ..Resources::default()
        }),
        ..bench.command(&["pause"])
    }
}

#[test]
fn who_is_read_again_keeps_files_open_until_it_ends() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    let other = bench.other_driver();
    bench.while_running(&command, |_| {
        let before = open_of(id);
        bench.driver.stats(id).unwrap();
        assert_eq!(open_of(id), before, "after one reading");
        bench.driver.stats(id).unwrap();
        let kept = open_of(id) - before;
        assert!((10..60).contains(&kept), "{kept} after two");
        for _ in 0..20 {
            bench.driver.stats(id).unwrap();
        }
        assert_eq!(open_of(id) - before, kept, "after many");
        // Whoever does not run it keeps them, too.
        other.stats(id).unwrap();
        other.stats(id).unwrap();
        assert_eq!(open_of(id) - before, 2 * kept, "of two drivers");
    });
    assert!(open_of(id) > 0, "the other driver was not asked again");
    let (error, text) = refused(other.stats(id));
    assert!(matches!(error, Error::NotFound { .. }), "{text}");
    assert_eq!(open_of(id), 0);
    assert_no_trace(&bench, id);
}

#[test]
fn no_more_than_were_asked_for_are_kept_and_none_of_many_that_are_read_in_turn() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let (kept, none) = (
        Bench::new().with_option("native.stats_open=1"),
        Bench::new(),
    );
    let none = none.with_option("native.stats_open=0");
    for bench in [kept, none] {
        let (first, second) = (bench.command(&["pause"]), bench.command(&["pause"]));
        bench.while_running(&first, |_| {
            bench.while_running(&second, |_| {
                let open = || (open_of(&first.id), open_of(&second.id));
                let before = open();
                for _ in 0..3 {
                    bench.driver.stats(&first.id).unwrap();
                    bench.driver.stats(&second.id).unwrap();
                }
                assert_eq!(open(), before, "in turn");
            });
        });
    }
}

#[test]
fn what_is_read_from_open_files_is_of_now() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, 64 << 20);
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        let limit = || bench.driver.stats(id).unwrap().memory_limit;
        assert_eq!([limit(), limit(), limit()], [64 << 20; 3]);
        let more = Resources {
            memory: 96 << 20,
            ..Resources::default()
        };
        bench.driver.update(id, &more).unwrap();
        assert_eq!(limit(), 96 << 20);
        let used = || {
            let stats = bench.driver.stats(id).unwrap().cgroup.unwrap();
            stats.cpu_stats.cpu_usage.total_usage
        };
        let before = used();
        bench.exec(id, &["true"]);
        assert!(used() > before, "{before}");
    });
}

#[test]
fn a_container_of_the_same_id_is_not_taken_for_the_one_before() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let other = bench.other_driver();
    let first = limited(&bench, 64 << 20);
    let second = Command {
        id: first.id.clone(),
        ..limited(&bench, 96 << 20)
    };
    for (command, limit) in [(&first, 64 << 20), (&second, 96 << 20)] {
        bench.while_running(command, |_| {
            for _ in 0..3 {
                let stats = other.stats(&command.id).unwrap();
                assert_eq!(stats.memory_limit, limit);
                let cgroup = stats.cgroup.unwrap();
                assert!(cgroup.memory_stats.usage.usage > 0, "{cgroup:?}");
            }
        });
    }
}

/// Somebody takes the process out of its cgroup of memory and removes that.
#[test]
fn what_is_gone_is_told_as_by_who_reads_for_the_first_time() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |started| {
        assert!(reads(&bench.driver, id).usage.usage > 0);
        assert!(reads(&bench.driver, id).usage.usage > 0);
        let (root, own) = memory_cgroup(started.pid);
        fs::write(root.join("cgroup.procs"), started.pid.to_string()).unwrap();
        fs::remove_dir(own).unwrap();
        let told = reads(&bench.driver, id);
        assert_eq!(told, reads(&bench.other_driver(), id));
        assert_eq!(told, MemoryStats::default());
        // And ever after.
        assert_eq!(reads(&bench.driver, id), told);
    });
    assert_no_trace(&bench, id);
}

/// A controller that is turned off and on again has new files.
#[test]
fn files_that_were_made_anew_are_opened_anew() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::CgroupV2]) {
        return;
    }
    let bench = Bench::new();
    let parent = format!("/{}", unique_id("contract-stats"));
    let command = bench.command(&["pause"]);
    let command = command.with_linux(|linux| linux.cgroup_parent.clone_from(&parent));
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        let pids = || {
            let cgroup = bench.driver.stats(id).unwrap().cgroup;
            cgroup.unwrap().pids_stats.current
        };
        assert_eq!([pids(), pids(), pids()], [1; 3]);
        let control = format!("/sys/fs/cgroup{parent}/cgroup.subtree_control");
        for change in ["-pids", "+pids"] {
            fs::write(&control, change).unwrap();
        }
        assert_eq!([pids(), pids()], [1; 2]);
    });
}

/// The root of the hierarchy that counts memory, and the cgroup in it.
fn memory_cgroup(pid: u32) -> (PathBuf, PathBuf) {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let (version_1, unified) = (PathBuf::from("/sys/fs/cgroup/memory"), "/sys/fs/cgroup");
    let of = |start: &dyn Fn(&str) -> bool| text.lines().find(|line| start(line));
    let (root, line) = match of(&|line| line.contains(":memory:")) {
        Some(line) => (version_1, line),
        None => (unified.into(), of(&|line| line.starts_with("0::")).unwrap()),
    };
    let path = line.splitn(3, ':').last().unwrap();
    (root.clone(), root.join(path.trim_start_matches('/')))
}

#[test]
fn half_of_the_descriptors_are_left_for_others() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        let before = open_of(id);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // Now the next ones are above all that are open: one reading has room, in the upper half.
        let below: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null")).collect();
        setrlimit(Resource::RLIMIT_NOFILE, highest() + 45, hard).unwrap();
        let read: Vec<_> = (0..3).map(|_| bench.driver.stats(id)).collect();
        let kept = open_of(id) - before;
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        assert!(read.iter().all(Result::is_ok), "{read:?}");
        assert_eq!(kept, 0);
        drop(below);
        bench.driver.stats(id).unwrap();
        assert!(open_of(id) > before);
    });
}

#[test]
fn a_number_that_is_none_is_refused() {
    let bench = Bench::new();
    for value in ["-1", "many", "1025", ""] {
        let options = Options::parse([format!("native.stats_open={value}")]).unwrap();
        let opened = Registry::with_builtin().open("native", &bench.rootfs.state(), options);
        let (error, text) = refused(opened.map(drop));
        assert!(matches!(error, Error::InvalidOption { .. }), "{text}");
        assert!(text.contains("from 0 to 1024"), "{text}");
    }
}
