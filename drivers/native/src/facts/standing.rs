//! What a thread hands down to what it starts: a process that another thread started is as good only if both hand down the same.

use super::read::record;
use crate::sys::{rlimit, standing};
use nix::unistd::{Pid, getpgid, getsid};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Of `/proc/thread-self/status`: users, capabilities, processors, memory nodes and the like (proc_pid_status(5)).
const LINES: [&str; 8] = [
    "Uid:",
    "Gid:",
    "Groups:",
    "Cap",
    "NoNewPrivs:",
    "Speculation",
    "Cpus_allowed:",
    "Mems_allowed:",
];

/// Namespaces that a new process is in, as it is in no new one of these (namespaces(7)).
const NAMESPACES: [&str; 4] = ["mnt", "uts", "pid_for_children", "time_for_children"];

/// Of `/proc/thread-self`, mostly of the whole process (proc(5)). Whoever sets the audit trail's `loginuid` gets another session.
const FILES: [&str; 3] = ["oom_score_adj", "coredump_filter", "sessionid"];

/// What a security module makes of the thread, and of what it executes next.
const LABELS: [&str; 2] = ["attr/current", "attr/exec"];

/// `RLIM_NLIMITS` of Linux: kinds of limits (getrlimit(2)).
const LIMITS: u32 = 16;

/// A thread's. Where it has something that cannot be compared, a filter of system calls or a Landlock domain, there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What each thread has for itself.
    pub(crate) thread: ThreadStanding,
    limits: Vec<Option<rlimit::Pair>>,
    session: [i32; 2],
    /// The texts of [`FILES`].
    files: String,
}

/// The part that other threads of the process need not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadStanding {
    status: String,
    numbers: standing::Numbers,
    namespaces: [Option<u64>; NAMESPACES.len()],
    root: (u64, u64),
    /// Of the security module, where there is one that has labels or profiles.
    label: String,
}

impl Standing {
    /// The calling thread's, with `labels` where a security module has some.
    pub(crate) fn of_this_thread(labels: bool) -> Option<Self> {
        let mut status = record("/proc/thread-self/status", Status::of)?;
        record("/proc/thread-self/cgroup", |text| status.add_cgroups(text));
        Self::with(status, labels)
    }

    /// The same where the status was read already.
    pub(crate) fn with(status: Status, labels: bool) -> Option<Self> {
        let session = [getsid(None), getpgid(None)];
        Some(Self {
            thread: ThreadStanding::with(status, labels)?,
            limits: (0..LIMITS).map(|kind| rlimit::get(0, kind).ok()).collect(),
            session: session.map(|id| id.map_or(-1, Pid::as_raw)),
            files: texts(&FILES),
        })
    }
}

impl ThreadStanding {
    fn with(Status(status): Status, labels: bool) -> Option<Self> {
        let root = std::fs::metadata("/").ok()?;
        let label = match labels {
            true => texts(&LABELS),
            false => String::new(),
        };
        if standing::is_confined() {
            return None;
        }
        Some(Self {
            status,
            numbers: standing::numbers(),
            namespaces: NAMESPACES.map(inode),
            root: (root.dev(), root.ino()),
            label,
        })
    }
}

/// What `/proc/thread-self/status` has of it.
#[derive(Debug)]
pub(crate) struct Status(String);

impl Status {
    /// From its text; `None` where a filter of system calls is in force.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let free = text.lines().any(|line| line == "Seccomp:\t0");
        free.then(|| Self(kept(text)))
    }

    /// From the text of `/proc/thread-self/cgroup`: threads may be in different ones of version 1, and the driver leaves a container
    /// where it is in those that it cannot change.
    pub(super) fn add_cgroups(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

fn kept(status: &str) -> String {
    let wanted = |line: &&str| LINES.iter().any(|begin| line.starts_with(begin));
    let mut kept = String::with_capacity(2 << 10);
    for line in status.lines().filter(wanted) {
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn texts(files: &[&str]) -> String {
    let mut all = String::with_capacity(64);
    for file in files {
        record(&format!("/proc/thread-self/{file}"), |text| {
            all.push_str(text)
        });
        all.push('\0');
    }
    all
}

fn inode(kind: &str) -> Option<u64> {
    let metadata = std::fs::metadata(Path::new("/proc/thread-self/ns").join(kind)).ok()?;
    Some(metadata.ino())
}

#[cfg(test)]
mod tests;
