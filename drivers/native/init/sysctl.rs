//! Writes kernel parameters of the container's namespaces.

use core::ffi::CStr;

use crate::run::{Done, Init};
use crate::split::PathBuffer;
use crate::sys::abi::{Errno, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV};
use crate::sys::{Fd, fs, mount};

/// Writes through a procfs of our own that is attached nowhere, so that no mount of the image or of another container
/// can redirect the write (CVE-2025-52881).
pub(crate) fn write(init: &mut Init, path: &CStr, value: &[u8]) -> Done {
    if init.procfs.is_none() {
        init.procfs = Some(mount::fsmount(&mount::fsopen(c"proc")?, 0)?);
    }
    let procfs = init.procfs.as_ref().map(Fd::raw).ok_or(Errno::EBADF)?;
    let mut buffer = PathBuffer::new();
    let file = buffer
        .set(&[b"sys/", path.to_bytes()])
        .ok_or(Errno::ENAMETOOLONG)?;
    let file = fs::open(
        procfs,
        file,
        O_WRONLY,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    )?;
    let written = fs::write(file.raw(), value)?;
    if written == value.len() {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}
