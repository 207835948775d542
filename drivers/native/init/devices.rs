//! Device nodes, symbolic links and directories that the plan asks for.

use core::ffi::CStr;

use crate::paths;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{
    O_NOFOLLOW, O_PATH, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, S_IFBLK, S_IFCHR, S_IFIFO, device,
};
use crate::sys::{Errno, fs};
use crate::wire::Detail;

/// A node to make, as `Device` describes it.
pub(crate) struct Node {
    pub(crate) kind: u32,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Makes a device node in a directory that is held open (CVE-2026-41579: an image's /dev may be a link).
pub(crate) fn make_device(init: &mut Init, path: &'static CStr, node: &Node) -> Done {
    if !matches!(node.kind, S_IFCHR | S_IFBLK | S_IFIFO) {
        return Err(Failure::of(Detail::BadMessage));
    }
    let (parent, name) = paths::parent_of(init, path)?;
    let number = if node.kind == S_IFIFO {
        0
    } else {
        device(node.major, node.minor)
    };
    // The mask is 0, so the mode is exact.
    let made = fs::mknod(parent, name, node.kind | (node.mode & 0o7777), number);
    let exists = made == Err(Errno::EEXIST);
    if !exists {
        made?;
    }
    if !exists && (node.uid, node.gid) == (0, 0) {
        return Ok(());
    }
    let fd = fs::open(
        parent,
        name,
        O_PATH | O_NOFOLLOW,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    )?;
    let stat = fs::stat(fd.raw())?;
    if stat.kind() != node.kind || stat.rdev != number {
        return Err(Failure::with(Errno::EEXIST, Detail::WrongDevice));
    }
    if exists {
        Ok(())
    } else {
        Ok(fs::chown(fd.raw(), node.uid, node.gid)?)
    }
}

/// Makes a symbolic link unless something has that name.
pub(crate) fn make_symlink(init: &mut Init, target: &CStr, path: &'static CStr) -> Done {
    let (parent, name) = paths::parent_of(init, path)?;
    match fs::symlink(target, parent, name) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
