//! `native.sandbox_pool`: containers most of which was made ahead are as all others, and as apart.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, Started, refused, remapped};
use execdriver::{Command, Device, Hooks, Mount, Network, Options, Pipes, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, SystemTime};
use support::{Baseline, Need, alone, among, eventually, skip_unless};

const RUNS: usize = 12;

/// A bench whose driver keeps sandboxes, some of which are of this command's shape.
fn pooled(mut bench: Bench, command: &Command) -> Bench {
    let options = Options::parse(["native.sandbox_pool=2"]).unwrap();
    let opened = Registry::with_builtin().open("native", &bench.rootfs.state(), options);
    bench.driver = opened.unwrap();
    let mut one = command.clone();
    eventually("a sandbox is there before it is asked for", || {
        one.id = support::unique_id("warm");
        let (_, age) = bench.while_running(&one, age);
        age > Duration::from_millis(1)
    });
    bench
}

/// How long the container's /dev was there before its first process.
fn age(started: &Started) -> Duration {
    let made = |path: String| std::fs::metadata(path).unwrap().modified().unwrap();
    let null = made(format!("/proc/{}/root/dev/null", started.pid));
    // Init writes nothing there before it is in its cgroups.
    let proc = SystemTime::now() - lifetime(started.pid);
    proc.duration_since(null).unwrap_or_default()
}

/// How long a process has lived.
fn lifetime(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').nth(19).unwrap().parse().unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let (seconds, _) = uptime.split_once(' ').unwrap();
    // A tick is 10 ms; rounded up, so that what is made by the container itself is younger for sure.
    let now: f64 = seconds.parse().unwrap();
    Duration::from_secs_f64((now - ticks as f64 / 100.0).max(0.0) + 0.02)
}

fn pause(bench: &Bench) -> Command {
    bench.command(&["pause"])
}

/// A line of mountinfo without the numbers of its mounts and file system, and without the root's, which is the host's.
fn without_numbers(line: &str) -> String {
    match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
        [_, _, device, rest] if device.contains(':') => match rest.split(' ').nth(1) == Some("/") {
            true => String::new(),
            false => rest.to_owned(),
        },
        _ => line.to_owned(),
    }
}

/// What is below a directory of a container, with all that can be seen of it from outside but its times and numbers.
fn entries(started: &Started, directory: &str) -> BTreeMap<PathBuf, String> {
    let root = PathBuf::from(format!("/proc/{}/root", started.pid));
    let mut left = vec![root.join(directory)];
    let mut found = BTreeMap::new();
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let link = std::fs::read_link(&path).unwrap_or_default();
        let said = format!(
            "{:o} {}:{} {:x} {}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.rdev(),
            link.display()
        );
        found.insert(path.strip_prefix(&root).unwrap().to_owned(), said);
        if meta.is_dir() && !path.ends_with("pts") {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|one| one.unwrap().path()),
            );
        }
    }
    found
}

/// The mounts of a container, in the order of their paths.
fn mounts(started: &Started) -> Vec<String> {
    let table = std::fs::read_to_string(format!("/proc/{}/mounts", started.pid)).unwrap();
    // The root's own line has the host's file system. It is not the first where mounts were made before it.
    let inner = table.lines().filter(|line| !line.contains(" / "));
    let mut lines: Vec<String> = inner.map(str::to_owned).collect();
    lines.sort();
    lines
}

fn seen(bench: &Bench, command: &Command) -> (BTreeMap<PathBuf, String>, Vec<String>, usize) {
    let mut command = command.clone();
    command.id = support::unique_id("seen");
    let look = |started: &Started| {
        // The cgroup's path is the container's own, its hierarchies are the host's.
        let mounts = mounts(started).join("\n").replace(&command.id, "ID");
        let said = bench.exec(&command.id, &["mounts"]);
        let inside: BTreeSet<String> = said.out.lines().map(str::to_owned).collect();
        let inside: Vec<String> = inside.into_iter().skip(1).collect();
        let mounts = mounts.lines().map(str::to_owned).collect();
        (entries(started, "dev"), mounts, inside.len())
    };
    bench.while_running(&command, look).1
}

