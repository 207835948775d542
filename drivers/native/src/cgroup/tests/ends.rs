//! How the processes of a cgroup end and its directories go: bombs, frozen ones, deep trees, no cgroup at all.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A fork bomb that begins at a line on its input, when it is in its cgroup: a tree of 127 processes whose leaves end and
/// are replaced all the time. It cannot take the machine, on which nobody may come to kill it when it is busy; the limit is
/// its user's, as root has none and not every cgroup here has one, and a shell that meets it would give up.
fn bomb() -> Child {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let user = 1_000_000 + std::process::id() * 16 + COUNT.fetch_add(1, Ordering::Relaxed);
    let mut command = Command::new("prlimit");
    command.args(["--nproc=300:300", "setpriv", "--clear-groups"]);
    command.args([format!("--reuid={user}"), format!("--regid={user}")]);
    let tree = "g() { [ $1 -gt 0 ] || exec sleep 0.1; while :; do g $(($1 - 1)) & g $(($1 - 1)) & wait; done; }";
    let script = format!("{tree}; read go && g 6");
    command.args(["sh", "-c", &script]).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn a_fork_bomb_is_killed_with_and_without_a_freezer_and_without_version_2() {
    if skip_unless(REAL) {
        return;
    }
    for without in [&[][..], &["unified"], &["unified", "freezer"]] {
        let mut cgroup = create("", "bomb");
        let all = paths(&cgroup);
        fs::write(member(&cgroup, "pids").join("pids.max"), "300").unwrap();
        let mut child = bomb();
        cgroup.place(child.id(), false).unwrap();
        let mut go = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut go, b"go\n").unwrap();
        eventually("it grows", || cgroup.pids().unwrap().pids.len() > 50);
        let (kept, left): (Vec<Member>, Vec<Member>) = cgroup.members.drain(..).partition(|m| {
            let v2 = m.version == Version::V2 && without.contains(&"unified");
            !v2 && !m.controllers.names().any(|c| without.contains(&c))
        });
        cgroup.members = kept;
        cgroup.kill_all(PATIENCE).unwrap();
        child.wait().unwrap(); // It may have met its limit before it was killed.
        cgroup.members.extend(left);
        assert_eq!(cgroup.pids().unwrap(), Pids::default());
        cgroup.destroy(PATIENCE).unwrap();
        assert!(all.iter().all(|path| !path.exists()));
    }
}

#[test]
fn a_version_2_host_needs_nothing_of_version_1_and_not_even_cgroup_kill() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let mut host = host();
    host.list.retain(|one| one.version == Version::V2);
    if host.list.is_empty() {
        assert!(!skip_unless(&[Need::CgroupV2]));
        return;
    }
    let place = CgroupPath::new(&unique_id("two"), &unique_id("two")).unwrap();
    for whole in [true, false] {
        let cgroup = Cgroup::create(&host, &place, &[]).unwrap();
        let mut child = bomb();
        cgroup.place(child.id(), false).unwrap();
        let mut go = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut go, b"go\n").unwrap();
        eventually("it grows", || cgroup.pids().unwrap().pids.len() > 50);
        assert!(cgroup.counters().cpu_user.is_some());
        if !whole {
            cgroup.freeze();
            assert!(cgroup.is_frozen());
            while !cgroup.inhabited().unwrap().is_empty() {
                kill::signal_all(cgroup.unified().unwrap()).unwrap();
            }
            cgroup.thaw();
        }
        let path = PathBuf::from(&cgroup.members[0].path);
        cgroup.destroy(PATIENCE).unwrap();
        child.wait().unwrap();
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }
}

#[test]
fn a_frozen_container_dies_at_once_and_frozen_sub_cgroups_too() {
    if skip_unless(REAL) {
        return;
    }
    let cgroup = create("", "frozen");
    let below = member(&cgroup, "freezer").join("below");
    fs::create_dir(&below).unwrap();
    let (mut upper, mut lower) = (spawn("exec sleep 60"), spawn("exec sleep 60"));
    cgroup.place(upper.id(), false).unwrap();
    cgroup.place(lower.id(), false).unwrap();
    fs::write(below.join("cgroup.procs"), lower.id().to_string()).unwrap();
    assert!(!cgroup.is_frozen());
    for frozen in [&below, member(&cgroup, "freezer")] {
        fs::write(frozen.join("freezer.state"), "FROZEN").unwrap();
    }
    assert!(cgroup.is_frozen());
    cgroup.kill_all(PATIENCE).unwrap();
    assert_eq!(upper.wait().unwrap().signal(), Some(9));
    assert_eq!(lower.wait().unwrap().signal(), Some(9));
    assert!(!cgroup.is_frozen());
    cgroup.destroy(PATIENCE).unwrap();
    assert!(!below.exists());
}

#[test]
fn nested_cgroups_are_listed_killed_and_removed_however_deep_and_wide_they_are() {
    if skip_unless(REAL) {
        return;
    }
    let cgroup = create("", "deep");
    let mut children = Vec::new();
    for member in &cgroup.members {
        let mut path = PathBuf::from(&member.path);
        for depth in 0..300 {
            path.push("d");
            fs::create_dir(&path).unwrap();
            if depth % 100 == 0 {
                fs::create_dir(path.join("wide")).unwrap();
            }
        }
        let cpuset = member.controllers.has("cpuset");
        if !cpuset {
            let child = spawn("exec sleep 60");
            fs::write(path.join("cgroup.procs"), child.id().to_string()).unwrap();
            children.push(child);
        }
    }
    assert_eq!(cgroup.pids().unwrap().pids.len(), 1);
    let directories = paths(&cgroup);
    // Some three thousand.
    cgroup.destroy(12 * PATIENCE).unwrap();
    assert!(directories.iter().all(|path| !path.exists()));
    for mut child in children {
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}

#[test]
fn what_cannot_be_removed_is_an_error_after_a_bounded_time() {
    if skip_unless(REAL) {
        return;
    }
    let cgroup = create("", "busy");
    let mut child = spawn("exec sleep 60");
    cgroup.place(child.id(), false).unwrap();
    let record = cgroup.record();
    let started = Instant::now();
    let error = cgroup.remove(Duration::from_millis(100)).unwrap_err();
    assert!(error.to_string().contains("busy-"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
    Cgroup::open(&record).unwrap().destroy(PATIENCE).unwrap();
    child.wait().unwrap();
}

#[test]
fn without_a_cgroup_the_processes_of_a_pid_namespace_are_found_and_killed() {
    if skip_unless(&[Need::Root, Need::Program("unshare")]) {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "sh", "-c"]);
    command.arg("sleep 61 & unshare --pid --fork sleep 62 & wait");
    let mut child = command.spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let mut init = 0;
    eventually("init and three more", || {
        let text = fs::read_to_string(&children).unwrap_or_default();
        init = text.trim().parse().unwrap_or(0);
        init != 0 && pidns::pids(init).is_ok_and(|found| found.pids.len() == 4)
    });
    let found = pidns::pids(init).unwrap().pids;
    assert!(found.contains(&init) && !found.contains(&child.id()));
    let pidfd = crate::sys::pidfd::open(i32::try_from(init).unwrap()).unwrap();
    pidns::kill_init(pidfd.as_fd(), PATIENCE).unwrap();
    child.wait().unwrap();
    for pid in found {
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
    assert_eq!(pidns::pids(init), Err(Errno::ESRCH));
    assert_eq!(pidns::pids(std::process::id()), Err(Errno::ENOTSUP));
}
