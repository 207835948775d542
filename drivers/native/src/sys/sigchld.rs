//! What this process does with the end of its children.
//!
//! # Safety
//! One ordinary call that reads.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;
use core::ptr;

/// Whether the kernel reaps our children by itself, so that nobody learns their status: SIGCHLD is ignored, or has SA_NOCLDWAIT.
pub(crate) fn children_reap_themselves() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads the present one into our structure.
    let result = unsafe { libc::sigaction(libc::SIGCHLD, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed, which is a value of this plain structure, then filled by the call.
    let action = unsafe { action.assume_init() };
    result == 0
        && (action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0)
}
