//! Processes of a container that is isolated as processes are, suspended from the host.
//!
//! # Safety
//! Structures live while the call that is given them lasts. A token is this thread's alone, and taken away before the
//! thread goes on to anything else.
//!
//! Only an administrator talks to the compute service, and who may debug opens any process, whatever its own access list
//! says (learn.microsoft.com/windows/win32/procthread/process-security-and-access-rights). The privilege is enabled for
//! this thread, not for the host program.

use crate::backend::ProcessIdentity;
use crate::hcs::Code;
use crate::hcs::service::Reply;
use crate::sys::process::ProcessHandle;
use crate::sys::{check, ntdll, owned, raw};
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::LUID;
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, ImpersonateSelf, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW,
    RevertToSelf, SE_DEBUG_NAME, SE_PRIVILEGE_ENABLED, SecurityImpersonation,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken};

/// Suspends this very process; whether it is there.
pub(super) fn suspend(process: ProcessIdentity) -> io::Result<bool> {
    on(process, ntdll::suspend)
}

/// Takes one suspension of this very process back; whether it is there.
pub(super) fn resume(process: ProcessIdentity) -> io::Result<bool> {
    on(process, ntdll::resume)
}

/// The answer as the service's functions give theirs.
pub(super) fn reply(answer: io::Result<bool>) -> Reply<bool> {
    /// `ERROR_GEN_FAILURE`, for what has no code of its own.
    const GENERAL: u16 = 31;
    let code = |error: &io::Error| {
        let raw = error.raw_os_error().and_then(|raw| u16::try_from(raw).ok());
        Code::win32(raw.unwrap_or(GENERAL))
    };
    Reply {
        code: answer.as_ref().map_or_else(code, |_| Code(0)),
        answer: String::new(),
        value: answer.unwrap_or(false),
    }
}

fn on(process: ProcessIdentity, act: fn(BorrowedHandle<'_>) -> io::Result<()>) -> io::Result<bool> {
    let _debugger = Debugger::become_one();
    let Some(found) = ProcessHandle::reopen_to_suspend(process)? else {
        return Ok(false);
    };
    match act(found.as_handle()) {
        Ok(()) => Ok(true),
        Err(_) if !found.is_alive() => Ok(false),
        Err(error) => Err(error),
    }
}

/// This thread, with the right to open any process; until it is dropped.
struct Debugger;

impl Debugger {
    /// `None` where the host program has no such right: what it may open decides the system.
    fn become_one() -> Option<Self> {
        // SAFETY: it takes a number alone.
        check(unsafe { ImpersonateSelf(SecurityImpersonation) }).ok()?;
        let debugger = Self;
        enable(SE_DEBUG_NAME).ok()?;
        Some(debugger)
    }
}

impl Drop for Debugger {
    fn drop(&mut self) {
        // SAFETY: it takes nothing; a thread that has no token of its own is no error.
        let _ = unsafe { RevertToSelf() };
    }
}

/// Enables a privilege in the token of this thread.
fn enable(name: windows_sys::core::PCWSTR) -> io::Result<()> {
    let mut token = null_mut();
    let rights = TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY;
    // SAFETY: it takes nothing; the pseudo handle needs no release.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: the pseudo handle stands for this thread, the result's place lives while the call lasts.
    check(unsafe { OpenThreadToken(thread, rights, 1, &raw mut token) })?;
    let token = owned(token)?;
    let mut luid = LUID::default();
    // SAFETY: the name is a constant ended by a zero, the result's place lives while the call lasts.
    check(unsafe { LookupPrivilegeValueW(std::ptr::null(), name, &raw mut luid) })?;
    let privileges = TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [LUID_AND_ATTRIBUTES {
            Luid: luid,
            Attributes: SE_PRIVILEGE_ENABLED,
        }],
    };
    // SAFETY: the structure has the one privilege that it counts; nobody wants the former state.
    check(unsafe {
        AdjustTokenPrivileges(
            raw(token.as_handle()),
            0,
            &raw const privileges,
            0,
            null_mut(),
            null_mut(),
        )
    })
}
