//! Memory, swap, and what happens without either.

use super::{Check, LimitError, List, Shape, Version, invalid, or_max, unsupported};
use oci_spec::runtime::{LinuxMemory, LinuxResources};

/// The smallest page: less is rounded to a limit of nothing, under which nothing can start.
const PAGE: i64 = 4096;

const LIMIT: &str = "resources.memory";
const RESERVATION: &str = "resources.memory_reservation";
const SWAP: &str = "resources.memory_swap";
const KERNEL: &str = "resources.kernel_memory";
const SWAPPINESS: &str = "resources.memory_swappiness";
const OOM: &str = "resources.oom_kill_disable";

const NO_SWAP: &str = "the kernel does not account swap: boot it with `swapaccount=1`";
const NO_KERNEL: &str = "this kernel takes a kernel memory limit and enforces none (Linux 5.16 and \
                         later): kernel memory counts as memory, so set resources.memory";

pub(super) fn add(
    resources: &LinuxResources,
    before: &LinuxResources,
    list: &mut List<'_>,
) -> Result<(), LimitError> {
    let Some(memory) = resources.memory() else {
        return Ok(());
    };
    // Only the total is known to be too small; the kernel judges the rest.
    for (field, value) in [(LIMIT, memory.limit()), (SWAP, memory.swap())] {
        if let Some(value) = value.filter(|value| (0..PAGE).contains(value)) {
            return Err(invalid(
                field,
                format!("got {value}, expected at least {PAGE} (a page), or -1"),
            ));
        }
    }
    let nothing = LinuxMemory::default();
    let before = before.memory().as_ref().unwrap_or(&nothing);
    totals(memory, before)?;
    if !asks(memory, list) {
        return Ok(());
    }
    match list.place(field(memory), "memory", "memory")? {
        Version::V1 => version_1(memory, list),
        Version::V2 => version_2(memory, before, list),
    }
}

/// Memory and swap together contain the memory.
fn totals(memory: &LinuxMemory, before: &LinuxMemory) -> Result<(), LimitError> {
    let limit = memory.limit().or(before.limit());
    let swap = memory.swap().or(before.swap());
    let touched = memory.limit().is_some() || memory.swap().is_some();
    let Some(swap) = swap.filter(|swap| *swap >= 0 && touched) else {
        return Ok(());
    };
    match limit.filter(|limit| *limit >= 0) {
        Some(limit) if limit <= swap => Ok(()),
        // Whoever gives one of the two is told of the other.
        Some(limit) if memory.swap().is_none() => Err(invalid(
            LIMIT,
            format!(
                "got {limit}, above the {swap} of memory and swap together: raise resources.memory_swap too"
            ),
        )),
        Some(limit) => Err(invalid(
            SWAP,
            format!("got {swap}, expected at least the {limit} of memory, which it includes"),
        )),
        None => Err(invalid(
            SWAP,
            format!("got {swap} without resources.memory, which it includes"),
        )),
    }
}

/// Whether anything is to be written at all.
fn asks(memory: &LinuxMemory, list: &List<'_>) -> bool {
    let update = list.asks(-1) && *memory != LinuxMemory::default();
    update || limits(memory) || memory.use_hierarchy() == Some(false)
}

/// Whether a new cgroup has to be limited in anything.
pub(super) fn limits(memory: &LinuxMemory) -> bool {
    let numbers = [
        memory.limit(),
        memory.reservation(),
        memory.swap(),
        kernel(memory),
        memory.kernel_tcp(),
    ];
    numbers.into_iter().flatten().any(|number| number >= 0)
        || memory.swappiness().is_some()
        || memory.disable_oom_killer() == Some(true)
}

/// The first field that was given, for an error about the controller.
fn field(memory: &LinuxMemory) -> &'static str {
    match memory {
        memory if memory.limit().is_some() => LIMIT,
        memory if memory.reservation().is_some() => RESERVATION,
        memory if memory.swap().is_some() => SWAP,
        memory if kernel(memory).is_some() => KERNEL,
        memory if memory.swappiness().is_some() => SWAPPINESS,
        _ => OOM,
    }
}

#[allow(
    deprecated,
    reason = "kernel memory is the contract's, and cgroup v1 has it"
)]
fn kernel(memory: &LinuxMemory) -> Option<i64> {
    memory.kernel()
}

