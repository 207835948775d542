//! Scheduling, I/O priority, memory policy, personality.
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call.

use super::abi::PR_SCHED_CORE;
use super::{Errno, Result, arg, call, nr, numbers};

/// `struct sched_attr`, first version.
#[repr(C)]
pub(crate) struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

const _: () = assert!(size_of::<Attributes>() == 48);

impl Attributes {
    /// Policy and flags, nice value and priority, runtime, deadline and period.
    pub(crate) const fn new(
        (policy, flags): (u32, u64),
        (nice, priority): (i32, u32),
        [runtime, deadline, period]: [u64; 3],
    ) -> Attributes {
        Attributes {
            size: 48,
            policy,
            flags,
            nice,
            priority,
            runtime,
            deadline,
            period,
        }
    }
}

/// `sched_setattr(2)` of ourselves.
pub(crate) fn set(attributes: &Attributes) -> Result<()> {
    let pointer = core::ptr::from_ref(attributes).expose_provenance();
    // SAFETY: the structure says its own size.
    unsafe { call(nr::SCHED_SETATTR, [0, pointer, 0, 0, 0, 0]) }.map(drop)
}

/// `ioprio_set(2)` of ourselves.
pub(crate) fn set_io_priority(value: u32) -> Result<()> {
    const WHO_PROCESS: usize = 1;
    numbers(nr::IOPRIO_SET, [WHO_PROCESS, 0, value as usize, 0, 0, 0]).map(drop)
}

/// `sched_setaffinity(2)` of ourselves.
pub(crate) fn set_processors(mask: &[u8]) -> Result<()> {
    let pointer = mask.as_ptr().expose_provenance();
    // SAFETY: the kernel reads at most `len` bytes.
    unsafe { call(nr::SCHED_SETAFFINITY, [0, mask.len(), pointer, 0, 0, 0]) }.map(drop)
}

/// `sched_getaffinity(2)` of ourselves; how many bytes the kernel wrote.
pub(crate) fn processors(mask: &mut [u8]) -> Result<usize> {
    let pointer = mask.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes at most `len` bytes.
    unsafe { call(nr::SCHED_GETAFFINITY, [0, mask.len(), pointer, 0, 0, 0]) }
}

/// `set_mempolicy(2)`.
pub(crate) fn set_memory_policy(mode: u32, nodes: &[u8]) -> Result<()> {
    if !nodes.len().is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let (pointer, bits) = match nodes {
        [] => (0, 0),
        // The kernel takes one bit less than it is told.
        nodes => (nodes.as_ptr().expose_provenance(), nodes.len() * 8 + 1),
    };
    // SAFETY: the kernel reads whole words of `bits` - 1 bits, all of them ours.
    unsafe { call(nr::SET_MEMPOLICY, [mode as usize, pointer, bits, 0, 0, 0]) }.map(drop)
}

/// `PR_SCHED_CORE` for this process: its own cookie, or that of process `from`.
pub(crate) fn set_core_cookie(from: i32) -> Result<()> {
    const CREATE: usize = 1;
    const SHARE_FROM: usize = 3;
    const THREAD_GROUP: usize = 1;
    const THREAD: usize = 0;
    let args = match from {
        0 => [PR_SCHED_CORE, CREATE, 0, THREAD_GROUP, 0, 0],
        from => [PR_SCHED_CORE, SHARE_FROM, arg(from), THREAD, 0, 0],
    };
    numbers(nr::PRCTL, args).map(drop)
}

/// `personality(2)`.
pub(crate) fn set_personality(persona: u32) -> Result<()> {
    numbers(nr::PERSONALITY, [persona as usize, 0, 0, 0, 0, 0]).map(drop)
}
