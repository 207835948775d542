//! Asks the kernel which system calls it knows, by calls that cannot succeed.
//!
//! # Safety
//! Ordinary calls of the host program, from any thread. Every probe passes arguments that the
//! kernel refuses before it acts (a size of 0, a descriptor of -1, flags that exclude each other);
//! pointers are null.
#![allow(unsafe_code)]

use core::ffi::c_long;
use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A call that some supported kernel, or some sandbox around us, does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Clone3,
    CloseRange,
    Fsopen,
    MountSetattr,
    MoveMount,
    OpenTree,
    Openat2,
    PidfdOpen,
}

/// Whether the call exists. A filter that answers `ENOSYS` makes it as good as absent.
pub(crate) fn exists(call: Call) -> bool {
    const NONE: usize = usize::MAX; // -1: no descriptor
    let (number, args) = match call {
        // clone_args and open_how of 0 bytes are too small: EINVAL.
        Call::Clone3 => (libc::SYS_clone3, [0, 0, 0, 0, 0]),
        Call::Openat2 => (libc::SYS_openat2, [NONE, 0, 0, 0, 0]),
        // first above last: EINVAL.
        Call::CloseRange => (libc::SYS_close_range, [1, 0, 0, 0, 0]),
        // No name: EFAULT, or EPERM before that.
        Call::Fsopen => (libc::SYS_fsopen, [0, 0, 0, 0, 0]),
        // A mount_attr of 0 bytes: EINVAL, or EPERM.
        Call::MountSetattr => (libc::SYS_mount_setattr, [NONE, 0, 0, 0, 0]),
        Call::MoveMount => (libc::SYS_move_mount, [NONE, 0, NONE, 0, NONE]),
        Call::OpenTree => (libc::SYS_open_tree, [NONE, 0, 0, 0, 0]),
        // pid -1: EINVAL.
        Call::PidfdOpen => (libc::SYS_pidfd_open, [NONE, 0, 0, 0, 0]),
    };
    refused(number, args) != Errno::ENOSYS
}

/// Whether a filter around us denies new user namespaces, as those of container engines do: a clone that the kernel itself
/// refuses with EINVAL, for three reasons each of which is enough (clone(2)), gets to hear something else.
pub(crate) fn denies_user_namespaces() -> bool {
    const NEVER: i32 = libc::CLONE_NEWUSER | libc::CLONE_FS | libc::CLONE_THREAD;
    let flags = NEVER.unsigned_abs() as usize;
    refused(libc::SYS_clone, [flags, 0, 0, 0, 0]) != Errno::EINVAL
}

/// Whether `memfd_create(2)` takes `MFD_EXEC` (Linux 6.3), tried with a descriptor that is closed
/// at once; `Err` is what forbids executable ones altogether (`vm.memfd_noexec` = 2).
pub(crate) fn executable_memfd() -> Result<(), Errno> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_EXEC;
    // SAFETY: the name is a NUL-terminated literal.
    let result = unsafe { libc::memfd_create(c"execdriver-probe".as_ptr(), flags) };
    let fd: RawFd = Errno::result(result)?;
    // SAFETY: the kernel just made this descriptor for us.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

/// The version of Landlock's interface, 0 where there is none: with a flag of 1 and no ruleset
/// `landlock_create_ruleset(2)` answers that alone.
pub(crate) fn landlock_abi() -> u32 {
    const VERSION: u32 = 1;
    const NONE: usize = 0;
    // SAFETY: with this flag the kernel reads nothing and makes nothing.
    let result = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, NONE, NONE, VERSION) };
    u32::try_from(result).unwrap_or(0)
}

/// Whether the kernel schedules by core: asks for our own cookie (PR_SCHED_CORE(2const)).
pub(crate) fn core_scheduling() -> Result<(), &'static str> {
    const GET: usize = 0;
    const THREAD: usize = 0;
    const SELF: usize = 0;
    let mut cookie = 0u64;
    // SAFETY: the kernel writes 8 bytes, which live across the call.
    let result = unsafe { libc::prctl(libc::PR_SCHED_CORE, GET, SELF, THREAD, &raw mut cookie) };
    match Errno::result(result) {
        Ok(_) => Ok(()),
        Err(Errno::ENODEV) => Err("no processor of the machine has several hardware threads"),
        Err(_) => Err("the kernel has no core scheduling (CONFIG_SCHED_CORE, Linux 5.14)"),
    }
}

fn refused(number: c_long, [a, b, c, d, e]: [usize; 5]) -> Errno {
    // SAFETY: no argument is a valid pointer or descriptor, so the kernel can only refuse.
    let result = unsafe { libc::syscall(number, a, b, c, d, e) };
    Errno::result(result).err().unwrap_or(Errno::UnknownErrno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_know_a_call_that_exists_from_one_that_does_not() {
        assert!(exists(Call::PidfdOpen));
        // Numbers are given out in order and never reach this one.
        assert_eq!(refused(100_000, [0; 5]), Errno::ENOSYS);
    }
}
