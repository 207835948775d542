//! Finds and makes things below the container's root, by descriptor and never beyond it.
//!
//! The image, a volume and everything that another container may be changing meanwhile are hostile. So each lookup is
//! one openat2(2) scoped to the root, and what is missing is made one component at a time inside a directory that is
//! held open (CVE-2019-18837, CVE-2021-30465, CVE-2024-45310).

use core::ffi::CStr;

use crate::run::{Failure, Init};
use crate::split::{PathBuffer, parent_and_name, prefixes};
use crate::sys::abi::{
    O_DIRECTORY, O_NOFOLLOW, O_PATH, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS, S_IFREG,
};
use crate::sys::{self, Errno, Fd, fs};
use crate::wire::Detail;

/// How names are followed inside the container: symbolic links yes, but never out of the root.
pub(crate) const SCOPED: u64 = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
/// Permission bits of what is made on the way to a mount point.
const MADE: u32 = 0o755;

/// Opens a path of the container with `O_PATH` and more flags.
pub(crate) fn find(init: &Init, path: &CStr, flags: u64) -> sys::Result<Fd> {
    fs::open(init.root(), path, O_PATH | flags, SCOPED)
}

/// Like [`find`], but a missing path is `None`.
pub(crate) fn find_existing(init: &Init, path: &CStr) -> sys::Result<Option<Fd>> {
    match find(init, path, 0) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        found => found.map(Some),
    }
}

/// Opens a directory and makes it when it is missing, with 0755 for its parents.
pub(crate) fn make_directory(init: &Init, path: &[u8], mode: u32) -> Result<Fd, Failure> {
    let mut buffer = PathBuffer::new();
    let whole = buffer.set(&[path]).ok_or(Errno::ENAMETOOLONG)?;
    match find(init, whole, O_DIRECTORY) {
        Err(Errno::ENOENT) => {}
        found => return Ok(found?),
    }
    let mut directory = find(init, c"/", O_DIRECTORY)?;
    for (prefix, name) in prefixes(path) {
        let whole = buffer.set(&[prefix]).ok_or(Errno::ENAMETOOLONG)?;
        directory = match find(init, whole, O_DIRECTORY) {
            Err(Errno::ENOENT) => {
                let mode = if prefix.len() == path.len() {
                    mode
                } else {
                    MADE
                };
                let name = buffer.set(&[name]).ok_or(Errno::ENAMETOOLONG)?;
                make_entry_at(directory.raw(), name, mode)?
            }
            found => found?,
        };
    }
    Ok(directory)
}

/// A directory inside an open one. A symbolic link there (dangling, or the lookup had followed it) is refused.
fn make_entry_at(parent: i32, name: &CStr, mode: u32) -> sys::Result<Fd> {
    match fs::mkdir(parent, name, mode) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error),
    }
    fs::open(
        parent,
        name,
        O_PATH | O_DIRECTORY | O_NOFOLLOW,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    )
}

/// Makes an empty file to mount on, and its parents.
pub(crate) fn make_file(init: &Init, path: &CStr) -> Result<Fd, Failure> {
    let (parent, name) = parent_and_name(path).ok_or(Failure::of(Detail::BadMessage))?;
    let parent = make_directory(init, parent, MADE)?;
    match fs::mknod(parent.raw(), name, S_IFREG | MADE, 0) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fs::open(
        parent.raw(),
        name,
        O_PATH | O_NOFOLLOW,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    )?)
}

/// Makes a directory to mount on in a directory that is at hand, such as the fresh /dev, where it is more likely missing
/// than there: the directory that is at hand and the name in it, or nothing where the name is taken or there is none.
pub(crate) fn new_directory_to_cover(
    init: &Init,
    path: &'static CStr,
) -> Option<(i32, &'static CStr)> {
    let (parent, fd) = init.parent.as_ref()?;
    let (wanted, name) = parent_and_name(path)?;
    if wanted != *parent {
        return None;
    }
    fs::mkdir(fd.raw(), name, MADE).ok()?;
    Some((fd.raw(), name))
}

/// A directory to mount on: the one that is there, or a new one.
pub(crate) fn directory_to_cover(init: &mut Init, path: &'static CStr) -> Result<Fd, Failure> {
    if let Some((parent, fd)) = &init.parent
        && let Some((wanted, name)) = parent_and_name(path)
        && wanted == *parent
        && let Ok(made) = make_entry_at(fd.raw(), name, MADE)
    {
        return Ok(made);
    }
    match find(init, path, O_DIRECTORY) {
        Err(Errno::ENOENT) => {
            let (parent, name) = parent_of(init, path)?;
            Ok(make_entry_at(parent, name, MADE)?)
        }
        found => Ok(found?),
    }
}

/// The open parent directory of `path` and the name in it. Remembered, because devices and links come in rows.
pub(crate) fn parent_of(
    init: &mut Init,
    path: &'static CStr,
) -> Result<(i32, &'static CStr), Failure> {
    let (parent, name) = parent_and_name(path).ok_or(Failure::of(Detail::BadMessage))?;
    if let Some((known, fd)) = &init.parent
        && *known == parent
    {
        return Ok((fd.raw(), name));
    }
    let fd = make_directory(init, parent, MADE)?;
    let raw = fd.raw();
    init.parent = Some((parent, fd));
    Ok((raw, name))
}

/// Remembers the root of a new file system by the path that it was mounted on: much is made in it.
pub(crate) fn remember(init: &mut Init, path: &'static CStr, root: Fd) {
    init.parent = Some((path.to_bytes(), root));
}

/// Forgets the remembered directory when a mount at `target` may have covered it.
pub(crate) fn covered(init: &mut Init, target: &CStr) {
    let below = |parent: &[u8]| {
        target
            .to_bytes()
            .strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with(b"/"))
    };
    if init
        .parent
        .as_ref()
        .is_some_and(|(parent, _)| !below(parent))
    {
        init.parent = None;
    }
}
