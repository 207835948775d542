//! Limits.

use crate::{Error, LinuxResources, Resources, Result, ThrottleDevice, WindowsResources};

/// The kernel's bounds of a cgroup's weight of processor time (`MIN_SHARES`, `MAX_SHARES`).
pub(super) const LINUX_CPU_SHARES: (i64, i64) = (2, 262_144);
/// What the Host Compute Service takes.
pub(super) const WINDOWS_CPU_SHARES: (i64, i64) = (1, 10_000);
/// What one of them takes, for limits that do not tell whose they are.
pub(super) const ANY_CPU_SHARES: (i64, i64) = (WINDOWS_CPU_SHARES.0, LINUX_CPU_SHARES.1);
/// The kernel's bounds of a processor quota's period, microseconds; the quota has the same least.
const CPU_PERIOD: (i64, i64) = (1_000, 1_000_000);
const BLKIO_WEIGHT: (i64, i64) = (10, 1_000);
/// No machine has a processor or memory node of this number.
const CPUSET_END: u32 = 65_536;

pub(super) fn check(resources: &Resources, shares: (i64, i64)) -> Result<()> {
    in_range("resources.memory", resources.memory, -1, i64::MAX)?;
    in_range(
        "resources.memory_reservation",
        resources.memory_reservation,
        -1,
        i64::MAX,
    )?;
    cpu_shares(resources.cpu_shares, shares)?;
    unless_zero(
        "resources.blkio_weight",
        resources.blkio_weight.into(),
        BLKIO_WEIGHT,
    )?;
    if let Some(windows) = &resources.windows {
        check_windows(windows, resources.cpu_shares)?;
    }
    match &resources.linux {
        Some(linux) => check_linux(linux, resources.memory),
        None => Ok(()),
    }
}

fn check_windows(windows: &WindowsResources, weight: i64) -> Result<()> {
    if windows.cpu_maximum != -1 {
        unless_zero("resources.cpu_maximum", windows.cpu_maximum, (1, 10_000))?;
    }
    if windows.cpu_maximum > 0 && weight != 0 {
        let reason = "it excludes cpu_shares, and both are given";
        return Err(Error::invalid("resources.cpu_maximum", reason));
    }
    let processes = (-1, i64::from(u32::MAX));
    in_range(
        "resources.processes",
        windows.processes,
        processes.0,
        processes.1,
    )?;
    let list = &windows.cpu_affinity;
    cpuset("resources.cpu_affinity", list)?;
    // A group of Windows has 64 processors at most.
    let numbers = list
        .split([',', '-'])
        .filter_map(|text| text.parse::<u32>().ok());
    match numbers.max() {
        Some(64..) => {
            let reason = format!("got {list:?}, expected processors 0 to 63");
            Err(Error::invalid("resources.cpu_affinity", reason))
        }
        _ => Ok(()),
    }
}

/// In the words that the original's users know.
fn cpu_shares(got: i64, (least, most): (i64, i64)) -> Result<()> {
    let bound = match got {
        0 => return Ok(()),
        got if got < least => format!("the minimum allowed cpu-shares is {least}"),
        got if got > most => format!("the maximum allowed cpu-shares is {most}"),
        _ => return Ok(()),
    };
    let reason = format!("got {got}, expected {least} to {most} ({bound})");
    Err(Error::invalid("resources.cpu_shares", reason))
}

fn check_linux(linux: &LinuxResources, memory: i64) -> Result<()> {
    in_range("resources.memory_swap", linux.memory_swap, -1, i64::MAX)?;
    if linux.memory_swap > 0 && linux.memory_swap < memory {
        let reason = format!(
            "got {}, expected at least the {memory} of memory, which it includes",
            linux.memory_swap
        );
        return Err(Error::invalid("resources.memory_swap", reason));
    }
    in_range("resources.kernel_memory", linux.kernel_memory, -1, i64::MAX)?;
    if !(-1..=100).contains(&linux.memory_swappiness) {
        let got = linux.memory_swappiness;
        let reason = format!(
            "got {got}, expected -1 to 100 (valid memory swappiness range is 0-100; -1 leaves it)"
        );
        return Err(Error::invalid("resources.memory_swappiness", reason));
    }
    let score = i64::from(linux.oom_score_adj.unwrap_or(0));
    in_range("resources.oom_score_adj", score, -1000, 1000)?;
    in_range("resources.pids_limit", linux.pids_limit, -1, i64::MAX)?;
    unless_zero("resources.cpu_period", linux.cpu_period, CPU_PERIOD)?;
    if linux.cpu_quota != -1 {
        unless_zero(
            "resources.cpu_quota",
            linux.cpu_quota,
            (CPU_PERIOD.0, i64::MAX),
        )?;
    }
    cpuset("resources.cpuset_cpus", &linux.cpuset_cpus)?;
    cpuset("resources.cpuset_mems", &linux.cpuset_mems)?;
    devices(linux)?;
    huge_pages(linux)?;
    rlimits(linux)
}

