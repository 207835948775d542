//! Mounts, by descriptor wherever the kernel offers it.
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call.

use core::ffi::CStr;
use core::ptr::null;

use super::abi::{AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, MountAttr};
use super::{Fd, Result, arg, call, nr, numbers};

const OPEN_TREE_CLONE: u32 = 1;
const FSCONFIG_SET_FLAG: usize = 0;
const FSCONFIG_SET_STRING: usize = 1;
const FSCONFIG_CMD_CREATE: usize = 6;

/// `open_tree(2)` with `OPEN_TREE_CLONE`: a detached copy of the mount at a descriptor.
pub(crate) fn clone_tree(fd: i32, recursive: bool) -> Result<Fd> {
    let flags = OPEN_TREE_CLONE
        | super::abi::O_CLOEXEC as u32
        | AT_EMPTY_PATH
        | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the empty string ends with NUL.
    let tree = unsafe {
        call(
            nr::OPEN_TREE,
            [
                arg(fd),
                c"".as_ptr().expose_provenance(),
                flags as usize,
                0,
                0,
                0,
            ],
        )
    }?;
    Ok(Fd::own(tree as i32))
}

/// The same by a path of the host, whose last component is no link: what it was is for the caller to see.
pub(crate) fn clone_at(path: &CStr) -> Result<Fd> {
    let flags = OPEN_TREE_CLONE | super::abi::O_CLOEXEC as u32 | AT_SYMLINK_NOFOLLOW;
    let path = path.as_ptr().expose_provenance();
    // SAFETY: `path` ends with NUL.
    let tree = unsafe {
        call(
            nr::OPEN_TREE,
            [arg(AT_FDCWD), path, flags as usize, 0, 0, 0],
        )
    }?;
    Ok(Fd::own(tree as i32))
}

/// `move_mount(2)` from one descriptor onto another.
pub(crate) fn attach(tree: i32, target: i32) -> Result<()> {
    const BOTH_EMPTY_PATHS: usize = 0x4 | 0x40;
    let empty = c"".as_ptr().expose_provenance();
    // SAFETY: the empty string ends with NUL.
    unsafe {
        call(
            nr::MOVE_MOUNT,
            [arg(tree), empty, arg(target), empty, BOTH_EMPTY_PATHS, 0],
        )
    }
    .map(drop)
}

/// `move_mount(2)` from a descriptor onto one name in an open directory. The kernel follows no link there.
pub(crate) fn attach_at(tree: i32, directory: i32, name: &CStr) -> Result<()> {
    const FROM_EMPTY_PATH: usize = 0x4;
    let empty = c"".as_ptr().expose_provenance();
    let name = name.as_ptr().expose_provenance();
    // SAFETY: both strings end with NUL.
    unsafe {
        call(
            nr::MOVE_MOUNT,
            [arg(tree), empty, arg(directory), name, FROM_EMPTY_PATH, 0],
        )
    }
    .map(drop)
}

/// `mount_setattr(2)` on a descriptor.
pub(crate) fn set_attr(fd: i32, recursive: bool, attr: &MountAttr) -> Result<()> {
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    let empty = c"".as_ptr().expose_provenance();
    let args = [
        arg(fd),
        empty,
        flags as usize,
        (attr as *const MountAttr).expose_provenance(),
        size_of::<MountAttr>(),
        0,
    ];
    // SAFETY: `attr` is a whole mount_attr.
    unsafe { call(nr::MOUNT_SETATTR, args) }.map(drop)
}

/// `fsopen(2)`.
pub(crate) fn fsopen(fstype: &CStr) -> Result<Fd> {
    const FSOPEN_CLOEXEC: usize = 1;
    // SAFETY: `fstype` ends with NUL.
    let fd = unsafe {
        call(
            nr::FSOPEN,
            [
                fstype.as_ptr().expose_provenance(),
                FSOPEN_CLOEXEC,
                0,
                0,
                0,
                0,
            ],
        )
    }?;
    Ok(Fd::own(fd as i32))
}

/// `fsconfig(2)`: a flag, or a key with its value.
pub(crate) fn fsconfig(context: &Fd, key: &CStr, value: Option<&CStr>) -> Result<()> {
    let (command, value) = match value {
        Some(value) => (FSCONFIG_SET_STRING, value.as_ptr()),
        None => (FSCONFIG_SET_FLAG, null()),
    };
    // SAFETY: both strings end with NUL.
    unsafe {
        call(
            nr::FSCONFIG,
            [
                arg(context.raw()),
                command,
                key.as_ptr().expose_provenance(),
                value.expose_provenance(),
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `fsconfig(2)` with `FSCONFIG_CMD_CREATE`, then `fsmount(2)`: a detached mount.
pub(crate) fn fsmount(context: &Fd, attrs: u32) -> Result<Fd> {
    const FSMOUNT_CLOEXEC: usize = 1;
    numbers(
        nr::FSCONFIG,
        [arg(context.raw()), FSCONFIG_CMD_CREATE, 0, 0, 0, 0],
    )?;
    let fd = numbers(
        nr::FSMOUNT,
        [arg(context.raw()), FSMOUNT_CLOEXEC, attrs as usize, 0, 0, 0],
    )?;
    Ok(Fd::own(fd as i32))
}

/// `mount(2)` without a type: change, or with `source` move.
pub(crate) fn mount(source: Option<&CStr>, target: &CStr, flags: u64) -> Result<()> {
    let source = source.map_or(null(), CStr::as_ptr);
    // SAFETY: both strings end with NUL; without a type the kernel reads neither type nor data.
    unsafe {
        call(
            nr::MOUNT,
            [
                source.expose_provenance(),
                target.as_ptr().expose_provenance(),
                0,
                flags as usize,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `mount(2)` with `MS_REMOUNT` in the flags, and the file system's own words.
pub(crate) fn remount(target: &CStr, flags: u64, data: &CStr) -> Result<()> {
    let args = [
        0,
        target.as_ptr().expose_provenance(),
        0,
        flags as usize,
        data.as_ptr().expose_provenance(),
        0,
    ];
    // SAFETY: both strings end with NUL; a remount reads neither source nor type.
    unsafe { call(nr::MOUNT, args) }.map(drop)
}

/// `umount2(2)`.
pub(crate) fn umount(target: &CStr, flags: u32) -> Result<()> {
    // SAFETY: `target` ends with NUL.
    unsafe {
        call(
            nr::UMOUNT2,
            [
                target.as_ptr().expose_provenance(),
                flags as usize,
                0,
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `pivot_root(2)` with both at the working directory: the old root ends up on top of the new one.
pub(crate) fn pivot_here() -> Result<()> {
    let here = c".".as_ptr().expose_provenance();
    // SAFETY: the string ends with NUL.
    unsafe { call(nr::PIVOT_ROOT, [here, here, 0, 0, 0, 0]) }.map(drop)
}

/// `chroot(2)` to the working directory.
pub(crate) fn chroot_here() -> Result<()> {
    // SAFETY: the string ends with NUL.
    unsafe {
        call(
            nr::CHROOT,
            [c".".as_ptr().expose_provenance(), 0, 0, 0, 0, 0],
        )
    }
    .map(drop)
}
