//! What the host has of a container: processes, cgroups, its state directory, mounts.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use super::contract::{Bench, SOON};
use super::support::within;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether a process exists, a zombie not counted.
pub(crate) fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}

/// Waits until a process is gone.
#[track_caller]
pub(crate) fn assert_gone(pid: u32) {
    assert!(within(SOON, || !alive(pid)), "process {pid} lives");
}

/// The cgroup directories of this host whose name contains `id`.
pub(crate) fn cgroups_of(id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((dir, depth)) = todo.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains(id) {
                    found.push(entry.path());
                }
                if depth < 8 {
                    todo.push((entry.path(), depth + 1));
                }
            }
        }
    }
    found
}

/// The state directory of a container.
pub(crate) fn state_dir(bench: &Bench, id: &str) -> PathBuf {
    bench.rootfs.state().join("execdriver/native").join(id)
}

/// Nothing of a container is left: neither state nor cgroups.
#[track_caller]
pub(crate) fn assert_no_trace(bench: &Bench, id: &str) {
    let left = cgroups_of(id);
    assert!(left.is_empty(), "{left:?}");
    assert!(!state_dir(bench, id).exists(), "its state is left");
}

/// Runs `test`, the whole of the calling test function, in a process with mounts of its own: what it mounts goes
/// with it. Needs root.
#[track_caller]
pub(crate) fn in_own_mounts(name: &str, test: impl FnOnce()) {
    const INSIDE: &str = "EXECDRIVER_TEST_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return test();
    }
    let own = std::env::current_exe().expect("our own path");
    // In there a directory with a mount below it cannot be removed; out here there is no mount.
    let temp = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(own)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, name)
        .env("TMPDIR", temp.path())
        .output()
        .expect("unshare runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{out}\n{err}"
    );
}

/// Mounts a tmpfs on `target`, made first; only for `in_own_mounts`.
pub(crate) fn host_tmpfs(target: &Path, propagation: &str) {
    std::fs::create_dir_all(target).expect("our own directory");
    for words in [vec!["-t", "tmpfs", "none"], vec![propagation]] {
        let done = Command::new("mount").args(words).arg(target).status();
        assert!(done.expect("mount runs").success(), "mount {target:?}");
    }
}

/// The options of the last mount on `target` in a mountinfo: those of the mount, then those of the file system.
pub(crate) fn mount_options(table: &str, target: &str) -> Option<(String, String)> {
    let of = |line: &str| {
        let (mount, system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(4);
        let on = fields.next()?.to_owned();
        let options = fields.next()?.to_owned();
        Some((on, options, system.split(' ').nth(2)?.to_owned()))
    };
    let found = table.lines().filter_map(of).rfind(|(on, ..)| on == target);
    found.map(|(_, mount, system)| (mount, system))
}