fn devices(linux: &LinuxResources) -> Result<()> {
    for (index, device) in linux.blkio_weight_device.iter().enumerate() {
        let field = format!("resources.blkio_weight_device[{index}]");
        numbers(&field, device.major, device.minor)?;
        unless_zero(
            &format!("{field}.weight"),
            device.weight.into(),
            BLKIO_WEIGHT,
        )?;
        unless_zero(
            &format!("{field}.leafWeight"),
            device.leaf_weight.into(),
            BLKIO_WEIGHT,
        )?;
    }
    let throttles: [(&str, &[ThrottleDevice]); 4] = [
        ("read_bps", &linux.blkio_throttle_read_bps_device),
        ("write_bps", &linux.blkio_throttle_write_bps_device),
        ("read_iops", &linux.blkio_throttle_read_iops_device),
        ("write_iops", &linux.blkio_throttle_write_iops_device),
    ];
    for (name, devices) in throttles {
        for (index, device) in devices.iter().enumerate() {
            let field = format!("resources.blkio_throttle_{name}_device[{index}]");
            numbers(&field, device.major, device.minor)?;
        }
    }
    Ok(())
}

fn huge_pages(linux: &LinuxResources) -> Result<()> {
    for (index, one) in linux.hugepage_limits.iter().enumerate() {
        let field = format!("resources.hugepage_limits[{index}]");
        let size = one.page_size.as_str();
        let units = ["KB", "MB", "GB"];
        let number = units.iter().find_map(|unit| size.strip_suffix(unit));
        let digits = |text: &str| !text.starts_with('0') && text.parse::<u32>().is_ok();
        if !number.is_some_and(|text| digits(text) && !text.starts_with('+')) {
            let reason = format!("got {size:?}, expected a size like 64KB, 2MB or 1GB");
            return Err(Error::invalid(format!("{field}.page_size"), reason));
        }
        let mut before = linux.hugepage_limits.iter().take(index);
        if before.any(|other| other.page_size == size) {
            let reason = format!("{size} is given twice");
            return Err(Error::invalid(format!("{field}.page_size"), reason));
        }
        in_range(&format!("{field}.limit"), one.limit, -1, i64::MAX)?;
    }
    Ok(())
}

fn numbers(field: &str, major: i64, minor: i64) -> Result<()> {
    in_range(&format!("{field}.major"), major, 0, super::linux::MAJOR_MAX)?;
    in_range(&format!("{field}.minor"), minor, 0, super::linux::MINOR_MAX)
}

fn rlimits(linux: &LinuxResources) -> Result<()> {
    for (index, limit) in linux.rlimits.iter().enumerate() {
        let field = format!("resources.rlimits[{index}]");
        let Some(name) = limit.name() else {
            let reason = format!("got {}, expected 0 (cpu) to 15 (rttime)", limit.kind);
            return Err(Error::invalid(format!("{field}.type"), reason));
        };
        if limit.soft > limit.hard {
            let reason = format!("got {}, above its hard limit {}", limit.soft, limit.hard);
            return Err(Error::invalid(format!("{field}.soft"), reason));
        }
        let mut before = linux.rlimits.iter().take(index);
        if before.any(|other| other.kind == limit.kind) {
            return Err(Error::invalid(
                format!("{field}.type"),
                format!("{name} is given twice"),
            ));
        }
    }
    Ok(())
}

/// Refuses what is not a list like `0-2,4`.
fn cpuset(field: &str, list: &str) -> Result<()> {
    let number = |text: &str| -> Option<u32> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok())??;
        (number < CPUSET_END).then_some(number)
    };
    let good = |range: &str| match range.split_once('-') {
        Some((first, last)) => number(first)
            .zip(number(last))
            .is_some_and(|(first, last)| first <= last),
        None => number(range).is_some(),
    };
    if list.is_empty() || list.split(',').all(good) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("got {list:?}, expected a list like 0-2,4"),
    ))
}

/// Refuses a number outside `least..=most`.
pub(super) fn in_range(field: &str, got: i64, least: i64, most: i64) -> Result<()> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    let reason = if most == i64::MAX {
        format!("got {got}, expected {least} or more")
    } else {
        format!("got {got}, expected {least} to {most}")
    };
    Err(Error::invalid(field, reason))
}

/// The same, but 0 leaves the limit as it is.
fn unless_zero(field: &str, got: i64, (least, most): (i64, i64)) -> Result<()> {
    if got == 0 {
        return Ok(());
    }
    in_range(field, got, least, most)
}
