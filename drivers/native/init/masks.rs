//! Hides paths: files behind the null device, directories behind an empty read-only file system.

use core::ffi::CStr;

use crate::paths;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{
    AT_FDCWD, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, O_PATH,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, S_IFCHR, S_IFDIR, device,
};
use crate::sys::{Fd, fs, mount};
use crate::wire::Detail;

/// What masks are made of.
#[derive(Default)]
pub(crate) struct Masks {
    null: Option<Fd>,
    /// One for all: attached once, cloned from there on.
    empty: Option<Fd>,
}

/// Opens the host's /dev/null. The image's own could be anything (CVE-2025-31133), so the type is checked on the open file.
pub(crate) fn prepare(init: &mut Init) -> Done {
    let null = fs::open(
        AT_FDCWD,
        c"/dev/null",
        O_PATH,
        RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    )?;
    let stat = fs::stat(null.raw())?;
    if stat.kind() != S_IFCHR || stat.rdev != device(1, 3) {
        return Err(Failure::of(Detail::NotNullDevice));
    }
    init.masks.null = Some(null);
    Ok(())
}

/// Covers a path, if it exists.
pub(crate) fn mask(init: &mut Init, path: &CStr) -> Done {
    let Some(target) = paths::find_existing(init, path)? else {
        return Ok(());
    };
    if fs::stat(target.raw())?.kind() != S_IFDIR {
        let null = init
            .masks
            .null
            .as_ref()
            .ok_or(Failure::of(Detail::BadMessage))?;
        let tree = mount::clone_tree(null.raw(), false)?;
        return Ok(mount::attach(tree.raw(), target.raw())?);
    }
    if let Some(empty) = &init.masks.empty {
        let tree = mount::clone_tree(empty.raw(), false)?;
        return Ok(mount::attach(tree.raw(), target.raw())?);
    }
    let empty = empty_directory()?;
    mount::attach(empty.raw(), target.raw())?;
    init.masks.empty = Some(empty);
    Ok(())
}

/// Nothing can be made in it: its one inode is its root, and it is read-only.
fn empty_directory() -> crate::sys::Result<Fd> {
    let attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    let context = mount::fsopen(c"tmpfs")?;
    mount::fsconfig(&context, c"nr_inodes", Some(c"1"))?;
    mount::fsmount(&context, attrs as u32)
}
