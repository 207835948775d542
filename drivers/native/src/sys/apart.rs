//! A thread with a mount namespace of its own, and programs of the host's that keep descriptors of ours.
//!
//! # Safety
//! What runs between fork and exec allocates nothing and takes no lock: system calls on values that were made before.
#![allow(unsafe_code)]

use super::unmask::unmask;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A tree of mounts that is attached nowhere (open_tree(2)), and the directory over which it is to be seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) tree: OwnedFd,
    pub(crate) at: CString,
}

/// Has the child of `command` keep these descriptors, by their numbers, and begin with every signal let through. It does not die
/// with us: one that has stopped the processes of a container sees that we are gone, and lets them go on.
pub(crate) fn keep(command: &mut Command, kept: Vec<OwnedFd>) {
    unmask(command);
    let begin = move || {
        for fd in &kept {
            // SAFETY: fcntl(2) with F_SETFD takes numbers, and the descriptor is open.
            let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) };
            Errno::result(set)?;
        }
        Ok(())
    };
    // SAFETY: the closure only makes system calls, which signal-safety(7) allows after a fork of threads.
    unsafe { command.pre_exec(begin) };
}

/// Gives the calling thread a mount namespace in which the tree is mounted; mounts of the host's still reach it, and none of its
/// own gets out. They are gone when the thread and what it started are.
pub(crate) fn see(seen: &Seen) -> Result<(), Errno> {
    /// `linux/mount.h`: the tree is the one that the descriptor is of.
    const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
    unshare(CloneFlags::CLONE_NEWNS)?;
    let (flags, none) = (libc::MS_REC | libc::MS_SLAVE, std::ptr::null());
    // SAFETY: the path ends with a NUL; a change of the propagation reads neither source nor type nor data.
    let changed = unsafe { libc::mount(none, c"/".as_ptr(), none, flags, none.cast()) };
    Errno::result(changed)?;
    // SAFETY: both paths end with a NUL, and the descriptor is open.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            seen.tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            seen.at.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(moved).map(drop)
}
