//! Cgroups on temporary trees (as any user) and on the real kernel (as root).

mod devices;
mod ends;

use super::*;
use crate::support::{Need, eventually, skip_unless, unique_id};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const REAL: &[Need] = &[Need::Root, Need::CgroupV1("freezer")];

fn host() -> Hierarchies {
    Hierarchies::read().unwrap()
}

fn create(parent: &str, stem: &str) -> Cgroup {
    let place = CgroupPath::new(parent, &unique_id(stem)).unwrap();
    Cgroup::create(&host(), &place, &[]).unwrap()
}

fn paths(cgroup: &Cgroup) -> Vec<PathBuf> {
    cgroup
        .members
        .iter()
        .map(|m| PathBuf::from(&m.path))
        .collect()
}

fn spawn(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn member<'a>(cgroup: &'a Cgroup, controller: &str) -> &'a Path {
    cgroup.controller(controller).unwrap().path.as_path()
}

#[test]
fn on_a_plain_tree_a_container_has_a_directory_in_each_hierarchy_and_cpusets_are_inherited() {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path();
    for file in ["cpuset/own/cpuset.cpus", "cpuset/own/cpuset.mems"] {
        fs::create_dir_all(root.join("cpuset/own")).unwrap();
        fs::write(root.join(file), "0-1\n").unwrap();
    }
    fs::create_dir_all(root.join("unified")).unwrap();
    let hierarchy = |version, controller: &str, own: &str| Hierarchy {
        version,
        controllers: controller.into(),
        mount: root.join(if controller.is_empty() {
            "unified"
        } else {
            controller
        }),
        root: "/".into(),
        own: Some(own.to_owned()),
    };
    let mut host = Hierarchies {
        list: vec![hierarchy(Version::V2, "", "/")],
        verify: false,
    };
    let place = CgroupPath::new("../jobs", "c1").unwrap();
    let cgroup = Cgroup::create(&host, &place, &[]).unwrap();
    assert!(root.join("unified/jobs/c1").is_dir());
    assert!(cgroup.unified_dir().is_some() && !cgroup.has("cpuset"));
    cgroup.remove(PATIENCE).unwrap();
    assert!(!root.join("unified/jobs").exists());

    // A plain directory has no cpuset files to inherit into: it fails, and takes all back.
    host.list.push(hierarchy(Version::V1, "cpuset", "/own"));
    let error = Cgroup::create(&host, &place, &[]).unwrap_err().to_string();
    assert!(error.contains("cpuset/own/jobs"), "{error}");
    assert!(!root.join("unified/jobs").exists());

    // The real check takes a plain directory for what it is.
    host.verify = true;
    let error = Cgroup::create(&host, &place, &[]).unwrap_err();
    assert!(matches!(error, CgroupError::NotACgroup { .. }), "{error}");
}