#[test]
fn a_container_made_ahead_looks_as_one_that_was_not() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let plain = Bench::new();
    let ahead = pooled(Bench::new(), &pause(&plain));
    for tty in [false, true] {
        let (mut one, mut other) = (pause(&plain), pause(&ahead));
        (one.process.tty, other.process.tty) = (tty, tty);
        let (expected, got) = (seen(&plain, &one), seen(&ahead, &other));
        assert_eq!(got.0, expected.0);
        assert_eq!(got.1, expected.1);
        assert_eq!(got.2, expected.2);
        assert!(expected.0.len() > 15, "{expected:?}");
    }
}

/// What no two containers that live have in common.
fn own(started: &Started) -> Vec<String> {
    let root = format!("/proc/{}", started.pid);
    let namespaces = ["net", "ipc", "mnt", "uts"].map(|kind| {
        let link = std::fs::read_link(format!("{root}/ns/{kind}")).unwrap();
        link.to_string_lossy().into_owned()
    });
    let mounts = ["", "/shm", "/pts", "/mqueue"].map(|path| {
        let meta = std::fs::metadata(format!("{root}/root/dev{path}")).unwrap();
        format!("file system {}", meta.dev())
    });
    namespaces.into_iter().chain(mounts).collect()
}

#[test]
fn every_container_has_one_that_nobody_had_before() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = Bench::new();
    let command = pause(&bench);
    let bench = pooled(bench, &command);
    let seen = Mutex::new(BTreeSet::new());
    // All live at once: the kernel may use the number of what is gone again.
    let all = Barrier::new(RUNS);
    std::thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| {
                let command = pause(&bench);
                bench.while_running(&command, |started| {
                    seen.lock().unwrap().extend(own(started));
                    let said = bench.exec(&command.id, &["loopback"]);
                    all.wait();
                    assert_eq!(said.status.code, 0, "{said:?}");
                });
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), RUNS * 8, "{seen:?}");
}

#[test]
fn what_a_container_leaves_in_it_no_later_one_finds() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = Bench::new();
    let words = [
        "seq",
        "ls",
        "/dev/shm",
        ",",
        "ls",
        "/dev/mqueue",
        ",",
        "touch",
        "/dev/shm/left",
        ",",
        "touch",
        "/dev/mqueue/left",
        ",",
        "touch",
        "/dev/left",
        ",",
        "shm",
        "put",
        "77",
        "left",
    ];
    let command = bench.command(&words);
    let bench = pooled(bench, &pause(&Bench::new()));
    for _ in 0..RUNS {
        let mut dirty = command.clone();
        dirty.id = support::unique_id("dirty");
        assert_eq!(bench.output(&dirty).trim(), "ok\nok\nok\nok");
        let found = bench.run(&bench.command(&["shm", "get", "77"]));
        assert_ne!(found.status.code, 0, "{found:?}");
    }
}

#[test]
fn a_pre_start_hook_finds_the_containers_namespaces_and_not_the_hosts() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = Bench::new();
    let command = pause(&bench);
    let bench = pooled(bench, &command);
    for kind in ["net", "ipc"] {
        let seen = Mutex::new(String::new());
        let hooks = Hooks::none().on_pre_start(|context| {
            let link = std::fs::read_link(format!("/proc/{}/ns/{kind}", context.pid))?;
            *seen.lock().unwrap() = link.to_string_lossy().into_owned();
            Ok(())
        });
        let said = bench.run_with(&bench.command(&["ns", kind]), Pipes::null(), &hooks);
        drop(hooks);
        assert_eq!(said.out.trim(), *seen.lock().unwrap());
        let own = std::fs::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap();
        assert_ne!(said.out.trim(), own.to_string_lossy());
    }
}

