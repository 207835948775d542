//! Credentials: user, groups, capabilities.
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call.

use super::abi::CapData;
use super::{Result, call, nr, numbers};

const CAP_VERSION_3: u32 = 0x2008_0522;

/// `setresuid(2)`, all three.
pub(crate) fn set_uid(uid: u32) -> Result<()> {
    numbers(
        nr::SETRESUID,
        [uid as usize, uid as usize, uid as usize, 0, 0, 0],
    )
    .map(drop)
}

/// `setresgid(2)`, all three.
pub(crate) fn set_gid(gid: u32) -> Result<()> {
    numbers(
        nr::SETRESGID,
        [gid as usize, gid as usize, gid as usize, 0, 0, 0],
    )
    .map(drop)
}

/// `setgroups(2)`.
pub(crate) fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `len` ids.
    unsafe {
        call(
            nr::SETGROUPS,
            [
                groups.len(),
                groups.as_ptr().expose_provenance(),
                0,
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `capget(2)` of ourselves: low and high words.
pub(crate) fn capabilities() -> Result<[CapData; 2]> {
    let header = [CAP_VERSION_3, 0];
    let mut data = [CapData::default(); 2];
    // SAFETY: the header asks for version 3, which fills two elements.
    unsafe {
        call(
            nr::CAPGET,
            [
                header.as_ptr().expose_provenance(),
                data.as_mut_ptr().expose_provenance(),
                0,
                0,
                0,
                0,
            ],
        )
    }?;
    Ok(data)
}

/// `capset(2)` of ourselves.
pub(crate) fn set_capabilities(data: &[CapData; 2]) -> Result<()> {
    let header = [CAP_VERSION_3, 0];
    // SAFETY: the header says version 3, which reads two elements.
    unsafe {
        call(
            nr::CAPSET,
            [
                header.as_ptr().expose_provenance(),
                data.as_ptr().expose_provenance(),
                0,
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}
