//! Trees of mounts that are attached nowhere, and the owners that their files are seen with.
//!
//! # Safety
//! Ordinary calls of the host program, from any thread; every pointer is to a local value or a literal.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const OPEN_TREE_CLONE: u32 = 1;

/// Clones the mount at an open path, with those below it or not; nothing is mounted anywhere
/// (open_tree(2)).
pub(crate) fn clone_tree(path: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd, Errno> {
    let below = if recursive { libc::AT_RECURSIVE } else { 0 };
    let flags = libc::AT_EMPTY_PATH | below;
    let flags = flags.cast_unsigned() | OPEN_TREE_CLONE | libc::O_CLOEXEC.cast_unsigned();
    // SAFETY: the path is a NUL-terminated literal.
    let result =
        unsafe { libc::syscall(libc::SYS_open_tree, path.as_raw_fd(), c"".as_ptr(), flags) };
    let fd = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Shows a cloned tree's files with the owners that the user namespace maps them to
/// (mount_setattr(2), `MOUNT_ATTR_IDMAP`).
pub(crate) fn map_ids(
    tree: BorrowedFd<'_>,
    user_namespace: BorrowedFd<'_>,
    recursive: bool,
) -> Result<(), Errno> {
    let namespace = u64::try_from(user_namespace.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    set(tree, recursive, libc::MOUNT_ATTR_IDMAP, namespace)
}

/// Sets attributes on every mount of a cloned tree.
pub(crate) fn set_attributes(tree: BorrowedFd<'_>, attributes: u64) -> Result<(), Errno> {
    set(tree, true, attributes, 0)
}

fn set(tree: BorrowedFd<'_>, recursive: bool, attr_set: u64, userns_fd: u64) -> Result<(), Errno> {
    let attr = libc::mount_attr {
        attr_set,
        attr_clr: 0,
        propagation: 0,
        userns_fd,
    };
    let below = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated literal; the kernel reads `attr`, whose size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | below,
            &raw const attr,
            size_of_val(&attr),
        )
    };
    Errno::result(result).map(drop)
}
