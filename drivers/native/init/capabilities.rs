//! Drops capabilities to what the payload may have.

use crate::run::{Done, Failure, Init};
use crate::sys::abi::{
    CapData, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_SET_SECUREBITS,
};
use crate::sys::{Errno, Fd, credentials, process};
use crate::wire::{CAPS_AT_MOST_OWN, CAPS_UNTIL_FILTER, Detail};

/// Without no_new_privs the kernel takes a filter only from a process that has it: seccomp(2).
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// Sets as `Caps` lists them, bit n for capability n.
#[derive(Clone, Copy)]
pub(crate) struct Sets {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
}

/// Drops the bounding set first, which takes CAP_SETPCAP, then the others.
pub(crate) fn drop_to(init: &mut Init, mut wanted: Sets, flags: u32) -> Done {
    let own = credentials::capabilities()?;
    let permitted = join(own[0].permitted, own[1].permitted);
    if flags & CAPS_AT_MOST_OWN != 0 {
        wanted.effective &= permitted;
        wanted.permitted &= permitted;
        wanted.inheritable &= permitted;
        wanted.ambient &= permitted;
    }
    raise(&own)?;
    for capability in bits(!wanted.bounding) {
        match process::prctl(PR_CAPBSET_DROP, capability, 0) {
            Ok(_) => {}
            // Past the last capability that this kernel knows.
            Err(Errno::EINVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    // The kernel keeps ambient within permitted and inheritable, so this clears what was ambient before.
    if flags & CAPS_UNTIL_FILTER != 0 {
        init.until_filter = Some(wanted);
        let permitted = wanted.permitted | CAP_SYS_ADMIN;
        set(wanted.effective, permitted, wanted.inheritable)?;
    } else {
        set(wanted.effective, wanted.permitted, wanted.inheritable)?;
    }
    for capability in bits(wanted.ambient) {
        process::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)?;
    }
    Ok(())
}

/// Sets the securebits, which takes CAP_SETPCAP.
pub(crate) fn secure(bits: u32) -> Done {
    regain()?;
    Ok(process::prctl(PR_SET_SECUREBITS, bits as usize, 0).map(drop)?)
}

/// Makes effective what is permitted: a change of user took it, and keepcaps kept it permitted.
pub(crate) fn regain() -> Done {
    raise(&credentials::capabilities()?)
}

fn raise(own: &[CapData; 2]) -> Done {
    let permitted = join(own[0].permitted, own[1].permitted);
    if join(own[0].effective, own[1].effective) == permitted {
        return Ok(());
    }
    Ok(set(
        permitted,
        permitted,
        join(own[0].inheritable, own[1].inheritable),
    )?)
}

/// Loads a filter of system calls with the right that was kept for it, and gives that up. All that the filter must let
/// through for this is `capset(2)`, and that only where a right was kept.
pub(crate) fn load_filter(init: &Init, flags: u32, program: &[u8]) -> Result<Option<Fd>, Failure> {
    let refused = |errno| Failure::with(errno, Detail::Filter);
    if let Some(sets) = init.until_filter {
        let (effective, permitted) = (sets.effective, sets.permitted);
        set(
            effective | CAP_SYS_ADMIN,
            permitted | CAP_SYS_ADMIN,
            sets.inheritable,
        )
        .map_err(refused)?;
    }
    let listener = process::seccomp(flags, program).map_err(refused)?;
    if let Some(sets) = init.until_filter {
        set(sets.effective, sets.permitted, sets.inheritable).map_err(refused)?;
    }
    Ok(listener)
}

/// Clears the inheritable set, and with it the ambient one.
pub(crate) fn stop_inheriting() -> Result<(), Failure> {
    let own = credentials::capabilities()?;
    Ok(set(
        join(own[0].effective, own[1].effective),
        join(own[0].permitted, own[1].permitted),
        0,
    )?)
}

fn set(effective: u64, permitted: u64, inheritable: u64) -> crate::sys::Result<()> {
    let half = |shift: u32| CapData {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    credentials::set_capabilities(&[half(0), half(32)])
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn bits(mask: u64) -> impl Iterator<Item = usize> {
    (0..64usize).filter(move |bit| mask >> bit & 1 == 1)
}
