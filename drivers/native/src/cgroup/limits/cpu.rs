//! Processor time, and the processors and memory nodes.

use super::{Check, LimitError, List, Version, invalid, unsupported};
use oci_spec::runtime::{LinuxCpu, LinuxResources};

const SHARES: &str = "resources.cpu_shares";
const QUOTA: &str = "resources.cpu_quota";
const PERIOD: &str = "resources.cpu_period";

/// The kernel's default period, microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

pub(super) fn add(
    resources: &LinuxResources,
    before: &LinuxResources,
    list: &mut List<'_>,
) -> Result<(), LimitError> {
    let Some(cpu) = resources.cpu() else {
        return Ok(());
    };
    shares(cpu, list)?;
    let nothing = LinuxCpu::default();
    bandwidth(cpu, before.cpu().as_ref().unwrap_or(&nothing), list)?;
    realtime(cpu, list)?;
    let sets = [
        ("resources.cpuset_cpus", "cpuset.cpus", cpu.cpus()),
        ("resources.cpuset_mems", "cpuset.mems", cpu.mems()),
    ];
    for (field, file, set) in sets {
        if let Some(set) = set.as_ref().filter(|set| !set.is_empty()) {
            let version = list.place(field, "cpuset", "cpuset")?;
            list.whole(version, file, set, field);
        }
    }
    Ok(())
}

fn shares(cpu: &LinuxCpu, list: &mut List<'_>) -> Result<(), LimitError> {
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        check_shares(shares)?;
        if list.place(SHARES, "cpu", "cpu")? == Version::V1 {
            // The kernel bends what is out of its range.
            let setting = list.whole(Version::V1, "cpu.shares", shares, SHARES);
            setting.check = Check::ReadBack;
        } else {
            let weight = weight_of_shares(shares);
            list.whole(Version::V2, "cpu.weight", weight, SHARES);
        }
    }
    if let Some(idle) = cpu.idle().filter(|idle| *idle != 0 || list.asks(-1)) {
        let field = "resources.cpu.idle";
        let version = list.place(field, "cpu", "cpu")?;
        list.whole(version, "cpu.idle", idle, field);
    }
    Ok(())
}

fn check_shares(got: u64) -> Result<(), LimitError> {
    match got {
        0..2 => Err(invalid(
            SHARES,
            format!("got {got}, the minimum allowed cpu-shares is 2"),
        )),
        262_145.. => Err(invalid(
            SHARES,
            format!("got {got}, the maximum allowed cpu-shares is 262144"),
        )),
        _ => Ok(()),
    }
}

/// `cpu.weight` for `cpu.shares`: 2, 1024 and 262144 become 1, 100 and 10000, and between them the
/// curve is quadratic in the logarithms, so that a container with the default shares has the default
/// weight. It is what runc (1.3.2 on) and crun (1.23 on) compute; the straight line of before made
/// 39 out of 1024, and containers came off badly against everything else of the host.
pub(super) fn weight_of_shares(shares: u64) -> u64 {
    let bounded = u32::try_from(shares.clamp(2, 262_144)).unwrap_or(262_144);
    if bounded == 2 {
        return 1;
    }
    let log = f64::from(bounded).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    let weight = 10f64.powf(exponent).ceil().clamp(1.0, 10_000.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 1 to 10000"
    )]
    {
        weight as u64
    }
}

fn bandwidth(cpu: &LinuxCpu, before: &LinuxCpu, list: &mut List<'_>) -> Result<(), LimitError> {
    let quota = cpu.quota().filter(|quota| *quota != 0 && list.asks(*quota));
    let period = cpu.period().filter(|period| *period != 0);
    if quota.is_some() || period.is_some() {
        let field = if quota.is_some() { QUOTA } else { PERIOD };
        match list.place(field, "cpu", "cpu")? {
            Version::V1 => {
                if let Some(period) = period {
                    list.whole(Version::V1, "cpu.cfs_period_us", period, PERIOD);
                }
                if let Some(quota) = quota {
                    list.whole(Version::V1, "cpu.cfs_quota_us", quota.max(-1), QUOTA);
                }
            }
            Version::V2 => {
                // One file holds both, and both are always written.
                let quota = quota.or(before.quota()).unwrap_or(-1);
                let quota = super::or_max(quota);
                let period = period.or(before.period()).unwrap_or(DEFAULT_PERIOD);
                list.whole(Version::V2, "cpu.max", format!("{quota} {period}"), field);
            }
        }
    }
    if let Some(burst) = cpu.burst() {
        let field = "resources.cpu.burst";
        let file = match list.place(field, "cpu", "cpu")? {
            version @ Version::V1 => (version, "cpu.cfs_burst_us"),
            version @ Version::V2 => (version, "cpu.max.burst"),
        };
        list.whole(file.0, file.1, burst, field).absent = "it needs Linux 5.14";
    }
    Ok(())
}

fn realtime(cpu: &LinuxCpu, list: &mut List<'_>) -> Result<(), LimitError> {
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
    let period = cpu.realtime_period().filter(|period| *period != 0);
    let files = [
        ("cpu.rt_period_us", period.map(|period| period.to_string())),
        (
            "cpu.rt_runtime_us",
            runtime.map(|runtime| runtime.to_string()),
        ),
    ];
    for (file, value) in files {
        let Some(value) = value else { continue };
        let field = "resources.cpu.realtimeRuntime";
        if list.place(field, "cpu", "cpu")? == Version::V2 {
            let reason =
                "cgroup version 2 limits no real-time processes: use rlimit rtprio or rttime";
            return Err(unsupported(field, reason));
        }
        list.whole(Version::V1, file, value, field).absent =
            "boot a kernel with CONFIG_RT_GROUP_SCHED";
    }
    Ok(())
}
