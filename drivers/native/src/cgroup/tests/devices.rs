//! Device rules on the real kernel: the same uses, in version 1 and in version 2.

use super::super::devices::{DevicePrograms, DeviceRule};
use super::*;
use nix::fcntl::OFlag;
use std::os::fd::OwnedFd;

/// A cgroup in one version alone, where the host has it and lets us enforce rules there.
fn only(version: Version) -> Option<Cgroup> {
    let mut host = host();
    host.list.retain(|one| match version {
        Version::V1 => one.controllers.has("devices"),
        Version::V2 => one.version == version,
    });
    let place = CgroupPath::new("", &unique_id("devices")).unwrap();
    let found = !host.list.is_empty();
    found.then(|| Cgroup::create(&host, &place, &[]).unwrap())
}

fn versions() -> Vec<Cgroup> {
    let found: Vec<_> = [Version::V1, Version::V2]
        .into_iter()
        .filter_map(only)
        .collect();
    assert!(!found.is_empty());
    found
}

fn rule(allow: bool, major: i64, minor: i64, access: &str) -> DeviceRule {
    DeviceRule::new(allow, "c", Some(major), Some(minor), access).unwrap()
}

/// The exit code of a script that begins in the cgroup.
fn code(script: &str, cgroup: &Cgroup) -> Option<i32> {
    let (read, write): (OwnedFd, OwnedFd) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("read go; {script}")])
        .stdin(read);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    cgroup.place(child.id(), false).unwrap();
    drop(write);
    child.wait().unwrap().code()
}

#[test]
fn only_allowed_devices_can_be_used() {
    if skip_unless(REAL) {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let node = temporary.path().join("node");
    let make = format!("mknod {} c 1 5", node.display());
    let programs = DevicePrograms::default();
    for cgroup in versions() {
        let first = [
            rule(true, -1, -1, "m"),
            rule(true, 1, 5, "r"),
            rule(true, 1, 7, "rw"),
        ];
        cgroup.restrict_devices(&first, &programs).unwrap();
        for (script, allowed) in [
            ("exec 3</dev/zero", true),
            ("exec 3>/dev/zero", false),
            ("exec 3<>/dev/zero", false),
            ("exec 3<>/dev/full", true),
            ("exec 3</dev/random", false),
            (make.as_str(), true),
        ] {
            let got = code(script, &cgroup);
            assert_eq!(
                got == Some(0),
                allowed,
                "{script} in {:?}: {got:?}",
                paths(&cgroup)
            );
        }
        fs::remove_file(&node).unwrap();
        cgroup.destroy(PATIENCE).unwrap();
    }
}

#[test]
fn rules_that_allow_everything_take_nothing_away() {
    if skip_unless(REAL) {
        return;
    }
    let programs = DevicePrograms::default();
    for cgroup in versions() {
        let all = DeviceRule::new(true, "a", None, None, "rwm").unwrap();
        cgroup.restrict_devices(&[all], &programs).unwrap();
        assert_eq!(code("exec 3</dev/full", &cgroup), Some(0));
        cgroup.destroy(PATIENCE).unwrap();
    }
}

#[test]
fn a_long_list_of_rules_is_enforced() {
    if skip_unless(REAL) {
        return;
    }
    let programs = DevicePrograms::default();
    for cgroup in versions() {
        let mut rules: Vec<_> = (0..1000)
            .map(|n| rule(true, 200 + n % 7, n, "rw"))
            .collect();
        rules.push(rule(true, 1, 5, "r"));
        cgroup.restrict_devices(&rules, &programs).unwrap();
        assert_eq!(code("exec 3</dev/zero", &cgroup), Some(0));
        assert_eq!(code("exec 3</dev/full", &cgroup), Some(2));
        cgroup.destroy(PATIENCE).unwrap();
    }
}
