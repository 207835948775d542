//! `native.sandbox_pool`: containers most of which was made ahead are as all others, and as apart.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "contract/ahead.rs"]
mod ahead;
mod contract;
mod support;
#[path = "contract/view.rs"]
mod view;

use ahead::{has_waited, may_wait};
use contract::{Bench, Started, refused, remapped};
use execdriver::{
    CgroupNamespace, Command, Device, Hooks, Mount, Network, Options, Pipes, Registry,
};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::sync::{Barrier, Mutex};
use support::{Baseline, Need, alone, among, eventually, skip_unless};
use view::{View, is_ahead, view, without_numbers};

const RUNS: usize = 12;
const POOL: &str = "native.sandbox_pool=2";

/// A bench whose driver keeps sandboxes, some of which are of this command's shape.
fn pooled(bench: Bench, command: &Command) -> Bench {
    let bench = bench.with_option(POOL);
    let mut one = command.clone();
    eventually("a sandbox is there before it is asked for", || {
        one.id = support::unique_id("warm");
        bench.while_running(&one, is_whole).1
    });
    bench
}

/// Whether all was there before it that can be.
fn is_whole(started: &Started) -> bool {
    is_ahead(started) && (has_waited(started) || !may_wait())
}

fn pause(bench: &Bench) -> Command {
    bench.command(&["pause"])
}

/// The view of a container of this command that was made ahead, or that was not.
fn seen(bench: &Bench, command: &Command, ahead: bool) -> View {
    let mut found = None;
    eventually("it is made ahead, or not, as wanted", || {
        let mut command = command.clone();
        command.id = support::unique_id("seen");
        let look = |started: &Started| (is_whole(started), view(bench, &command.id, started));
        let (_, (was_ahead, view)) = bench.while_running(&command, look);
        found = Some(view);
        was_ahead == ahead
    });
    found.unwrap()
}

#[test]
fn a_container_made_ahead_looks_as_one_that_was_not() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let plain = Bench::new();
    let ahead = pooled(Bench::new(), &pause(&plain));
    let terminal = |mut command: Command| {
        command.process.tty = true;
        command
    };
    for change in [|command| command, terminal] {
        let expected = seen(&plain, &change(pause(&plain)), false);
        let got = seen(&ahead, &change(pause(&ahead)), true);
        assert_eq!(got.dev, expected.dev);
        let differ: Vec<_> = got.mounts.symmetric_difference(&expected.mounts).collect();
        assert!(differ.is_empty(), "{differ:#?}");
        assert_eq!(
            (got.cgroups, got.own_cgroup),
            (expected.cgroups, expected.own_cgroup)
        );
        assert!(expected.dev.len() > 15, "{:?}", expected.dev);
        assert!(expected.mounts.len() > 10, "{:?}", expected.mounts);
    }
}

/// A hierarchy of the host's would show all of its cgroups.
#[test]
fn a_container_in_anothers_cgroup_namespace_sees_no_more_than_that() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let plain = Bench::new();
    let ahead = pooled(Bench::new(), &pause(&plain));
    let roots = |bench: &Bench| {
        let other = pause(bench);
        let (_, roots) = bench.while_running(&other, |_| {
            let command = bench.command(&["mounts"]).with_linux(|linux| {
                linux.cgroup_namespace = Some(CgroupNamespace::of_container(&other.id));
            });
            let mut all = BTreeSet::new();
            for _ in 0..4 {
                let mut command = command.clone();
                command.id = support::unique_id("joined");
                let table = bench.output(&command).replace(&command.id, "ID");
                let table = table.replace(&other.id, "OTHER");
                all.insert(table.lines().map(without_numbers).collect::<BTreeSet<_>>());
            }
            all
        });
        roots
    };
    let (expected, got) = (roots(&plain), roots(&ahead));
    assert_eq!(expected.len(), 1, "{expected:#?}");
    assert_eq!(got, expected);
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
                let words = bench.output(&command);
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
    let bench = bench.with_option(POOL);
    for _ in 0..3 {
        let said = bench.run(&change(bench.command(&["ifup"])));
        assert_eq!(said.status.code, 0, "its own user namespace's: {said:?}");
    }
}

/// CVE-2019-19921: a sysfs at the end of a link. The place that this is refused at is the same where it is attached ready-made.
#[test]
fn what_was_made_ahead_is_mounted_on_real_directories_alone() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let plain = Bench::new();
    let ahead = pooled(Bench::new(), &pause(&plain));
    let mut steps = BTreeSet::new();
    for bench in [&plain, &ahead] {
        let sys = bench.rootfs.path().join("sys");
        let _ = std::fs::remove_dir(&sys);
        std::os::unix::fs::symlink("etc", &sys).unwrap();
        // The pool has two at most, and each refused start takes one.
        for _ in 0..4 {
            let (_, said) = refused(bench.try_run(&bench.command(&["true"])).map(drop));
            assert!(said.contains("not a real directory"), "{said}");
            steps.insert(said.contains("made ahead"));
        }
        std::fs::remove_file(&sys).unwrap();
        bench.says(&["true"]);
    }
    assert_eq!(steps.len(), 2, "with what was made ahead, too");
}

#[test]
fn a_dropped_driver_leaves_nothing_of_its_pool() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let mark = format!("-{}-", std::process::id());
    let baseline = Baseline::take(&bench.rootfs, &[&mark]);
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
