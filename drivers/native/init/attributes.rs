//! Attributes of mounts, also where the kernel has no mount_setattr(2) (before Linux 5.12).
//!
//! The older way works on attached mounts only, one at a time, and by path. So what could not be set on a detached tree
//! is set once it is attached, and a read-only tree with mounts below it is refused: they would stay writable.

use core::ffi::CStr;

use crate::decimal::decimal;
use crate::lines;
use crate::run::{Done, Failure, Init};
use crate::split::PathBuffer;
use crate::sys::abi::{
    AT_FDCWD, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_BIND,
    MS_REC, MS_REMOUNT, MountAttr, O_RDONLY, S_IFDIR, ST_RELATIME,
};
use crate::sys::{Errno, Fd, fs, mount};

/// What is still to be set, in the words of mount(2).
#[must_use]
#[derive(Default)]
pub(crate) struct Pending {
    attrs: Option<(MountAttr, bool)>,
    propagation: Option<u64>,
}

/// Attributes and their counterparts in mount(2) and statfs(2); the lowest four are the same everywhere.
const PLAIN: u64 = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
const ATIME: u64 = 0x70;
const NOATIME: (u64, u64) = (0x10, 1 << 10);
const STRICTATIME: (u64, u64) = (0x20, 1 << 24);
const NODIRATIME: (u64, u64) = (0x80, 1 << 11);
const MS_RELATIME: u64 = 1 << 21;

/// Sets attributes on a tree, with those of the mounts below or not.
pub(crate) fn set(tree: &Fd, recursive: bool, attr: &MountAttr) -> crate::sys::Result<Pending> {
    match mount::set_attr(tree.raw(), recursive, attr) {
        Ok(()) => Ok(Pending::default()),
        Err(Errno::ENOSYS) => {
            let own = MountAttr {
                propagation: 0,
                ..*attr
            };
            let deep = if recursive { MS_REC } else { 0 };
            Ok(Pending {
                attrs: (own != MountAttr::default()).then_some((own, recursive)),
                propagation: (attr.propagation != 0).then_some(attr.propagation | deep),
            })
        }
        Err(error) => Err(error),
    }
}

impl Pending {
    /// Both, for two calls on one tree.
    pub(crate) fn and(self, other: Pending) -> Pending {
        Pending {
            attrs: self.attrs.or(other.attrs),
            propagation: self.propagation.or(other.propagation),
        }
    }

    /// Undoes the attributes on the top mount; when they are not set yet, only what lies below is still of interest.
    pub(crate) fn but_top(self, tree: &Fd, undo: &MountAttr) -> crate::sys::Result<Pending> {
        match self.attrs {
            Some((_, recursive)) => Ok(Pending {
                attrs: Some((MountAttr::default(), recursive)),
                ..self
            }),
            None => set(tree, false, undo),
        }
    }

    /// Sets on an attached tree what could not be set before.
    pub(crate) fn apply(self, init: &mut Init, tree: &Fd) -> Done {
        if let Some((attr, recursive)) = self.attrs {
            if recursive && has_mounts_below(init, tree)? {
                return Err(Errno::ENOSYS.into());
            }
            let flags = changed(fs::statfs(tree.raw())?.flags, &attr)?;
            by_path(tree, MS_REMOUNT | MS_BIND | flags)?;
        }
        if let Some(propagation) = self.propagation {
            by_path(tree, propagation)?;
        }
        Ok(())
    }
}

/// The flags of a mount after a change. All must be named: mount(2) drops those that are not.
fn changed(now: u64, attr: &MountAttr) -> Result<u64, Errno> {
    if (attr.set | attr.clr) & !(PLAIN | ATIME | NODIRATIME.0) != 0 {
        return Err(Errno::ENOSYS);
    }
    let mut flags = now & (PLAIN | NOATIME.1 | NODIRATIME.1);
    if now & ST_RELATIME != 0 {
        flags |= MS_RELATIME;
    }
    flags &= !(attr.clr & PLAIN);
    if attr.clr & ATIME != 0 {
        // What remains of the field is relatime.
        flags = flags & !NOATIME.1 | MS_RELATIME;
    }
    if attr.clr & NODIRATIME.0 != 0 {
        flags &= !NODIRATIME.1;
    }
    flags |= attr.set & PLAIN;
    for (bit, flag) in [NOATIME, STRICTATIME, NODIRATIME] {
        if attr.set & bit != 0 {
            flags |= flag;
        }
    }
    Ok(if flags & (NOATIME.1 | STRICTATIME.1) != 0 {
        flags & !MS_RELATIME
    } else {
        flags
    })
}

fn by_path(tree: &Fd, flags: u64) -> Done {
    at_path(tree.raw(), |path| mount::mount(None, path, flags))
}

/// Changes a mount, with all its options named.
pub(crate) fn remount(tree: &Fd, flags: u64, data: &CStr) -> Done {
    at_path(tree.raw(), |path| {
        mount::remount(path, flags | MS_REMOUNT, data)
    })
}

/// mount(2) on the root of an open mount: a directory by standing in it, a file by the name that procfs has for it.
fn at_path(tree: i32, change: impl FnOnce(&CStr) -> crate::sys::Result<()>) -> Done {
    if fs::stat(tree)?.kind() == S_IFDIR {
        fs::fchdir(tree)?;
        change(c".")?;
        return Ok(fs::chdir(c"/")?);
    }
    let mut path = PathBuffer::new();
    let mut digits = [0; 21];
    let digits = decimal(tree.unsigned_abs().into(), &mut digits).to_bytes();
    let path = path
        .set(&[b"/proc/self/fd/", digits])
        .ok_or(Errno::ENAMETOOLONG)?;
    Ok(change(path)?)
}

/// Whether any mount names this one as its parent.
fn has_mounts_below(init: &mut Init, tree: &Fd) -> Result<bool, Failure> {
    let id = fs::mount_id(tree.raw())?;
    let mut digits = [0; 21];
    let id = decimal(id, &mut digits).to_bytes();
    let file = fs::open(AT_FDCWD, c"/proc/self/mountinfo", O_RDONLY, 0)?;
    let buffer = init.line_buffer()?;
    let mut found = false;
    let result = lines::read::<Failure>(&file, 0, buffer, |line| {
        found |= line.split(|byte| *byte == b' ').nth(1) == Some(id);
        Ok(())
    });
    init.keep_line_buffer(buffer);
    result.map(|()| found)
}
