//! What a container has used, from its cgroups: files in, [`CgroupStats`] out.
//!
//! A controller that the host lacks, and a file that this kernel lacks or that has another form
//! than expected, leaves its part at zero: the rest is worth reading. One reading opens a file once,
//! reads it in one call and holds nothing afterwards; of who is read again and again it stays open
//! ([`super::kept`]).

mod event_counters;
mod files;
pub(crate) mod net;
mod read;
mod text;
mod v1;
mod v2;

pub use event_counters::{Cpuset, EventCounters};

use super::{Cgroup, CgroupError, Member, Version};
use crate::state::CgroupRecord;
use execdriver_core::{CgroupStats, HugetlbStats, MemoryData};
pub(super) use files::Files;
use read::Reader;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use text::{number, table};
pub(super) use v1::memory_events as memory_events_1;
pub(super) use v2::memory_events as memory_events_2;

/// The controllers that count anything, of either version.
const COUNTING: [&str; 7] = ["cpu", "cpuacct", "memory", "pids", "blkio", "io", "hugetlb"];

/// One reading.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) stats: CgroupStats,
    /// The memory limit in force, bytes, those of the parents included; `None`: unlimited, or
    /// not known.
    pub(crate) memory_limit: Option<u64>,
}

impl Cgroup {
    /// Opens those of a recorded container's cgroups that count something.
    pub(crate) fn open_counting(record: &CgroupRecord) -> Result<Self, CgroupError> {
        let mut members = Vec::with_capacity(record.hierarchies.len());
        for recorded in &record.hierarchies {
            let mut names = recorded.controllers.names();
            // Version 2 counts processor time and pressure without any controller.
            if recorded.controllers.is_empty() || names.any(|name| COUNTING.contains(&name)) {
                members.extend(Member::open(recorded)?);
            }
        }
        Ok(Self {
            members,
            made_parents: Vec::new(),
            refused: Vec::new(),
            unit: None,
            placeholder: None,
        })
    }

    /// Reads every counter from `files`. `page_sizes` are the host's huge pages as cgroups name them (`2MB`).
    pub(super) fn usage(&self, files: &mut Files, page_sizes: &[String]) -> Usage {
        let mut usage = Usage::default();
        let mut reader = Reader::new(files);
        // A controller is in one version only; where both count, as they do processor time,
        // version 1 has its turn last and wins: it is the one that limits.
        let elsewhere = |names: &[&str]| names.iter().all(|name| self.has(name));
        if let Some(unified) = self.unified() {
            reader.enter(unified.dir.as_fd());
            pressures(&mut reader, &mut usage.stats);
            if !elsewhere(&["cpu", "cpuacct"]) {
                let stat = reader.text("cpu.stat").unwrap_or_default();
                let psi = std::mem::take(&mut usage.stats.cpu_stats.psi);
                usage.stats.cpu_stats = v2::cpu(stat);
                usage.stats.cpu_stats.psi = psi;
            }
            if !elsewhere(&["blkio", "pids", "hugetlb", "memory"]) {
                version_2(&mut reader, page_sizes, &mut usage);
            }
        }
        for member in self.version_1() {
            reader.enter(member.dir.as_fd());
            for controller in member.controllers.names() {
                version_1(&mut reader, controller, page_sizes, &mut usage);
            }
        }
        usage
    }
}

fn version_1(reader: &mut Reader<'_>, controller: &str, pages: &[String], usage: &mut Usage) {
    let stats = &mut usage.stats;
    match controller {
        "cpuacct" => {
            let percpu = reader.owned("cpuacct.usage_percpu");
            let stat = reader.text("cpuacct.stat").unwrap_or_default();
            stats.cpu_stats.cpu_usage = v1::cpu_usage(&percpu, stat);
        }
        "cpu" => {
            let stat = reader.text("cpu.stat").unwrap_or_default();
            stats.cpu_stats.throttling_data = v1::throttling(stat);
        }
        "memory" => memory_1(reader, usage),
        "pids" => pids(reader, stats),
        "blkio" => blkio_1(reader, stats),
        "hugetlb" => stats.hugetlb_stats = hugetlb(reader, pages, Version::V1),
        _ => {}
    }
}

fn memory_1(reader: &mut Reader<'_>, usage: &mut Usage) {
    let memory = &mut usage.stats.memory_stats;
    // Those of a kind are all there or none: swap and the kernel's are absent when it was told so
    // (`swapaccount=0`, `cgroup.memory=nokmem`).
    let mut data = |[usage, max_usage, failcnt]: [&str; 3]| match reader.text(usage) {
        None => MemoryData::default(),
        Some(text) => MemoryData {
            usage: number(text).unwrap_or(0),
            max_usage: reader.number(max_usage),
            failcnt: reader.number(failcnt),
        },
    };
    memory.usage = data([
        "memory.usage_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.failcnt",
    ]);
    memory.swap_usage = data([
        "memory.memsw.usage_in_bytes",
        "memory.memsw.max_usage_in_bytes",
        "memory.memsw.failcnt",
    ]);
    memory.kernel_usage = data([
        "memory.kmem.usage_in_bytes",
        "memory.kmem.max_usage_in_bytes",
        "memory.kmem.failcnt",
    ]);
    memory.stats = table(reader.text("memory.stat").unwrap_or_default());
    memory.cache = memory.stats.get("cache").copied().unwrap_or(0);
    usage.memory_limit = memory.stats.get("hierarchical_memory_limit").copied();
    memory.events = v1::memory_events(reader.text("memory.oom_control").unwrap_or_default());
}

