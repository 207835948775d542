//! What a container's cgroup is called by its id: not like a file of the kernel's, and as systemd takes it.

use std::borrow::Cow;

/// What the kernel's files in a cgroup begin with, before a dot: of version 2 (cgroup-v2.rst, "Avoid Name Collisions") and 1.
const FAMILIES: [&str; 19] = [
    "blkio",
    "cgroup",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "dmem",
    "freezer",
    "hugetlb",
    "io",
    "irq",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
];

/// The others of version 1.
const FILES: [&str; 3] = ["notify_on_release", "release_agent", "tasks"];

/// Its directory beside those files. One that is not there yet counts too: once there is a directory `memory.max`, the kernel
/// hands the memory controller down to none of its siblings. Like systemd with its units, a `_` is put before it, before
/// what is called as a cgroup that waits for its container, and before another one, so that no two ids have the same.
pub(super) fn directory(id: &str) -> Cow<'_, str> {
    let family = id.split_once('.').map(|(family, _)| family);
    let is_kernels = FILES.contains(&id) || family.is_some_and(|family| FAMILIES.contains(&family));
    match is_kernels || id.starts_with('_') || id.starts_with(super::waiting::PREFIX) {
        true => Cow::Owned(format!("_{id}")),
        false => Cow::Borrowed(id),
    }
}

/// Its part of a unit's name, which has no `+`: systemd.unit(5), "String Escaping for Inclusion in Unit Names".
pub(super) fn unit(id: &str) -> Cow<'_, str> {
    match id.contains('+') {
        true => Cow::Owned(id.replace('+', "\\x2b")),
        false => Cow::Borrowed(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_makes_a_directory_that_is_called_like_a_file_of_the_kernels() {
        for (id, name) in [
            ("web.1+a_b-c", "web.1+a_b-c"),
            ("cpu", "cpu"),
            ("cpus.x", "cpus.x"),
            ("cgroup.procs", "_cgroup.procs"),
            ("pids.max", "_pids.max"),
            ("tasks", "_tasks"),
            ("_tasks", "__tasks"),
            ("_web", "__web"),
            ("ready-1-2-3-4-5", "_ready-1-2-3-4-5"),
            ("already-1", "already-1"),
        ] {
            assert_eq!(directory(id), name);
        }
    }

    #[test]
    fn a_unit_has_the_ids_plus_in_systemds_form() {
        assert_eq!(unit("web.1+a_b-c"), "web.1\\x2ba_b-c");
        assert_eq!(unit("web"), "web");
    }
}
