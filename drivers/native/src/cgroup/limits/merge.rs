//! Limits over limits: what is in force after an update.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};

/// `over` laid over `under`: what it does not name stays.
pub(crate) fn merged(under: &LinuxResources, over: &LinuxResources) -> LinuxResources {
    let mut all = under.clone();
    if let Some(over) = over.memory() {
        all.set_memory(Some(memory(all.memory().unwrap_or_default(), *over)));
    }
    if let Some(over) = over.cpu() {
        all.set_cpu(Some(cpu(all.cpu().clone().unwrap_or_default(), over)));
    }
    if let Some(over) = over.block_io() {
        all.set_block_io(Some(block(
            all.block_io().clone().unwrap_or_default(),
            over,
        )));
    }
    if over.pids().is_some() {
        all.set_pids(*over.pids());
    }
    all.set_hugepage_limits(lists(
        under.hugepage_limits(),
        over.hugepage_limits(),
        |a, b| a.page_size() == b.page_size(),
    ));
    all
}

#[allow(
    deprecated,
    reason = "kernel memory is the contract's, and cgroup v1 has it"
)]
fn memory(old: LinuxMemory, over: LinuxMemory) -> LinuxMemory {
    let mut under = old;
    under
        .set_limit(over.limit().or(old.limit()))
        .set_reservation(over.reservation().or(old.reservation()))
        .set_swap(over.swap().or(old.swap()))
        .set_kernel(over.kernel().or(old.kernel()))
        .set_kernel_tcp(over.kernel_tcp().or(old.kernel_tcp()))
        .set_swappiness(over.swappiness().or(old.swappiness()))
        .set_disable_oom_killer(over.disable_oom_killer().or(old.disable_oom_killer()));
    under
}

fn cpu(mut under: LinuxCpu, over: &LinuxCpu) -> LinuxCpu {
    let old = under.clone();
    under
        .set_shares(over.shares().or(old.shares()))
        .set_quota(over.quota().or(old.quota()))
        .set_period(over.period().or(old.period()))
        .set_burst(over.burst().or(old.burst()))
        .set_idle(over.idle().or(old.idle()))
        .set_cpus(over.cpus().clone().or_else(|| old.cpus().clone()))
        .set_mems(over.mems().clone().or_else(|| old.mems().clone()));
    under
}

fn block(mut under: LinuxBlockIo, over: &LinuxBlockIo) -> LinuxBlockIo {
    let old = under.clone();
    under
        .set_weight(over.weight().or(old.weight()))
        .set_weight_device(lists(old.weight_device(), over.weight_device(), |a, b| {
            (a.major(), a.minor()) == (b.major(), b.minor())
        }));
    let same = |a: &oci_spec::runtime::LinuxThrottleDevice,
                b: &oci_spec::runtime::LinuxThrottleDevice| {
        (a.major(), a.minor()) == (b.major(), b.minor())
    };
    under
        .set_throttle_read_bps_device(lists(
            old.throttle_read_bps_device(),
            over.throttle_read_bps_device(),
            same,
        ))
        .set_throttle_write_bps_device(lists(
            old.throttle_write_bps_device(),
            over.throttle_write_bps_device(),
            same,
        ))
        .set_throttle_read_iops_device(lists(
            old.throttle_read_iops_device(),
            over.throttle_read_iops_device(),
            same,
        ))
        .set_throttle_write_iops_device(lists(
            old.throttle_write_iops_device(),
            over.throttle_write_iops_device(),
            same,
        ));
    under
}

/// The devices of both; of those that are in both the new ones.
fn lists<T: Clone>(
    under: &Option<Vec<T>>,
    over: &Option<Vec<T>>,
    same: impl Fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let (Some(old), Some(new)) = (under, over) else {
        return over.clone().or_else(|| under.clone());
    };
    let kept = old
        .iter()
        .filter(|one| !new.iter().any(|other| same(one, other)));
    Some(kept.chain(new).cloned().collect())
}
