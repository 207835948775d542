//! Calls of ntdll.dll that Windows has had since XP and documents nowhere: a process suspended as a whole.
//!
//! Looked up when they are needed: a system without them gets a clear error instead of a program that does not start.
//!
//! # Safety
//! The signatures are those of the kernel's system call table; both take a handle of a process alone.
//!
//! Wine 8.0 has both, counts nested suspensions as Windows does, and lets a suspended process be terminated.

use super::raw;
use std::ffi::CStr;
use std::io;
use std::os::windows::io::BorrowedHandle;
use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, RtlNtStatusToDosError};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};

type OnProcess = unsafe extern "system" fn(HANDLE) -> NTSTATUS;

/// Suspends every thread of a process; nested suspensions count.
pub(crate) fn suspend(process: BorrowedHandle<'_>) -> io::Result<()> {
    on_process(c"NtSuspendProcess", process)
}

/// Takes one suspension back.
pub(crate) fn resume(process: BorrowedHandle<'_>) -> io::Result<()> {
    on_process(c"NtResumeProcess", process)
}

fn on_process(name: &CStr, process: BorrowedHandle<'_>) -> io::Result<()> {
    let address = address(c"ntdll.dll", name)?;
    // SAFETY: both names have this signature in every version of ntdll.
    let call = unsafe { std::mem::transmute::<Address, OnProcess>(address) };
    // SAFETY: the handle is a process's and open while the call lasts.
    status(unsafe { call(raw(process)) })
}

/// A function of a library that is loaded in every process.
pub(super) type Address = unsafe extern "system" fn() -> isize;

/// The function `name` of `library`, which is loaded already.
pub(super) fn address(library: &CStr, name: &CStr) -> io::Result<Address> {
    // SAFETY: the name is ended by a zero; the handle is not counted and needs no release.
    let module = unsafe { GetModuleHandleA(library.as_ptr().cast()) };
    if module.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the module is loaded for as long as the process lives, the name is ended by a zero.
    let found = unsafe { GetProcAddress(module, name.as_ptr().cast()) };
    found.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// A status of the kernel as an error of Windows.
pub(super) fn status(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 {
        return Ok(());
    }
    // SAFETY: it looks a number up in a table.
    let code = unsafe { RtlNtStatusToDosError(status) };
    Err(io::Error::from_raw_os_error(code.cast_signed()))
}
