//! Drops capabilities to what the payload may have.

use crate::run::{Done, Failure};
use crate::sys::abi::{
    CapData, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_SET_SECUREBITS,
};
use crate::sys::{Errno, credentials, process};
use crate::wire::CAPS_AT_MOST_OWN;

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
pub(crate) fn drop_to(mut wanted: Sets, flags: u32) -> Done {
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
    set(wanted.effective, wanted.permitted, wanted.inheritable)?;
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
