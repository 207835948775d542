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

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::Security::{EqualSid, GetTokenInformation, TOKEN_GROUPS, TokenGroups};

    /// `SE_GROUP_USE_FOR_DENY_ONLY` of winnt.h.
    const DENIES_ALONE: u32 = 0x10;

    /// The attributes of the administrators' group in a token that has it.
    fn administrators(token: &OwnedHandle) -> Option<u32> {
        let mut place = vec![0_u64; 4096];
        let mut bytes = 8 * 4096;
        // SAFETY: the buffer has that many bytes, aligned for the pointers in it.
        check(unsafe {
            GetTokenInformation(
                raw(token.as_handle()),
                TokenGroups,
                place.as_mut_ptr().cast(),
                bytes,
                &raw mut bytes,
            )
        })
        .unwrap();
        let mut sid = [0_u32; SECURITY_MAX_SID_SIZE as usize / 4];
        let mut size = SECURITY_MAX_SID_SIZE;
        let (kind, none) = (WinBuiltinAdministratorsSid, std::ptr::null_mut());
        // SAFETY: as where the token is made.
        check(unsafe { CreateWellKnownSid(kind, none, sid.as_mut_ptr().cast(), &raw mut size) })
            .unwrap();
        // SAFETY: the system wrote such a structure at the buffer's begin.
        let head = unsafe { place.as_ptr().cast::<TOKEN_GROUPS>().read() };
        let first = std::mem::offset_of!(TOKEN_GROUPS, Groups);
        (0..head.GroupCount as usize).find_map(|index| {
            let at = first + index * size_of::<SID_AND_ATTRIBUTES>();
            // SAFETY: there are that many groups behind one another in the buffer.
            let group = unsafe { place.as_ptr().byte_add(at) };
            // SAFETY: as the line before.
            let group = unsafe { group.cast::<SID_AND_ATTRIBUTES>().read() };
            // SAFETY: both are identifiers, one in the buffer that lives, one of our own.
            let same = unsafe { EqualSid(group.Sid, sid.as_mut_ptr().cast()) };
            (same != 0).then_some(group.Attributes)
        })
    }

    #[test]
    fn a_restricted_token_has_the_administrators_for_denials_alone() {
        let token = restricted().unwrap();
        let attributes = administrators(&token).expect("Wine's user is an administrator");
        assert_ne!(attributes & DENIES_ALONE, 0, "{attributes:#x}");
    }
}