#[test]
fn where_a_user_may_make_none_the_error_says_why_and_what_to_do() {
    let bare = Hierarchies::detect("", "");
    let place = CgroupPath::new("", "c1").unwrap();
    let error = Cgroup::create(&bare, &place, &[]).unwrap_err().to_string();
    assert!(error.contains("mount -t cgroup2"), "{error}");
    if skip_unless(&[Need::OrdinaryUser]) {
        return;
    }
    match Cgroup::create(&host(), &place, &[]) {
        Err(error @ CgroupError::Unavailable { .. }) => {
            assert!(
                error.to_string().contains("start the host program"),
                "{error}"
            );
        }
        Ok(cgroup) => cgroup.remove(PATIENCE).unwrap(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_container_is_made_filled_counted_recorded_and_destroyed_in_every_hierarchy() {
    if skip_unless(REAL) {
        return;
    }
    let cgroup = create("", "whole");
    assert_eq!(cgroup.members.len(), host().list.len());
    let mut child = spawn("while :; do :; done");
    cgroup.place(child.id(), false).unwrap();
    assert_eq!(cgroup.pids().unwrap().pids, [child.id()]);
    let record = cgroup.record();
    let own = fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
    let leaf = member(&cgroup, "freezer")
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert!(own.lines().all(|line| line.ends_with(leaf)), "{own}");

    let again = Cgroup::open(&record).unwrap();
    assert_eq!(again.record(), record);
    eventually("some processor time", || {
        again.counters().cpu_user.unwrap() > Duration::ZERO
    });
    assert!(again.counters().peak_memory.is_some());
    let directories = paths(&again);
    again.destroy(PATIENCE).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(directories.iter().all(|path| !path.exists()));

    // Gone is fine, for the one that was open and for the record.
    cgroup.kill_all(PATIENCE).unwrap();
    cgroup.destroy(PATIENCE).unwrap();
    assert!(Cgroup::open(&record).unwrap().members.is_empty());
}

#[test]
fn a_cgroup_of_the_same_name_that_somebody_made_later_is_not_ours() {
    if skip_unless(REAL) {
        return;
    }
    let cgroup = create("", "later");
    let record = cgroup.record();
    for path in paths(&cgroup) {
        fs::remove_dir(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
    assert!(Cgroup::open(&record).unwrap().members.is_empty());
    let directories = paths(&cgroup);
    cgroup.destroy(PATIENCE).unwrap();
    for path in directories {
        fs::remove_dir(&path).unwrap();
    }
}

#[test]
fn a_name_in_use_is_refused_and_what_a_crash_left_empty_is_replaced() {
    if skip_unless(REAL) {
        return;
    }
    let place = CgroupPath::new("", &unique_id("used")).unwrap();
    let first = Cgroup::create(&host(), &place, &[]).unwrap();
    let mut child = spawn("exec sleep 60");
    first.place(child.id(), false).unwrap();
    let error = Cgroup::create(&host(), &place, &[]).unwrap_err();
    assert!(matches!(error, CgroupError::InUse { .. }), "{error}");
    assert_eq!(first.pids().unwrap().pids, [child.id()]);
    first.kill_all(PATIENCE).unwrap();
    child.wait().unwrap();
    drop(first); // A crash: nothing was removed.
    let second = Cgroup::create(&host(), &place, &[]).unwrap();
    second.destroy(PATIENCE).unwrap();
}

#[test]
fn parents_that_we_made_go_with_the_last_container_and_others_stay() {
    if skip_unless(REAL) {
        return;
    }
    let outer = unique_id("outer");
    let parent = format!("{outer}/inner");
    for maker_ends_first in [false, true] {
        let (one, two) = (create(&parent, "one"), create(&parent, "two"));
        let inner = member(&one, "freezer").parent().unwrap().to_owned();
        let cpus = fs::read_to_string(member(&one, "cpuset").join("cpuset.cpus")).unwrap();
        assert!(!cpus.trim().is_empty());
        let hands_down = member(&one, "cpuset").parent().unwrap();
        let hands_down = fs::read_to_string(hands_down.join("cgroup.clone_children"));
        assert_eq!(hands_down.unwrap().trim(), "1");
        let (first, last) = match maker_ends_first {
            true => (one, two),
            false => (two, one),
        };
        first.destroy(PATIENCE).unwrap();
        assert!(inner.exists());
        // As another process does, which has the record alone.
        let last = Cgroup::open(&last.record()).unwrap();
        last.destroy(PATIENCE).unwrap();
        assert!(!inner.exists() && !inner.parent().unwrap().exists());
    }

    let made: Vec<PathBuf> = host()
        .list
        .iter()
        .map(|h| h.own_directory().unwrap().join(&outer))
        .collect();
    for path in &made {
        fs::create_dir(path).unwrap();
    }
    create(&outer, "three").destroy(PATIENCE).unwrap();
    for path in &made {
        fs::remove_dir(path).unwrap();
    }
    let kept = CgroupPath::new(&outer, "four").unwrap().keeping_parents();
    let four = Cgroup::create(&host(), &kept, &[]).unwrap();
    four.destroy(PATIENCE).unwrap();
    for path in &made {
        fs::remove_dir(path).unwrap();
    }
}

#[test]
fn containers_under_one_parent_come_and_go_in_parallel() {
    if skip_unless(REAL) {
        return;
    }
    let parent = unique_id("shared");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..50 {
                    create(&parent, "many").destroy(PATIENCE).unwrap();
                }
            });
        }
    });
    for hierarchy in host().list {
        let _ = fs::remove_dir(hierarchy.own_directory().unwrap().join(&parent));
    }
}

#[test]
fn a_process_with_an_entry_file_places_itself() {
    if skip_unless(REAL) {
        return;
    }
    let cgroup = create("", "entry");
    for (file, member) in cgroup
        .entry_files()
        .unwrap()
        .into_iter()
        .zip(cgroup.version_1())
    {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo 0 >&0; exec sleep 60"])
            .stdin(file);
        let mut child = command.spawn().unwrap();
        eventually("the child is in", || {
            walk::pids(member.dir.as_fd()).unwrap().pids == [child.id()]
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }
    cgroup.destroy(PATIENCE).unwrap();
}

#[test]
fn a_failure_in_one_hierarchy_takes_back_what_was_made_in_the_others() {
    if skip_unless(REAL) {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut host = host();
    // A directory on the tmpfs of /sys/fs/cgroup would look just like this one.
    host.list.push(Hierarchy {
        version: Version::V1,
        controllers: "imaginary".into(),
        mount: temporary.path().to_owned(),
        root: "/".into(),
        own: Some("/".into()),
    });
    let (parent, id) = (unique_id("back"), unique_id("back"));
    let place = CgroupPath::new(&parent, &id).unwrap();
    let error = Cgroup::create(&host, &place, &[]).unwrap_err();
    assert!(matches!(error, CgroupError::NotACgroup { .. }), "{error}");
    for hierarchy in &host.list {
        assert!(!hierarchy.own_directory().unwrap().join(&parent).exists());
    }
}

#[test]
fn a_kill_by_the_kernel_for_want_of_memory_is_counted_in_sub_cgroups_too() {
    if skip_unless(&[Need::Root, Need::CgroupV1("memory")]) {
        return;
    }
    let cgroup = create("", "oom");
    assert_eq!(cgroup.counters().oom_kills, Some(0));
    let memory = member(&cgroup, "memory").to_owned();
    fs::create_dir(memory.join("below")).unwrap();
    fs::write(memory.join("memory.limit_in_bytes"), "8388608").unwrap();
    for place in [memory.clone(), memory.join("below")] {
        let mut child = spawn("sleep 0.2; exec tail /dev/zero");
        fs::write(place.join("cgroup.procs"), child.id().to_string()).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    assert_eq!(cgroup.counters().oom_kills, Some(2));
    assert!(cgroup.counters().peak_memory.unwrap() >= 4 << 20);
    cgroup.destroy(PATIENCE).unwrap();
}
