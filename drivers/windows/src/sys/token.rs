//! A token of the host's own user without its privileges and without the administrators' group.
//!
//! # Safety
//! Handles are open while the calls last; the group's identifier lives in a buffer of the size that Windows asks for.
//!
//! Reference: learn.microsoft.com/windows/win32/secauthz/restricted-tokens.

use super::{check, owned, raw};
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use windows_sys::Win32::Security::{
    CreateRestrictedToken, CreateWellKnownSid, DISABLE_MAX_PRIVILEGE, SECURITY_MAX_SID_SIZE,
    SID_AND_ATTRIBUTES, TOKEN_ADJUST_DEFAULT, TOKEN_ASSIGN_PRIMARY, TOKEN_DUPLICATE, TOKEN_QUERY,
    WinBuiltinAdministratorsSid,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Makes one.
pub(crate) fn restricted() -> io::Result<OwnedHandle> {
    // SAFETY: it takes nothing; the pseudo handle needs no release.
    let process = unsafe { GetCurrentProcess() };
    let rights = TOKEN_DUPLICATE | TOKEN_ASSIGN_PRIMARY | TOKEN_QUERY | TOKEN_ADJUST_DEFAULT;
    let mut own = std::ptr::null_mut();
    // SAFETY: the pseudo handle stands for this process, the result's place lives while the call lasts.
    check(unsafe { OpenProcessToken(process, rights, &raw mut own) })?;
    let own = owned(own)?;
    let mut sid = [0_u32; SECURITY_MAX_SID_SIZE as usize / 4];
    let mut bytes = SECURITY_MAX_SID_SIZE;
    let (kind, none) = (WinBuiltinAdministratorsSid, std::ptr::null_mut());
    // SAFETY: the buffer has the most bytes that an identifier has, aligned for its numbers.
    check(unsafe { CreateWellKnownSid(kind, none, sid.as_mut_ptr().cast(), &raw mut bytes) })?;
    let disabled = SID_AND_ATTRIBUTES {
        Sid: sid.as_mut_ptr().cast(),
        Attributes: 0,
    };
    let mut made = std::ptr::null_mut();
    // SAFETY: one group to disable, which lives while the call lasts, and no other lists.
    check(unsafe {
        CreateRestrictedToken(
            raw(own.as_handle()),
            DISABLE_MAX_PRIVILEGE,
            1,
            &raw const disabled,
            0,
            std::ptr::null(),
            0,
            std::ptr::null(),
            &raw mut made,
        )
    })?;
    owned(made)
}
