//! What the kernel counted for a container, read before its cgroups are removed.

use super::Cgroup;
use super::walk;
use crate::at;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// For the exit status; `None` where no controller counted it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Processor time in user mode.
    pub(crate) cpu_user: Option<Duration>,
    /// Processor time in the kernel.
    pub(crate) cpu_system: Option<Duration>,
    /// The most memory ever in use, in bytes.
    pub(crate) peak_memory: Option<u64>,
    /// How many processes the kernel killed for want of memory.
    pub(crate) oom_kills: Option<u64>,
}

impl Cgroup {
    /// Reads the counters; one that fails is simply `None`, since the exit status is worth
    /// returning without it.
    pub(crate) fn counters(&self) -> Counters {
        let mut found = Counters::default();
        // What version 1 counts is not asked of version 2, whose controller is the same one.
        let (cpuacct, memory) = (self.controller("cpuacct"), self.controller("memory"));
        if let Some(unified) = self.unified() {
            let dir = unified.dir.as_fd();
            found = version_2(dir, cpuacct.is_none(), memory.is_none());
        }
        if let Some(cpuacct) = cpuacct {
            let dir = cpuacct.dir.as_fd();
            let nanoseconds = |file| number(dir, file).map(Duration::from_nanos);
            found.cpu_user = nanoseconds("cpuacct.usage_user").or(found.cpu_user);
            found.cpu_system = nanoseconds("cpuacct.usage_sys").or(found.cpu_system);
        }
        if let Some(memory) = memory {
            let dir = memory.dir.as_fd();
            found.peak_memory = number(dir, "memory.max_usage_in_bytes").or(found.peak_memory);
            found.oom_kills = version_1_oom_kills(dir).or(found.oom_kills);
        }
        found
    }

    /// How many processes the kernel killed for want of memory in this cgroup, those below it included in version 2 alone:
    /// one file read.
    pub(crate) fn oom_kills(&self) -> u64 {
        let kills = match (self.controller("memory"), self.unified()) {
            (Some(memory), _) => text(memory.dir.as_fd(), "memory.oom_control"),
            (None, Some(unified)) => text(unified.dir.as_fd(), "memory.events"),
            (None, None) => None,
        };
        kills.and_then(|text| value(&text, "oom_kill")).unwrap_or(0)
    }

    /// The kills that the cgroups above do not count: those of version 1.
    pub(crate) fn uncounted_above(&self) -> u64 {
        let memory = self.controller("memory");
        memory
            .and_then(|memory| version_1_oom_kills(memory.dir.as_fd()))
            .unwrap_or(0)
    }

    /// Whether its own limit of memory ever stood in the way, be it that nobody was killed.
    pub(crate) fn met_memory_limit(&self) -> bool {
        let v1 = self.controller("memory").map(|memory| memory.dir.as_fd());
        let failures = v1.and_then(|dir| number(dir, "memory.failcnt"));
        let unified = self.unified().map(|unified| unified.dir.as_fd());
        let events = unified.and_then(|dir| text(dir, "memory.events"));
        let met = events.and_then(|events| value(&events, "max"));
        failures > Some(0) || met > Some(0)
    }
}

fn version_2(dir: BorrowedFd<'_>, cpu: bool, memory: bool) -> Counters {
    let cpu = cpu.then(|| text(dir, "cpu.stat")).flatten();
    let microseconds = |key| value(cpu.as_deref()?, key).map(Duration::from_micros);
    let events = memory.then(|| text(dir, "memory.events")).flatten();
    Counters {
        cpu_user: microseconds("user_usec"),
        cpu_system: microseconds("system_usec"),
        peak_memory: memory.then(|| number(dir, "memory.peak")).flatten(),
        oom_kills: events.and_then(|events| value(&events, "oom_kill")),
    }
}

/// Version 1 counts in each cgroup for itself (Linux 4.13 and later).
fn version_1_oom_kills(dir: BorrowedFd<'_>) -> Option<u64> {
    let mut sum = None;
    let visited = walk::visit(dir, |dir| {
        let text = text(dir, "memory.oom_control");
        if let Some(here) = text.and_then(|text| value(&text, "oom_kill")) {
            sum = Some(sum.unwrap_or(0) + here);
        }
        Ok(())
    });
    visited.ok().and(sum)
}

fn text(dir: BorrowedFd<'_>, file: &str) -> Option<String> {
    let text = at::read_record(dir, OsStr::new(file), 1 << 16).ok()?;
    String::from_utf8(text).ok()
}

fn number(dir: BorrowedFd<'_>, file: &str) -> Option<u64> {
    text(dir, file)?.trim().parse().ok()
}

/// The value of a line `key value`.
fn value(text: &str, key: &str) -> Option<u64> {
    let line = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    };
    text.lines().find_map(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_keyed_files_are_read_by_their_whole_key() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(value(text, "oom_kill"), Some(3));
        assert_eq!(value(text, "oom"), None);
        assert_eq!(value("oom_kill x\n", "oom_kill"), None);
    }
}
