//! Counters that stay open between two readings: of whom, for how long, and that what is read is of now.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/descriptors.rs"]
mod descriptors;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, refused};
use descriptors::{Limited, open};
use execdriver::{Command, Driver, Error, MemoryStats, Options, PidsStats, Registry, Resources};
use host::assert_no_trace;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::{Need, alone, among, eventually, skip_unless, unique_id};

/// Whether a directory of cgroups that ends so is open in this process.
fn is_open(end: &Path) -> bool {
    open().any(|target| target.starts_with("/sys/fs/cgroup") && target.ends_with(end))
}

/// How many drivers of this process keep the counters of a container open: each its `memory.stat`, which no run has open.
fn keepers(id: &str) -> usize {
    let counters = Path::new(id).join("memory.stat");
    open().filter(|target| target.ends_with(&counters)).count()
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
        bench.driver.stats(id).unwrap();
        assert_eq!(keepers(id), 0, "after one reading");
        for _ in 0..20 {
            bench.driver.stats(id).unwrap();
            assert_eq!(keepers(id), 1);
        }
        // Whoever does not run it keeps them, too.
        other.stats(id).unwrap();
        other.stats(id).unwrap();
        assert_eq!(keepers(id), 2, "two drivers");
    });
    assert_eq!(keepers(id), 1, "the other was not asked again");
    let (error, text) = refused(other.stats(id));
    assert!(matches!(error, Error::NotFound { .. }), "{text}");
    assert_eq!(keepers(id), 0);
    assert_no_trace(&bench, id);
}

#[test]
fn no_more_than_were_asked_for_are_kept_and_none_of_many_that_are_read_in_turn() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    for most in [0, 1] {
        let bench = Bench::new().with_option(&format!("native.kept_open={most}"));
        let (first, second) = (bench.command(&["pause"]), bench.command(&["pause"]));
        bench.while_running(&first, |_| {
            bench.while_running(&second, |_| {
                let kept = || [keepers(&first.id), keepers(&second.id)];
                for _ in 0..3 {
                    bench.driver.stats(&first.id).unwrap();
                    bench.driver.stats(&second.id).unwrap();
                }
                assert_eq!(kept(), [0, 0], "in turn");
                bench.driver.stats(&second.id).unwrap();
                assert_eq!(kept(), [0, most]);
                bench.driver.stats(&first.id).unwrap();
                bench.driver.stats(&first.id).unwrap();
                assert_eq!(kept(), [most, 0], "the first has its place");
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
        // And ever after.
        for driver in [&bench.driver, &bench.other_driver(), &bench.driver] {
            let told = reads(driver, id);
            let nothing = MemoryStats::default();
            assert_eq!((told.usage, told.stats), (nothing.usage, nothing.stats));
        }
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
    let counts = |line: &str| line.split([':', ',']).any(|word| word == "memory");
    let (root, line) = match of(&counts) {
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
    let parent = format!("/{}", unique_id("contract-stats"));
    let command = bench.command(&["pause"]);
    let command = command.with_linux(|linux| linux.cgroup_parent.clone_from(&parent));
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        limit_parent(&parent);
        eventually("the run holds no cgroup", || !is_open(Path::new(id)));
        // Now the next ones are above all that are open: one reading has room, in the upper half.
        let below: Vec<_> = (0..400).map(|_| fs::File::open("/dev/null")).collect();
        for room in (1..24).rev() {
            let limited = Limited::to(highest() + room);
            let read: Vec<_> = (0..3).map(|_| bench.driver.stats(id)).collect();
            drop(limited);
            assert_eq!(keepers(id), 0);
            for stats in read {
                // What cannot be read for want of descriptors is not zero.
                let told =
                    stats.map(|stats| (stats.memory_limit, stats.cgroup.unwrap().pids_stats));
                let fine =
                    |(limit, pids): &(i64, PidsStats)| *limit == 96 << 20 && pids.current > 0;
                assert!(told.as_ref().map_or(room < 20, fine), "{room}: {told:?}");
            }
        }
        drop(below);
        bench.driver.stats(id).unwrap();
        bench.driver.stats(id).unwrap();
        assert_eq!(keepers(id), 1);
    });
}

/// 96 MiB for a cgroup above the container's, in the hierarchy that counts memory.
fn limit_parent(parent: &str) {
    let version_1 = format!("/sys/fs/cgroup/memory{parent}/memory.limit_in_bytes");
    let version_2 = format!("/sys/fs/cgroup{parent}/memory.max");
    let files = [version_1, version_2].map(PathBuf::from);
    let file = files.into_iter().find(|file| file.exists()).unwrap();
    fs::write(file, (96 << 20).to_string()).unwrap();
}

#[test]
fn who_ends_a_container_closes_what_it_read() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    let other = bench.other_driver();
    bench.while_running(&command, |_| {
        let ends: [&dyn Fn() -> execdriver::Result<()>; 2] =
            [&|| other.clean(id), &|| other.terminate(id)];
        for end in ends {
            other.stats(id).unwrap();
            other.stats(id).unwrap();
            assert_eq!(keepers(id), 1);
            // A container that runs is not cleaned.
            let _ = end();
            assert_eq!(keepers(id), 0);
        }
    });
}

#[test]
fn readings_at_once_keep_the_files_of_one() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        bench.driver.stats(id).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert!(reads(&bench.driver, id).usage.usage > 0);
                    }
                });
            }
        });
        assert_eq!(keepers(id), 1);
    });
    assert_eq!(keepers(id), 0);
}

#[test]
fn a_number_that_is_none_is_refused() {
    let _among = among();
    let bench = Bench::new();
    for value in ["-1", "many", "1025", ""] {
        let options = Options::parse([format!("native.kept_open={value}")]).unwrap();
        let opened = Registry::with_builtin().open("native", &bench.rootfs.state(), options);
        let (error, text) = refused(opened.map(drop));
        assert!(matches!(error, Error::InvalidOption { .. }), "{text}");
        assert!(text.contains("from 0 to 1024"), "{text}");
    }
}
