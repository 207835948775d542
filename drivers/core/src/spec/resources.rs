//! Limits in OCI's words.

use super::text::invalid;
use super::{devices, oci};
use crate::{Command, LinuxCommand, LinuxResources, Profile, Resources, Result, ThrottleDevice};
use oci_spec::runtime::{self, LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids};

/// The bound on processes and threads of profile `strict`: room for a parallel build, far below
/// what a fork bomb needs to hurt.
pub(super) const STRICT_PIDS: i64 = 1024;

/// Every limit of a container.
pub(super) fn translate(
    command: &Command,
    linux: &LinuxCommand,
) -> Result<runtime::LinuxResources> {
    let resources = command.resources.clone().unwrap_or_default();
    let mut limits = limits(&resources)?;
    limits.set_devices(Some(devices::rules(
        &linux.allowed_devices,
        command.process.privileged,
    )?));
    if linux.profile == Profile::Strict && limits.pids().is_none() {
        limits.set_pids(Some(pids(STRICT_PIDS)));
    }
    Ok(limits)
}

/// The limits of a container, an exec or an update, without devices. Unset ones are absent.
///
/// # Errors
/// [`InvalidCommand`](crate::Error::InvalidCommand) naming the field that is out of range.
pub fn limits(resources: &Resources) -> Result<runtime::LinuxResources> {
    let default = LinuxResources::default();
    let linux = resources.linux.as_ref().unwrap_or(&default);
    let mut limits = runtime::LinuxResources::default();
    limits
        .set_memory(memory(resources, linux)?)
        .set_cpu(cpu(resources, linux)?)
        .set_block_io(block_io(resources, linux)?)
        .set_pids(at_least("pids_limit", linux.pids_limit, -1)?.map(pids));
    Ok(limits)
}

#[allow(
    deprecated,
    reason = "kernel memory is the contract's, and cgroup v1 has it"
)]
fn memory(resources: &Resources, linux: &LinuxResources) -> Result<Option<LinuxMemory>> {
    let mut memory = LinuxMemory::default();
    memory
        .set_limit(at_least("memory", resources.memory, -1)?)
        .set_reservation(at_least(
            "memory_reservation",
            resources.memory_reservation,
            -1,
        )?)
        .set_swap(at_least("memory_swap", linux.memory_swap, -1)?)
        .set_kernel(at_least("kernel_memory", linux.kernel_memory, -1)?)
        .set_swappiness(swappiness(linux.memory_swappiness)?)
        .set_disable_oom_killer(linux.oom_kill_disable.then_some(true));
    Ok(Some(memory).filter(|memory| *memory != LinuxMemory::default()))
}

fn cpu(resources: &Resources, linux: &LinuxResources) -> Result<Option<LinuxCpu>> {
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(within("cpu_shares", resources.cpu_shares, 2, 262_144)?)
        .set_quota(quota(linux.cpu_quota)?)
        .set_period(within("cpu_period", linux.cpu_period, 1000, 1_000_000)?)
        .set_cpus(cpuset("cpuset_cpus", &linux.cpuset_cpus)?)
        .set_mems(cpuset("cpuset_mems", &linux.cpuset_mems)?);
    Ok(Some(cpu).filter(|cpu| *cpu != LinuxCpu::default()))
}