/// Since Linux 5.0 `blkio.throttle` counts all block I/O; what bfq schedules it may count alone.
/// A device of which no bytes are counted has no operations either.
fn blkio_1(reader: &mut Reader<'_>, stats: &mut CgroupStats) {
    let mut first = |files: [&str; 2]| {
        let all = files
            .into_iter()
            .map(|file| v1::blkio(reader.text(file).unwrap_or_default()));
        let mut counted = all.filter(|entries| !entries.is_empty());
        counted.next().unwrap_or_default()
    };
    let bytes = first([
        "blkio.throttle.io_service_bytes_recursive",
        "blkio.bfq.io_service_bytes_recursive",
    ]);
    if bytes.is_empty() {
        return;
    }
    stats.blkio_stats.io_service_bytes_recursive = bytes;
    stats.blkio_stats.io_serviced_recursive = first([
        "blkio.throttle.io_serviced_recursive",
        "blkio.bfq.io_serviced_recursive",
    ]);
}

fn pids(reader: &mut Reader<'_>, stats: &mut CgroupStats) {
    stats.pids_stats.current = reader.number("pids.current");
    stats.pids_stats.limit = reader.number("pids.max");
    stats.pids_stats.peak = reader.number("pids.peak");
}

/// Of any host with version 2, whoever has the controllers.
fn pressures(reader: &mut Reader<'_>, stats: &mut CgroupStats) {
    let mut pressure = |file| v2::pressure(reader.text(file).unwrap_or_default());
    stats.cpu_stats.psi = pressure("cpu.pressure");
    stats.memory_stats.psi = pressure("memory.pressure");
    stats.blkio_stats.psi = pressure("io.pressure");
}

fn version_2(reader: &mut Reader<'_>, pages: &[String], usage: &mut Usage) {
    let stats = &mut usage.stats;
    let controllers = reader.owned("cgroup.controllers");
    let has = |name| controllers.split_whitespace().any(|have| have == name);
    if has("io") {
        let psi = std::mem::take(&mut stats.blkio_stats.psi);
        stats.blkio_stats = v2::io(reader.text("io.stat").unwrap_or_default());
        stats.blkio_stats.psi = psi;
    }
    if has("pids") {
        pids(reader, stats);
    }
    if has("hugetlb") {
        stats.hugetlb_stats = hugetlb(reader, pages, Version::V2);
    }
    if has("memory") {
        memory_2(reader, usage);
        usage.memory_limit = reader.least_of_parents("memory.max");
    }
}

fn memory_2(reader: &mut Reader<'_>, usage: &mut Usage) {
    let memory = &mut usage.stats.memory_stats;
    memory.events = v2::memory_events(reader.text("memory.events").unwrap_or_default());
    memory.stats = table(reader.text("memory.stat").unwrap_or_default());
    memory.cache = memory.stats.get("file").copied().unwrap_or(0);
    memory.kernel_usage.usage = memory.stats.get("kernel").copied().unwrap_or(0);
    memory.usage = MemoryData {
        usage: reader.number("memory.current"),
        max_usage: reader.number("memory.peak"),
        failcnt: memory.events.max,
    };
    // Version 1 counts memory and swap together, and so does the contract. Their common peak is
    // not known.
    if let Some(swap) = reader.text("memory.swap.current").and_then(number) {
        memory.swap_usage.usage = memory.usage.usage.saturating_add(swap);
        let events = reader.text("memory.swap.events").unwrap_or_default();
        memory.swap_usage.failcnt = v2::value(events, "max").unwrap_or(0);
    }
}

fn hugetlb(
    reader: &mut Reader<'_>,
    sizes: &[String],
    version: Version,
) -> BTreeMap<String, HugetlbStats> {
    let mut found = BTreeMap::new();
    for size in sizes {
        let name = |file| ["hugetlb.", size, ".", file].concat();
        let (usage, max_usage, failcnt) = match version {
            Version::V1 => (
                reader.text(&name("usage_in_bytes")).and_then(number),
                reader.number(&name("max_usage_in_bytes")),
                reader.number(&name("failcnt")),
            ),
            Version::V2 => (
                reader.text(&name("current")).and_then(number),
                0,
                v2::value(reader.text(&name("events")).unwrap_or_default(), "max").unwrap_or(0),
            ),
        };
        if let Some(usage) = usage {
            let data = HugetlbStats {
                usage,
                max_usage,
                failcnt,
            };
            found.insert(size.clone(), data);
        }
    }
    found
}

/// The sizes of huge pages that the kernel has, as cgroups name them.
pub(crate) fn huge_page_sizes() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/kernel/mm/hugepages");
    let names = entries.into_iter().flatten().flatten();
    let mut sizes: Vec<String> = names
        .filter_map(|entry| huge_page_size(entry.file_name().to_str()?))
        .collect();
    sizes.sort();
    sizes
}

/// `hugepages-2048kB` as `2MB`.
fn huge_page_size(name: &str) -> Option<String> {
    let kib: u64 = name
        .strip_prefix("hugepages-")?
        .strip_suffix("kB")?
        .parse()
        .ok()?;
    Some(match kib {
        kib if kib >= 1 << 20 => format!("{}GB", kib >> 20),
        kib if kib >= 1 << 10 => format!("{}MB", kib >> 10),
        kib => format!("{kib}KB"),
    })
}

#[cfg(test)]
mod tests;
