//! The counters of a job in the contract's words.

use crate::sys::job::Accounting;
use crate::sys::snapshot::Usage;
use execdriver_core::{BlkioEntry, CgroupStats, MemoryData, ResourceStats, Timestamp};
use std::time::SystemTime;

/// A reading of what `pids`, the job's processes, use now, and the job has used so far. Where the job counts nothing (Wine),
/// it is what the first of them has used: the sum of those that live would go back when one ends.
pub(super) fn assemble(job: &Accounting, pids: &[u32], machine: &[Usage]) -> ResourceStats {
    let read = Timestamp::from(SystemTime::now());
    let living: Vec<&Usage> = machine
        .iter()
        .filter(|one| pids.contains(&one.pid))
        .collect();
    let sum = |of: fn(&Usage) -> u64| living.iter().map(|one| of(one)).sum::<u64>();
    let mut cgroup = CgroupStats::default();
    let cpu = &mut cgroup.cpu_stats.cpu_usage;
    let first = living.iter().min_by_key(|one| one.created);
    let (user, kernel) = match (job.user + job.kernel, first) {
        (0, Some(first)) => (first.user, first.kernel),
        _ => (job.user, job.kernel),
    };
    // 100 ns each.
    cpu.usage_in_usermode = user.saturating_mul(100);
    cpu.usage_in_kernelmode = kernel.saturating_mul(100);
    cpu.total_usage = cpu.usage_in_usermode + cpu.usage_in_kernelmode;
    cgroup.memory_stats.usage = MemoryData {
        usage: sum(|one| one.committed),
        max_usage: job.peak_memory,
        failcnt: 0,
    };
    let stats = &mut cgroup.memory_stats.stats;
    stats.insert("working_set".to_owned(), sum(|one| one.working_set));
    cgroup.pids_stats.current = u64::from(job.active);
    if let Some([read_bytes, reads, written, writes]) = job.io {
        let entry = |op: &str, value| BlkioEntry {
            op: op.to_owned(),
            value,
            ..BlkioEntry::default()
        };
        let blkio = &mut cgroup.blkio_stats;
        blkio.io_service_bytes_recursive = vec![entry("Read", read_bytes), entry("Write", written)];
        blkio.io_serviced_recursive = vec![entry("Read", reads), entry("Write", writes)];
    }
    ResourceStats {
        cgroup: Some(cgroup),
        read,
        ..ResourceStats::default()
    }
}