fn block_io(resources: &Resources, linux: &LinuxResources) -> Result<Option<LinuxBlockIo>> {
    weight("blkio_weight", resources.blkio_weight)?;
    for (index, device) in linux.blkio_weight_device.iter().enumerate() {
        let field = format!("blkio_weight_device[{index}]");
        numbers(&field, device.major, device.minor)?;
        weight(&format!("{field}.weight"), device.weight)?;
        weight(&format!("{field}.leafWeight"), device.leaf_weight)?;
    }
    let weights = linux.blkio_weight_device.iter().map(oci::weight_device);
    let weights = weights.collect::<Result<Vec<_>>>()?;
    let throttle = |field, devices| throttle(field, devices);
    let mut block = LinuxBlockIo::default();
    block
        .set_weight(Some(resources.blkio_weight).filter(|weight| *weight != 0))
        .set_weight_device(Some(weights).filter(|weights| !weights.is_empty()))
        .set_throttle_read_bps_device(throttle(
            "blkio_throttle_read_bps_device",
            &linux.blkio_throttle_read_bps_device,
        )?)
        .set_throttle_write_bps_device(throttle(
            "blkio_throttle_write_bps_device",
            &linux.blkio_throttle_write_bps_device,
        )?)
        .set_throttle_read_iops_device(throttle(
            "blkio_throttle_read_iops_device",
            &linux.blkio_throttle_read_iops_device,
        )?)
        .set_throttle_write_iops_device(throttle(
            "blkio_throttle_write_iops_device",
            &linux.blkio_throttle_write_iops_device,
        )?);
    Ok(Some(block).filter(|block| *block != LinuxBlockIo::default()))
}

fn throttle(
    field: &str,
    devices: &[ThrottleDevice],
) -> Result<Option<Vec<runtime::LinuxThrottleDevice>>> {
    for (index, device) in devices.iter().enumerate() {
        numbers(&format!("{field}[{index}]"), device.major, device.minor)?;
    }
    let devices = devices.iter().map(oci::throttle_device);
    let devices = devices.collect::<Result<Vec<_>>>()?;
    Ok(Some(devices).filter(|devices| !devices.is_empty()))
}

fn pids(limit: i64) -> LinuxPids {
    let mut pids = LinuxPids::default();
    pids.set_limit(limit);
    pids
}

fn numbers(field: &str, major: i64, minor: i64) -> Result<()> {
    if major < 0 || minor < 0 {
        return Err(out(
            field,
            format!("got device {major}:{minor}, expected no negative number"),
        ));
    }
    Ok(())
}

fn weight(field: &str, weight: u16) -> Result<()> {
    match weight {
        0 | 10..=1000 => Ok(()),
        other => Err(out(field, format!("got {other}, expected 10 to 1000"))),
    }
}

/// A number for which 0 means unset.
fn at_least(field: &str, got: i64, min: i64) -> Result<Option<i64>> {
    if got < min {
        return Err(out(field, format!("got {got}, expected {min} or more")));
    }
    Ok(Some(got).filter(|got| *got != 0))
}

/// A number for which 0 means unset, between two others.
fn within(field: &str, got: i64, min: i64, max: i64) -> Result<Option<u64>> {
    match got {
        0 => Ok(None),
        got if got < min => Err(out(
            field,
            format!("got {got}, the minimum allowed is {min}"),
        )),
        got if got > max => Err(out(
            field,
            format!("got {got}, the maximum allowed is {max}"),
        )),
        got => Ok(u64::try_from(got).ok()),
    }
}

/// The kernel takes a millisecond or more, and -1 for no limit.
fn quota(got: i64) -> Result<Option<i64>> {
    match got {
        0 => Ok(None),
        -1 | 1000.. => Ok(Some(got)),
        _ => Err(out(
            "cpu_quota",
            format!("got {got}, expected -1 or 1000 and more"),
        )),
    }
}

fn swappiness(got: i64) -> Result<Option<u64>> {
    match got {
        -1 => Ok(None),
        0..=100 => Ok(u64::try_from(got).ok()),
        _ => Err(out(
            "memory_swappiness",
            format!("got {got}, expected 0 to 100, or -1 for unset"),
        )),
    }
}

fn cpuset(field: &str, text: &str) -> Result<Option<String>> {
    let number = |text: &str| -> Option<u32> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let range = |text: &str| match text.split_once('-') {
        None => number(text).is_some(),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) => first <= last,
            _ => false,
        },
    };
    if text.is_empty() {
        return Ok(None);
    }
    if !text.split(',').all(range) {
        return Err(out(
            field,
            format!("got {text:?}, expected a list like 0-2,4"),
        ));
    }
    Ok(Some(text.to_owned()))
}

fn out(field: &str, reason: String) -> crate::Error {
    invalid(format_args!("resources.{field}"), reason)
}