/// In the contract's order; `apply` tries again what is refused because of what comes later.
fn version_1(memory: &LinuxMemory, list: &mut List<'_>) -> Result<(), LimitError> {
    let v1 = Version::V1;
    if memory.use_hierarchy() == Some(false) {
        let reason = "the kernel always counts a cgroup's children with it (since Linux 5.11)";
        return Err(unsupported("resources.memory.useHierarchy", reason));
    }
    if let Some(limit) = memory.limit().filter(|limit| list.asks(*limit)) {
        let setting = list.whole(v1, "memory.limit_in_bytes", limit.max(-1), LIMIT);
        setting.check = Check::UsageRefused("memory.usage_in_bytes");
    }
    if let Some(soft) = memory.reservation().filter(|soft| list.asks(*soft)) {
        list.whole(v1, "memory.soft_limit_in_bytes", soft.max(-1), RESERVATION);
    }
    if let Some(swap) = memory.swap().filter(|swap| list.asks(*swap)) {
        let setting = list.whole(v1, "memory.memsw.limit_in_bytes", swap.max(-1), SWAP);
        setting.check = Check::UsageRefused("memory.memsw.usage_in_bytes");
        setting.absent = NO_SWAP;
    }
    let kernel = [
        (kernel(memory), "memory.kmem.limit_in_bytes"),
        (memory.kernel_tcp(), "memory.kmem.tcp.limit_in_bytes"),
    ];
    for (limit, file) in kernel {
        if let Some(limit) = limit.filter(|limit| list.asks(*limit)) {
            let setting = list.whole(v1, file, limit.max(-1), KERNEL);
            setting.absent = NO_KERNEL;
            if limit >= 0 {
                setting.check = Check::IsLimit;
            }
        }
    }
    if memory.disable_oom_killer() == Some(true) {
        let setting = list.whole(v1, "memory.oom_control", 1, OOM);
        setting.shape = Shape::Key("oom_kill_disable");
    }
    if let Some(swappiness) = memory.swappiness() {
        check_swappiness(swappiness)?;
        list.whole(v1, "memory.swappiness", swappiness, SWAPPINESS);
    }
    Ok(())
}

/// The contract's range; newer kernels know 200, for swap that is faster than the disk.
fn check_swappiness(got: u64) -> Result<(), LimitError> {
    if got <= 100 {
        return Ok(());
    }
    let reason = format!("invalid value: {got}, valid memory swappiness range is 0-100");
    Err(invalid(SWAPPINESS, reason))
}

fn version_2(
    memory: &LinuxMemory,
    before: &LinuxMemory,
    list: &mut List<'_>,
) -> Result<(), LimitError> {
    let v2 = Version::V2;
    refuse_in_version_2(memory, list)?;
    if let Some(limit) = memory.limit().filter(|limit| list.asks(*limit)) {
        let setting = list.whole(v2, "memory.max", or_max(limit), LIMIT);
        if limit >= 0 {
            setting.check = Check::Memory;
        }
    }
    if let Some(low) = memory.reservation().filter(|low| list.asks(*low)) {
        list.whole(v2, "memory.low", or_max(low), RESERVATION);
    }
    // Version 2 limits the swap alone: a new memory limit leaves the total where it was.
    let touched = memory.limit().is_some() || memory.swap().is_some();
    let swap = memory.swap().or(before.swap());
    let limit = memory
        .limit()
        .or(before.limit())
        .filter(|limit| *limit >= 0);
    if let Some(swap) = swap.filter(|swap| touched && list.asks(*swap)) {
        let alone = limit.filter(|_| swap >= 0).map_or(-1, |limit| swap - limit);
        let setting = list.whole(v2, "memory.swap.max", or_max(alone), SWAP);
        setting.absent = NO_SWAP;
        if alone >= 0 {
            setting.check = Check::Usage("memory.swap.current");
        }
    }
    Ok(())
}

fn refuse_in_version_2(memory: &LinuxMemory, list: &List<'_>) -> Result<(), LimitError> {
    if memory.swappiness().is_some() {
        let reason = "cgroup version 2 has no swappiness for a container: set vm.swappiness of the host, or \
                      resources.memory_swap to resources.memory for no swap at all";
        return Err(unsupported(SWAPPINESS, reason));
    }
    if memory.disable_oom_killer() == Some(true) {
        let reason = "cgroup version 2 cannot keep the kernel from killing at the memory limit: leave it out";
        return Err(unsupported(OOM, reason));
    }
    let kernel = [kernel(memory), memory.kernel_tcp()];
    if kernel
        .into_iter()
        .flatten()
        .any(|limit| limit >= 0 && list.asks(limit))
    {
        let reason = "cgroup version 2 counts kernel memory as memory: set resources.memory";
        return Err(unsupported(KERNEL, reason));
    }
    if memory.use_hierarchy() == Some(false) {
        return Err(unsupported(
            "resources.memory.useHierarchy",
            "cgroup version 2 always counts a cgroup's children with it",
        ));
    }
    Ok(())
}