#[test]
fn containers_of_other_shapes_get_what_they_ask_for() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bench = Bench::new();
    let command = pause(&bench);
    let bench = pooled(bench, &command);
    let mut shared = bench.command(&["ns", "net"]);
    shared.network = Some(Network::host());
    let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    assert_eq!(bench.output(&shared).trim(), own.to_string_lossy());
    let words = [
        "seq",
        "stat",
        "/dev/more/zero",
        ",",
        "stat",
        "/dev/full",
        ",",
        "mounts",
    ];
    let other = bench.command(&words).with_linux(|linux| {
        linux.autocreated_devices = vec![Device::node("/dev/more/zero", 1, 5)];
    });
    let bound = |mut command: Command| {
        command.mounts = vec![
            Mount::tmpfs("/dev/inner", "size=64k"),
            Mount::bind(bench.rootfs.outside(), "/dev/shm/of-the-host"),
            Mount::bind(bench.rootfs.outside(), "/sys/fs/cgroup/of-the-host"),
        ];
        command
    };
    let mut expected = Vec::new();
    let plain = Bench::new();
    for (bench, times) in [(&plain, 1), (&bench, 4)] {
        for command in [other.clone(), bound(other.clone())] {
            let mut said = BTreeSet::new();
            for _ in 0..times {
                let mut command = Command {
                    rootfs: bench.rootfs.path(),
                    ..command.clone()
                };
                command.id = support::unique_id("other");
                let outcome = bench.try_run(&command);
                let words =
                    outcome.map_or_else(|error| format!("{error:?}"), |outcome| outcome.out);
                let mut lines: Vec<String> = words.lines().map(without_numbers).collect();
                lines.sort_unstable();
                said.insert(lines.join("\n").replace(&command.id, "ID"));
            }
            assert_eq!(said.len(), 1, "{said:?}");
            expected.extend(said);
        }
    }
    for (expected, got) in [(&expected[0], &expected[2]), (&expected[1], &expected[3])] {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (expected, got) = (lines(expected), lines(got));
        let differ: Vec<_> = expected.symmetric_difference(&got).collect();
        assert!(differ.is_empty(), "{differ:#?}");
    }
    let (bench, change) = remapped();
    let bench = {
        let mut bench = bench;
        let options = Options::parse(["native.sandbox_pool=2"]).unwrap();
        let opened = Registry::with_builtin().open("native", &bench.rootfs.state(), options);
        bench.driver = opened.unwrap();
        bench
    };
    for _ in 0..3 {
        let said = bench.run(&change(bench.command(&["ifup"])));
        assert_eq!(said.status.code, 0, "its own user namespace's: {said:?}");
    }
}

/// CVE-2019-19921: a sysfs at the end of a link.
#[test]
fn what_was_made_ahead_is_mounted_on_real_directories_alone() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let plain = Bench::new();
    let ahead = pooled(Bench::new(), &pause(&plain));
    let mut words = Vec::new();
    for bench in [&plain, &ahead] {
        let sys = bench.rootfs.path().join("sys");
        let _ = std::fs::remove_dir(&sys);
        std::os::unix::fs::symlink("etc", &sys).unwrap();
        let (_, said) = refused(bench.try_run(&bench.command(&["true"])).map(drop));
        assert!(said.contains("not a real directory"), "{said}");
        words.push(said.contains("/sys"));
        std::fs::remove_file(&sys).unwrap();
        bench.says(&["true"]);
    }
    assert_eq!(words, [true, true]);
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
    let other = Bench::new();
    let command = pause(&other);
    let other = pooled(other, &command);
    for _ in 0..3 {
        other.says(&["true"]);
    }
    drop(other);
    baseline.assert_back();
}

#[test]
fn sizes_that_are_none_and_two_pools_at_once_are_refused() {
    let _among = among();
    let rootfs = support::Rootfs::new();
    let refusal = |options: &[&str]| {
        let options = Options::parse(options).unwrap();
        refused(
            Registry::with_builtin()
                .open("native", &rootfs.state(), options)
                .map(drop),
        )
        .1
    };
    for size in ["x", "-1", "65", ""] {
        let words = refusal(&[&format!("native.sandbox_pool={size}")]);
        assert!(words.contains("native.sandbox_pool"), "{words}");
        assert!(words.contains("0 to 64"), "{words}");
    }
    let words = refusal(&["native.sandbox_pool=1", "native.netns_pool=1"]);
    assert!(words.contains("give one of the two"), "{words}");
}
