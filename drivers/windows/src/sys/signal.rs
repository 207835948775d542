//! Console events for a process that shares no console with the host.
//!
//! `GenerateConsoleCtrlEvent` reaches only processes of the caller's own console, and a library must not take its host's
//! console away to attach to another. What it does in the end is to start a thread at `CtrlRoutine` in each process;
//! starting that thread in the one process is what is left.
//!
//! # Safety
//! `CtrlRoutine` is at the same address in every process of this boot and architecture (system libraries are placed once), and
//! takes the event's number in place of a pointer.

use super::ntdll::address;
use super::process::ProcessHandle;
use super::{owned, raw};
use std::io;
use std::os::windows::io::AsHandle;
use windows_sys::Win32::System::Threading::{CreateRemoteThread, LPTHREAD_START_ROUTINE};

/// An event of a console (wincon.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Event {
    /// Ctrl-C.
    Interrupt = 0,
    /// Ctrl-Break.
    Break = 1,
    /// The window is closed.
    Close = 2,
    /// The system shuts down.
    Shutdown = 6,
}

/// Sends `event` to the process, whose handlers may ignore it; without a handler it ends.
///
/// # Errors
/// `Unsupported` where the system has no such routine; else what it said.
pub(crate) fn send(process: &ProcessHandle, event: Event) -> io::Result<()> {
    let routine = address(c"kernelbase.dll", c"CtrlRoutine")
        .or_else(|_| address(c"kernel32.dll", c"CtrlRoutine"))?;
    // SAFETY: a thread's routine takes one word and gives a number, which is what this one does.
    let routine: LPTHREAD_START_ROUTINE = unsafe { std::mem::transmute(routine) };
    let (none, event) = (std::ptr::null(), event as u32 as usize);
    // SAFETY: the handle has the rights; the word is a number to the routine, and is not followed.
    let thread = unsafe {
        CreateRemoteThread(
            raw(process.as_handle()),
            none,
            0,
            routine,
            event as *const _,
            0,
            std::ptr::null_mut(),
        )
    };
    owned(thread).map(drop)
}
