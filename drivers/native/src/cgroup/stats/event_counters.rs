//! Counters that the contract's statistics have no place for and readers of an OCI runtime's events look for.

use super::files::Files;
use super::read::Reader;
use super::text::number;
use crate::cgroup::Cgroup;
use execdriver_core::MemoryData;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

/// The settings of a version 1 cpuset, by the names of its files.
const SETTINGS: [&str; 9] = [
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
];

/// What a container's cgroups say beside `ResourceStats`. What this kernel does not count is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventCounters {
    /// Nanoseconds in kernel mode, by processor.
    pub percpu_kernel: Vec<u64>,
    /// Nanoseconds in user mode, by processor.
    pub percpu_user: Vec<u64>,
    /// The limit of memory and swap together, bytes.
    pub swap_limit: Option<u64>,
    /// The limit of the kernel's memory, bytes.
    pub kernel_limit: Option<u64>,
    /// The limit of the memory of TCP's buffers, bytes, and its use.
    pub kernel_tcp: Option<(u64, MemoryData)>,
    /// The processors and memory nodes that the container may use.
    pub cpuset: Option<Cpuset>,
}

/// Where a container may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cpuset {
    /// Numbers of processors.
    pub cpus: Vec<u16>,
    /// Numbers of memory nodes.
    pub mems: Vec<u16>,
    /// Of version 1: `cpu_exclusive` and so on.
    pub settings: BTreeMap<&'static str, i64>,
}

impl Cgroup {
    /// Reads them.
    pub(crate) fn event_counters(&self) -> EventCounters {
        let mut counters = EventCounters::default();
        let mut files = Files::default();
        let mut reader = Reader::new(&mut files);
        if let Some(unified) = self.unified().filter(|_| !self.has("cpuset")) {
            reader.enter(unified.dir.as_fd());
            counters.cpuset = cpuset(&mut reader, ".effective");
        }
        for member in self.version_1() {
            reader.enter(member.dir.as_fd());
            for controller in member.controllers.names() {
                match controller {
                    "cpuacct" => {
                        let text = reader.text("cpuacct.usage_all").unwrap_or_default();
                        (counters.percpu_user, counters.percpu_kernel) = by_processor(text);
                    }
                    "cpuset" => counters.cpuset = cpuset(&mut reader, ""),
                    "memory" => memory(&mut reader, &mut counters),
                    _ => {}
                }
            }
        }
        counters
    }
}

fn memory(reader: &mut Reader<'_>, counters: &mut EventCounters) {
    let mut limit = |name| reader.text(name).and_then(number);
    counters.swap_limit = limit("memory.memsw.limit_in_bytes");
    counters.kernel_limit = limit("memory.kmem.limit_in_bytes");
    let tcp = limit("memory.kmem.tcp.limit_in_bytes");
    counters.kernel_tcp = tcp.map(|limit| {
        let used = MemoryData {
            usage: reader.number("memory.kmem.tcp.usage_in_bytes"),
            max_usage: reader.number("memory.kmem.tcp.max_usage_in_bytes"),
            failcnt: reader.number("memory.kmem.tcp.failcnt"),
        };
        (limit, used)
    });
}

fn cpuset(reader: &mut Reader<'_>, suffix: &str) -> Option<Cpuset> {
    let mut set = |name: &str| Some(numbers(reader.text(&format!("cpuset.{name}{suffix}"))?));
    let (cpus, mems) = (set("cpus")?, set("mems")?);
    let settings = SETTINGS.into_iter().filter_map(|name| {
        let text = reader.text(&format!("cpuset.{name}"))?;
        Some((name, text.trim().parse().ok()?))
    });
    Some(Cpuset {
        cpus,
        mems,
        settings: settings.collect(),
    })
}

/// The lines of `cpuacct.usage_all` behind the first: processor, in user mode, in kernel mode.
fn by_processor(text: &str) -> (Vec<u64>, Vec<u64>) {
    let line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        Some((number(words.next()?)?, number(words.next()?)?))
    };
    text.lines().skip(1).filter_map(line).unzip()
}

/// `0-2,7` (cpuset(7), the list format).
fn numbers(text: &str) -> Vec<u16> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_written_as_ranges() {
        assert_eq!(numbers("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(numbers("3"), [3]);
        for none in ["", "\n", "x", "2-1"] {
            assert_eq!(numbers(none), [0_u16; 0], "{none:?}");
        }
    }

    #[test]
    fn the_time_of_each_processor_is_told_by_mode() {
        let text = "cpu user system\n0 4000000 1\n1 0 2\nodd\n";
        assert_eq!(by_processor(text), (vec![4_000_000, 0], vec![1, 2]));
        assert_eq!(by_processor(""), (Vec::new(), Vec::new()));
    }
}
