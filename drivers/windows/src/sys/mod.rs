//! Every call of Windows that the driver makes, as safe functions over owned handles; and all of its unsafe code.
//!
//! # Safety
//! Everything here runs in the host program, on any of its threads. Handles are owned ([`OwnedHandle`]) or borrowed
//! while a call lasts; buffers outlive the calls that are given them, overlapped ones included, which are always waited for.
//!
//! This module itself has only the conversions.
#![allow(
    unsafe_code,
    reason = "the one place of the driver for it; listed in docs/security.md"
)]

pub(crate) mod conpty;
pub(crate) mod console;
pub(crate) mod hcs;
pub(crate) mod interrupt;
pub(crate) mod job;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod ntdll;
pub(crate) mod pipe;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod snapshot;
pub(crate) mod spawn;
pub(crate) mod token;

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::core::BOOL;

/// Text as Windows takes it: UTF-16, ended by a zero.
pub(crate) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// The answer of a call that says `FALSE` on failure.
fn check(answer: BOOL) -> io::Result<()> {
    match answer {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The answer of a call that gives a new handle, or null on failure.
fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just given this handle, to us alone, and it is not null.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// A handle as calls take it.
fn raw(handle: BorrowedHandle<'_>) -> HANDLE {
    handle.as_raw_handle()
}

/// Whether an error is this code of winerror.h.
pub(crate) fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error().and_then(|raw| u32::try_from(raw).ok()) == Some(code)
}

/// The size of a structure, as calls take it.
fn bytes_of<T>() -> u32 {
    // No structure of the system is larger than 4 GiB.
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}
