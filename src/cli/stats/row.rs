//! Two readings of each container as a table.

use super::Readings;
use super::size::{binary, decimal};
use crate::output::layout;
use execdriver::{BlkioEntry, CgroupStats, NetworkStats, ResourceStats};

/// Docker's words.
const HEADING: [&str; 7] = [
    "NAME",
    "CPU %",
    "MEM USAGE / LIMIT",
    "MEM %",
    "NET I/O",
    "BLOCK I/O",
    "PIDS",
];

/// What is not counted, or not known yet.
const UNKNOWN: &str = "--";

/// The table of `now`; what was `before` tells the processor's part.
pub(super) fn table(before: &Readings, now: &Readings) -> String {
    let rows: Vec<Vec<String>> = now
        .iter()
        .map(|(id, stats)| row(id, before.get(id), stats))
        .collect();
    layout(&HEADING, &rows)
}

fn row(id: &str, before: Option<&ResourceStats>, now: &ResourceStats) -> Vec<String> {
    let mut cells = vec![id.to_owned()];
    let unknown = || UNKNOWN.to_owned();
    let share = before.and_then(|before| processor_share(before, now));
    cells.push(share.map_or_else(unknown, percent));
    let limit = u64::try_from(now.memory_limit).unwrap_or(0);
    match now.cgroup.as_ref().and_then(memory_used) {
        Some(used) => {
            cells.push(format!("{} / {}", binary(used), binary(limit)));
            cells.push(percent(ratio(used, limit)));
        }
        None => cells.extend([format!("{UNKNOWN} / {}", binary(limit)), unknown()]),
    }
    cells.push(network(&now.interfaces));
    match &now.cgroup {
        Some(cgroup) => {
            let block = &cgroup.blkio_stats.io_service_bytes_recursive;
            let of = |op| decimal(sum(block, op));
            cells.push(format!("{} / {}", of("read"), of("write")));
            let pids = cgroup.pids_stats.current;
            cells.push(if pids == 0 {
                unknown()
            } else {
                pids.to_string()
            });
        }
        None => cells.extend([unknown(), unknown()]),
    }
    cells
}

/// Processor time per time, in percent of one processor; `None` when it is another container of
/// the same id.
fn processor_share(before: &ResourceStats, now: &ResourceStats) -> Option<f64> {
    let total =
        |stats: &ResourceStats| Some(stats.cgroup.as_ref()?.cpu_stats.cpu_usage.total_usage);
    let used = total(now)?.checked_sub(total(before)?)?;
    let passed = now.read.since(before.read)?.as_nanos();
    (passed > 0).then(|| used as f64 / passed as f64 * 100.0)
}

/// As Docker counts it: without the page cache that nobody has used for a while.
fn memory_used(cgroup: &CgroupStats) -> Option<u64> {
    let memory = &cgroup.memory_stats;
    if memory.stats.is_empty() && memory.usage.usage == 0 {
        return None;
    }
    let keys = ["total_inactive_file", "inactive_file"];
    let cache = keys.iter().find_map(|key| memory.stats.get(*key));
    Some(
        memory
            .usage
            .usage
            .saturating_sub(cache.copied().unwrap_or(0)),
    )
}

fn network(interfaces: &[NetworkStats]) -> String {
    if interfaces.is_empty() {
        return UNKNOWN.to_owned();
    }
    let others = || interfaces.iter().filter(|one| one.name != "lo");
    let received = others()
        .map(|one| one.rx_bytes)
        .fold(0, u64::saturating_add);
    let sent = others()
        .map(|one| one.tx_bytes)
        .fold(0, u64::saturating_add);
    format!("{} / {}", decimal(received), decimal(sent))
}

fn sum(entries: &[BlkioEntry], op: &str) -> u64 {
    let of = entries
        .iter()
        .filter(|entry| entry.op.eq_ignore_ascii_case(op));
    of.map(|entry| entry.value).fold(0, u64::saturating_add)
}

fn ratio(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64 * 100.0,
    }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use execdriver::Timestamp;
    use std::time::{Duration, UNIX_EPOCH};

    fn reading(seconds: u64, cpu: u64) -> ResourceStats {
        let mut cgroup = CgroupStats::default();
        cgroup.cpu_stats.cpu_usage.total_usage = cpu;
        cgroup.memory_stats.usage.usage = 3 << 20;
        let stats = &mut cgroup.memory_stats.stats;
        stats.insert("inactive_file".into(), 1 << 20);
        cgroup.pids_stats.current = 4;
        let entry = |op: &str, value| BlkioEntry {
            major: 8,
            op: op.into(),
            value,
            ..BlkioEntry::default()
        };
        cgroup.blkio_stats.io_service_bytes_recursive = vec![
            entry("Read", 1000),
            entry("Write", 2_500_000),
            entry("Total", 9),
        ];
        let interface = |name: &str, bytes| NetworkStats {
            name: name.into(),
            rx_bytes: bytes,
            tx_bytes: bytes * 2,
            ..NetworkStats::default()
        };
        ResourceStats {
            interfaces: vec![interface("lo", 7), interface("eth0", 1500)],
            cgroup: Some(cgroup),
            read: Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds)),
            memory_limit: 8 << 20,
            system_usage: 0,
        }
    }

    fn one(stats: ResourceStats) -> Readings {
        [("web".to_owned(), stats)].into()
    }

    #[test]
    fn a_row_has_what_was_used_between_two_readings() {
        let table = table(&one(reading(1, 100)), &one(reading(3, 3_000_000_100)));
        let row = table.lines().nth(1).unwrap();
        let cells: Vec<&str> = row
            .split("  ")
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect();
        let expected = [
            "web",
            "150.00%",
            "2MiB / 8MiB",
            "25.00%",
            "1.5kB / 3kB",
            "1kB / 2.5MB",
            "4",
        ];
        assert_eq!(cells, expected);
        assert!(
            table.starts_with("NAME  CPU %    MEM USAGE / LIMIT  MEM %"),
            "{table}"
        );
    }

    #[test]
    fn what_is_not_known_is_said_so() {
        let first = table(&Readings::new(), &one(reading(1, 1)));
        assert!(
            first.lines().nth(1).unwrap().starts_with("web   --"),
            "{first}"
        );
        let again = table(&one(reading(1, 9)), &one(reading(2, 1)));
        assert!(again.contains(" -- "), "another of the same id: {again}");
        let bare = ResourceStats {
            memory_limit: 1 << 30,
            ..ResourceStats::default()
        };
        let bare = table(&Readings::new(), &one(bare));
        assert_eq!(bare.matches("--").count(), 6, "{bare}");
    }
}
