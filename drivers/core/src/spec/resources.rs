//! Limits in OCI's words.

use super::{devices, oci, process::unless_empty};
use crate::{
    Command, HugepageLimit, LinuxCommand, LinuxResources, Profile, Resources, Result,
    ThrottleDevice,
};
use oci_spec::runtime::{
    self, LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxPids, LinuxThrottleDevice,
};

/// The bound on processes and threads of profile `strict`: room for a parallel build, far below
/// what a fork bomb needs to hurt.
pub(super) const STRICT_PIDS: i64 = 1024;

/// Every limit of a container.
pub(super) fn translate(
    command: &Command,
    linux: &LinuxCommand,
) -> Result<runtime::LinuxResources> {
    let resources = command.resources.as_ref().map(limits).transpose()?;
    let mut limits = resources.unwrap_or_default();
    limits.set_devices(Some(devices::rules(
        &linux.allowed_devices,
        command.process.privileged,
    )));
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
    resources.validate_for_linux()?;
    let default = LinuxResources::default();
    let linux = resources.linux.as_ref().unwrap_or(&default);
    let mut limits = runtime::LinuxResources::default();
    limits
        .set_memory(memory(resources, linux))
        .set_cpu(cpu(resources, linux))
        .set_block_io(block_io(resources, linux)?)
        .set_pids(unless_zero(linux.pids_limit).map(pids))
        .set_hugepage_limits(huge_pages(&linux.hugepage_limits));
    Ok(limits)
}

#[allow(
    deprecated,
    reason = "kernel memory is the contract's, and cgroup v1 has it"
)]
fn memory(resources: &Resources, linux: &LinuxResources) -> Option<LinuxMemory> {
    let mut memory = LinuxMemory::default();
    memory
        .set_limit(unless_zero(resources.memory))
        .set_reservation(unless_zero(resources.memory_reservation))
        .set_swap(unless_zero(linux.memory_swap))
        .set_kernel(unless_zero(linux.kernel_memory))
        .set_swappiness(u64::try_from(linux.memory_swappiness).ok())
        .set_disable_oom_killer(linux.oom_kill_disable.then_some(true));
    Some(memory).filter(|memory| *memory != LinuxMemory::default())
}

fn cpu(resources: &Resources, linux: &LinuxResources) -> Option<LinuxCpu> {
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(positive(resources.cpu_shares))
        .set_quota(unless_zero(linux.cpu_quota))
        .set_period(positive(linux.cpu_period))
        .set_cpus(unless_empty(&linux.cpuset_cpus))
        .set_mems(unless_empty(&linux.cpuset_mems));
    Some(cpu).filter(|cpu| *cpu != LinuxCpu::default())
}

fn block_io(resources: &Resources, linux: &LinuxResources) -> Result<Option<LinuxBlockIo>> {
    let weights = linux.blkio_weight_device.iter().map(oci::weight_device);
    let weights = weights.collect::<Result<Vec<_>>>()?;
    let mut block = LinuxBlockIo::default();
    block
        .set_weight(Some(resources.blkio_weight).filter(|weight| *weight != 0))
        .set_weight_device(Some(weights).filter(|weights| !weights.is_empty()))
        .set_throttle_read_bps_device(throttle(&linux.blkio_throttle_read_bps_device)?)
        .set_throttle_write_bps_device(throttle(&linux.blkio_throttle_write_bps_device)?)
        .set_throttle_read_iops_device(throttle(&linux.blkio_throttle_read_iops_device)?)
        .set_throttle_write_iops_device(throttle(&linux.blkio_throttle_write_iops_device)?);
    Ok(Some(block).filter(|block| *block != LinuxBlockIo::default()))
}

fn throttle(devices: &[ThrottleDevice]) -> Result<Option<Vec<LinuxThrottleDevice>>> {
    let devices = devices.iter().map(oci::throttle_device);
    let devices = devices.collect::<Result<Vec<_>>>()?;
    Ok(Some(devices).filter(|devices| !devices.is_empty()))
}

fn huge_pages(limits: &[HugepageLimit]) -> Option<Vec<LinuxHugepageLimit>> {
    let one = |limit: &HugepageLimit| {
        let mut translated = LinuxHugepageLimit::default();
        translated
            .set_page_size(limit.page_size.clone())
            .set_limit(limit.limit);
        translated
    };
    let limits: Vec<_> = limits.iter().map(one).collect();
    Some(limits).filter(|limits| !limits.is_empty())
}

fn pids(limit: i64) -> LinuxPids {
    let mut pids = LinuxPids::default();
    pids.set_limit(limit);
    pids
}

/// A number for which 0 means unset.
fn unless_zero(number: i64) -> Option<i64> {
    Some(number).filter(|number| *number != 0)
}

/// The same, never negative.
fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|number| *number != 0)
}
