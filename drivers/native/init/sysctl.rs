//! Writes kernel parameters of the container's namespaces.

use core::ffi::CStr;

use crate::run::{Done, Init};
use crate::sys::abi::{
    Errno, O_DIRECTORY, O_PATH, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use crate::sys::{Fd, fs, mount};

const INSIDE: u64 = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/// Writes through a procfs of our own that is attached nowhere, so that no mount of the image or of another container
/// can redirect the write (CVE-2025-52881).
pub(crate) fn write(init: &mut Init, path: &CStr, value: &[u8]) -> Done {
    if init.sysctls.is_none() {
        let procfs = mount::fsmount(&mount::fsopen(c"proc")?, 0)?;
        // Names start here, so that none climbs to another part of procfs.
        init.sysctls = Some(fs::open(
            procfs.raw(),
            c"sys",
            O_PATH | O_DIRECTORY,
            INSIDE,
        )?);
    }
    let sysctls = init.sysctls.as_ref().map(Fd::raw).ok_or(Errno::EBADF)?;
    let file = fs::open(sysctls, path, O_WRONLY, INSIDE)?;
    let written = fs::write(file.raw(), value)?;
    if written == value.len() {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}
