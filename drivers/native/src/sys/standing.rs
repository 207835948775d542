//! What a process hands down to those that it clones, thread by thread, and no file of /proc tells in one go.
//!
//! # Safety
//! Ordinary calls about the calling thread that change nothing; they take numbers, and structures on our stack that outlive them.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};
use core::ptr;
use nix::errno::Errno;

/// Any value is one that such a call gave, also its refusal: two threads of the same standing get the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbers {
    single: [i64; 10],
    /// `struct sched_attr`: policy, nice value, deadlines, clamps (sched_setattr(2)).
    scheduling: [u64; 7],
    /// Mode and nodes (get_mempolicy(2)).
    memory: (c_int, [c_ulong; 16]),
}

/// Scheduling, policy of memory, priority of input and output, slack of timers, security bits, what a process makes of its memory,
/// personality, scheduling by core (ioprio_get(2), prctl(2), personality(2)).
pub(crate) fn numbers() -> Numbers {
    const PERSONALITY_NOW: c_ulong = 0xffff_ffff;
    const IOPRIO_WHO_PROCESS: c_int = 1;
    let asked = |what: c_int| call(libc::SYS_prctl, [word(what), 0, 0]);
    Numbers {
        single: [
            call(libc::SYS_ioprio_get, [word(IOPRIO_WHO_PROCESS), 0, 0]),
            asked(libc::PR_GET_TIMERSLACK),
            asked(libc::PR_GET_SECUREBITS),
            asked(libc::PR_MCE_KILL_GET),
            asked(libc::PR_GET_THP_DISABLE),
            asked(PR_GET_MDWE),
            asked(PR_GET_MEMORY_MERGE),
            asked(PR_GET_IO_FLUSHER),
            call(libc::SYS_personality, [PERSONALITY_NOW, 0, 0]),
            core_cookie(),
        ],
        scheduling: scheduling(),
        memory: memory(),
    }
}

/// `prctl(2)`, from Linux 5.6, 6.3 and 6.4 on.
const PR_GET_IO_FLUSHER: c_int = 58;
const PR_GET_MDWE: c_int = 66;
const PR_GET_MEMORY_MERGE: c_int = 68;

/// Whether something denies the calling thread all mounts, as a Landlock domain with any right about files does: no call tells of
/// one. A move from nowhere is EINVAL for whoever may mount, and is asked about before that (security_sb_mount).
pub(crate) fn is_confined() -> bool {
    let none = ptr::null::<c_char>();
    // SAFETY: the target is a NUL-terminated literal; without a source there is nothing to move.
    let result = unsafe { libc::mount(none, c"/".as_ptr(), none, libc::MS_MOVE, ptr::null()) };
    Errno::result(result) != Err(Errno::EINVAL)
}

const fn word(number: c_int) -> c_ulong {
    number.cast_unsigned() as c_ulong
}

fn call(number: c_long, [a, b, c]: [c_ulong; 3]) -> i64 {
    // SAFETY: none of the calls above takes a pointer.
    unsafe { libc::syscall(number, a, b, c, 0, 0) }
}

fn scheduling() -> [u64; 7] {
    let mut attributes = [0u64; 7];
    let size = size_of_val(&attributes);
    // SAFETY: the kernel writes at most `size` bytes to the array, which outlives the call.
    unsafe { libc::syscall(libc::SYS_sched_getattr, 0, attributes.as_mut_ptr(), size, 0) };
    attributes
}

fn memory() -> (c_int, [c_ulong; 16]) {
    let (mut mode, mut nodes): (c_int, [c_ulong; 16]) = (-1, [0; 16]);
    let bits = size_of_val(&nodes) * 8;
    let none = ptr::null_mut::<c_void>();
    let nodes_at = nodes.as_mut_ptr();
    // SAFETY: the kernel writes the mode and as many bits, all of which outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_get_mempolicy,
            &raw mut mode,
            nodes_at,
            bits,
            none,
            0,
        )
    };
    (mode, nodes)
}

fn core_cookie() -> i64 {
    const GET: c_int = 0;
    let mut cookie = 0u64;
    // SAFETY: the kernel writes 8 bytes, which outlive the call.
    let result = unsafe { libc::prctl(libc::PR_SCHED_CORE, GET, 0, 0, &raw mut cookie) };
    match result {
        0 => cookie.cast_signed(),
        _ => -1,
    }
}
