//! What the fake counts, and how its limits change: all of them or none.

use crate::table::Live;
use execdriver_core::{Error, LinuxResources, ResourceStats, Resources, Result, Timestamp};
use std::time::SystemTime;

/// What a machine without limits has, bytes.
const MACHINE: i64 = 8 << 30;

/// What the script says, and what it leaves to the fake.
pub(crate) fn stats(live: &Live) -> ResourceStats {
    let mut stats = live.process.script.stats.clone();
    if stats.read == Timestamp::default() {
        stats.read = Timestamp::from(SystemTime::now());
    }
    if stats.memory_limit == 0 {
        let limit = live.command.resources.as_ref().map(|all| all.memory);
        stats.memory_limit = limit.filter(|limit| *limit > 0).unwrap_or(MACHINE);
    }
    let pids = &mut stats.cgroup.get_or_insert_default().pids_stats;
    if pids.current == 0 {
        pids.current = processes(live);
    }
    stats
}

/// Lays the limits over those in force, unless they make none together or are below what is in use.
pub(crate) fn update(live: &mut Live, over: &Resources) -> Result<()> {
    over.validate_for(&live.command.platform)?;
    let merged = merged(live.command.resources.clone().unwrap_or_default(), over);
    let usage = stats(live).cgroup.unwrap_or_default();
    let pids = merged.linux.as_ref().map_or(0, |linux| linux.pids_limit);
    below(
        "resources.memory",
        merged.memory,
        usage.memory_stats.usage.usage,
    )?;
    below("resources.pids_limit", pids, usage.pids_stats.current)?;
    merged.validate_for(&live.command.platform)?;
    live.command.resources = Some(merged);
    Ok(())
}

fn processes(live: &Live) -> u64 {
    let execs = u64::try_from(live.execs.len()).unwrap_or(u64::MAX);
    execs.saturating_add(1)
}

fn below(field: &str, limit: i64, used: u64) -> Result<()> {
    match u64::try_from(limit) {
        Ok(limit) if limit > 0 && limit < used => {
            let reason = format!("got {limit}, the container uses {used}");
            Err(Error::invalid(field, reason))
        }
        _ => Ok(()),
    }
}

/// Zero and empty leave a limit as it is.
fn merged(mut under: Resources, over: &Resources) -> Resources {
    set(&mut under.memory, &over.memory);
    set(&mut under.memory_reservation, &over.memory_reservation);
    set(&mut under.cpu_shares, &over.cpu_shares);
    set(&mut under.blkio_weight, &over.blkio_weight);
    if let Some(over) = &over.linux {
        let linux = under.linux.get_or_insert_default();
        merge_linux(linux, over);
    }
    under
}

fn merge_linux(under: &mut LinuxResources, over: &LinuxResources) {
    set(&mut under.blkio_weight_device, &over.blkio_weight_device);
    set(
        &mut under.blkio_throttle_read_bps_device,
        &over.blkio_throttle_read_bps_device,
    );
    set(
        &mut under.blkio_throttle_write_bps_device,
        &over.blkio_throttle_write_bps_device,
    );
    set(
        &mut under.blkio_throttle_read_iops_device,
        &over.blkio_throttle_read_iops_device,
    );
    set(
        &mut under.blkio_throttle_write_iops_device,
        &over.blkio_throttle_write_iops_device,
    );
    set(&mut under.memory_swap, &over.memory_swap);
    set(&mut under.kernel_memory, &over.kernel_memory);
    set(&mut under.cpu_quota, &over.cpu_quota);
    set(&mut under.cpuset_cpus, &over.cpuset_cpus);
    set(&mut under.cpuset_mems, &over.cpuset_mems);
    set(&mut under.cpu_period, &over.cpu_period);
    set(&mut under.rlimits, &over.rlimits);
    set(&mut under.oom_kill_disable, &over.oom_kill_disable);
    set(&mut under.pids_limit, &over.pids_limit);
    if over.memory_swappiness >= 0 {
        under.memory_swappiness = over.memory_swappiness;
    }
    set(&mut under.oom_score_adj, &over.oom_score_adj);
    set(&mut under.hugepage_limits, &over.hugepage_limits);
}

fn set<T: Clone + Default + PartialEq>(under: &mut T, over: &T) {
    if *over != T::default() {
        under.clone_from(over);
    }
}
