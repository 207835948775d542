//! The files of a container's cgroup as the host sees them, whatever the version.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use super::host::cgroups_of;
use super::support::eventually;
use std::path::{Path, PathBuf};

/// Whether this host has only version 2.
pub(crate) fn is_unified() -> bool {
    PathBuf::from("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The directory of `name`, a container or an exec of it, that has version 1's `controller`; on
/// version 2 the only one.
#[track_caller]
pub(crate) fn directory(name: &str, controller: &str) -> PathBuf {
    let named = |path: &PathBuf| path.file_name().is_some_and(|last| last == name);
    let own = |path: &PathBuf| {
        let mut parts = path.strip_prefix("/sys/fs/cgroup").ok()?.components();
        let first = parts.next()?.as_os_str().to_str()?.to_owned();
        Some(first.split(',').any(|one| one == controller))
    };
    let mut found = cgroups_of(name).into_iter().filter(named);
    let found = found.find(|path| is_unified() || own(path) == Some(true));
    found.unwrap_or_else(|| panic!("{name} has no cgroup of {controller}"))
}

/// What a file of it says: `(controller, file)` on version 1, `file` on version 2.
#[track_caller]
pub(crate) fn reads(name: &str, v1: (&str, &str), v2: &str) -> String {
    let file = if is_unified() { v2 } else { v1.1 };
    let path = directory(name, v1.0).join(file);
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim_end().to_owned()
}

/// The directory of `name` whose processes are frozen by [`freeze`].
#[track_caller]
pub(crate) fn freezer(name: &str) -> PathBuf {
    directory(name, "freezer")
}

/// Freezes what is in `dir`, or lets it go on, and waits until that is so.
#[track_caller]
pub(crate) fn freeze(dir: &Path, freeze: bool) {
    let (file, text, shown, end) = match (is_unified(), freeze) {
        (true, true) => ("cgroup.freeze", "1", "cgroup.events", "frozen 1\n"),
        (true, false) => ("cgroup.freeze", "0", "cgroup.events", "frozen 0\n"),
        (false, true) => ("freezer.state", "FROZEN", "freezer.state", "FROZEN\n"),
        (false, false) => ("freezer.state", "THAWED", "freezer.state", "THAWED\n"),
    };
    std::fs::write(dir.join(file), text).unwrap();
    eventually("it is as told", || {
        std::fs::read_to_string(dir.join(shown))
            .unwrap()
            .ends_with(end)
    });
}
