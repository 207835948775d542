//! What this process and its containers have of the host, counted.

use crate::Result;
use std::fmt;
use std::fs;
use std::path::Path;

/// Resident memory may grow so far by what allocators keep, KiB.
const SLACK: usize = 8 << 10;
/// Cgroups are looked for so deep.
const DEPTH: usize = 6;

/// Counts of one moment.
#[derive(Debug)]
pub(super) struct Census {
    counts: [(&'static str, usize); 6],
    resident: usize,
}

impl Census {
    /// `prefix`: how the names of the soak's containers begin.
    pub(super) fn take(state: &Path, prefix: &str) -> Result<Self> {
        let entries = |dir: &str| fs::read_dir(dir).map_or(0, Iterator::count);
        let mounts = fs::read_to_string("/proc/self/mountinfo")?.lines().count();
        // Of containers and of what waits for some.
        let own = format!("-{}-", std::process::id());
        let counts = [
            ("descriptors", entries("/proc/self/fd")),
            ("threads", entries("/proc/self/task")),
            ("children", children()?),
            ("mounts", mounts),
            ("cgroups", named(Path::new("/sys/fs/cgroup"), &own, DEPTH)),
            ("state", named(state, prefix, 4)),
        ];
        Ok(Self {
            counts,
            resident: resident()?,
        })
    }

    /// What there is more of in `now`.
    pub(super) fn left(&self, now: &Self) -> Vec<String> {
        let pairs = self.counts.iter().zip(&now.counts);
        let more = pairs.filter(|((_, before), (_, now))| now > before);
        let mut left: Vec<String> = more
            .map(|((name, before), (_, now))| format!("{name}: {now}, before {before}"))
            .collect();
        if now.resident > self.resident + SLACK {
            let (now, before) = (now.resident, self.resident);
            left.push(format!("resident memory: {now} KiB, before {before}"));
        }
        left
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts {
            write!(f, "{name} {count}, ")?;
        }
        write!(f, "resident {} KiB", self.resident)
    }
}

/// Processes whose parent we are, those that nobody has reaped included.
fn children() -> Result<usize> {
    let own = std::process::id().to_string();
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        // It may be gone by now.
        let stat = fs::read_to_string(entry?.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything: proc_pid_stat(5).
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        count += usize::from(behind.split_whitespace().nth(1) == Some(own.as_str()));
    }
    Ok(count)
}

/// Directories below whose name has `part` in it.
fn named(dir: &Path, part: &str, depth: usize) -> usize {
    let Some(depth) = depth.checked_sub(1) else {
        return 0;
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| {
        let own = entry.file_name().to_string_lossy().contains(part);
        usize::from(own) + named(&entry.path(), part, depth)
    })
    .sum()
}

/// proc_pid_status(5), KiB.
fn resident() -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}
