//! First processes that wait for a container: whether one did, and what is there of those that still do.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use crate::contract::Started;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// What its cgroups are called.
pub(crate) fn cgroup_name(pid: u32) -> String {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let own = cgroups.lines().find(|line| line.contains("/execdriver/"));
    let name = own.and_then(|line| line.rsplit('/').next());
    name.unwrap_or_else(|| panic!("{cgroups}")).to_owned()
}

/// Whether its first process waited for it.
pub(crate) fn has_waited(started: &Started) -> bool {
    cgroup_name(started.pid).starts_with("ready-")
}

/// Whether any could: not where a filter of system calls is in force, which may be another thread's or not.
pub(crate) fn may_wait() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let may = status.lines().any(|line| line == "Seccomp:\t0");
    if !may {
        eprintln!("skipped: a filter of system calls is in force on this thread");
    }
    may
}

/// Of this process, or of another one: the directories of cgroups that were made before they were asked for.
pub(crate) fn ready(host: u32) -> BTreeSet<PathBuf> {
    found(|made_by| made_by == host)
}

/// Of processes that are gone.
pub(crate) fn of_the_dead() -> BTreeSet<PathBuf> {
    found(|made_by| !PathBuf::from(format!("/proc/{made_by}")).exists())
}

fn found(wanted: impl Fn(u32) -> bool) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let made_by = name
                .strip_prefix("ready-")
                .and_then(|rest| rest.split('-').nth(1));
            if made_by.is_some_and(|pid| pid.parse().is_ok_and(&wanted)) {
                found.insert(entry.path());
            } else if dir.components().count() < 6 {
                left.push(entry.path());
            }
        }
    }
    found
}

pub(crate) fn own() -> BTreeSet<PathBuf> {
    ready(std::process::id())
}

pub(crate) fn processes(dirs: &BTreeSet<PathBuf>) -> BTreeSet<i32> {
    let read = |dir: &PathBuf| fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let texts: Vec<String> = dirs.iter().map(read).collect();
    let pids = texts.iter().flat_map(|text| text.lines());
    pids.map(|pid| pid.parse().unwrap()).collect()
}

/// Whether a pool of this size in this process has all that it keeps: as many first processes, and as many sandboxes, of which
/// each has a descriptor of its IPC namespace, beside that of the thread which makes them.
pub(crate) fn is_full(size: usize) -> bool {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
    let ipc = targets.filter(|target| target.to_string_lossy().starts_with("ipc:["));
    processes(&own()).len() == size && ipc.count() == size + 1
}
