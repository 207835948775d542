//! The machine's memory.
//!
//! # Safety
//! The structure says its own size, as the call wants it.

use super::{bytes_of, check};
use std::io;
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

/// Bytes of memory that the machine has.
pub(crate) fn total() -> io::Result<u64> {
    let mut status = MEMORYSTATUSEX {
        dwLength: bytes_of::<MEMORYSTATUSEX>(),
        ..MEMORYSTATUSEX::default()
    };
    // SAFETY: the structure is the one of this call and lives while it lasts.
    check(unsafe { GlobalMemoryStatusEx(&raw mut status) })?;
    Ok(status.ullTotalPhys)
}
