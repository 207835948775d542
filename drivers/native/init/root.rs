//! The container's root: sources cloned from the host's tree, the root itself, and the way into it.

use core::ffi::CStr;

use crate::attributes::{self, Pending};
use crate::decimal::decimal;
use crate::mounts::READONLY;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{
    AT_FDCWD, CLONE_NEWNS, Errno, MNT_DETACH, MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_REC, MS_SLAVE,
    MountAttr, O_DIRECTORY, O_PATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, ST_RDONLY, Stat,
};
use crate::sys::{Fd, fs, mount, process};
use crate::wire::{Detail, ROOT_IN_PLACE, ROOT_READONLY, ROOT_READONLY_BELOW};

/// A file of the host as the parent saw it.
pub(crate) struct HostPath<'a> {
    pub(crate) path: &'a CStr,
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

impl HostPath<'_> {
    /// Opens it in init's mount namespace; another file at that path by now is a failure.
    fn open(&self, flags: u64) -> Result<(Fd, Stat), Failure> {
        let fd = fs::open(
            AT_FDCWD,
            self.path,
            O_PATH | flags,
            RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        )?;
        let stat = fs::stat(fd.raw())?;
        let same = stat.dev == self.dev && stat.ino == self.ino;
        if same {
            Ok((fd, stat))
        } else {
            Err(Failure::of(Detail::SourceChanged))
        }
    }
}

/// Clones a mount of the host into a slot.
pub(crate) fn source(init: &mut Init, slot: u16, host: &HostPath<'_>, recursive: bool) -> Done {
    let (fd, _) = host.open(0)?;
    keep(init, slot, mount::clone_tree(fd.raw(), recursive)?)
}

/// Clones what another container sees at a path. Only a process in a mount namespace may clone its mounts
/// (open_tree(2)), so we go there; nothing of the other container is executed, and no link of it followed.
pub(crate) fn borrow(init: &mut Init, from: u16, slot: u16, path: &CStr) -> Done {
    let flags = O_PATH | O_DIRECTORY;
    let links = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    let ours = fs::open(AT_FDCWD, c"/proc/self/ns/mnt", 0, 0)?;
    process::setns(init.slot(from)?, CLONE_NEWNS)?;
    let tree = fs::open(AT_FDCWD, path, flags, links)
        .and_then(|theirs| mount::clone_tree(theirs.raw(), true));
    process::setns(ours.raw(), CLONE_NEWNS)?;
    keep(init, slot, tree?)
}

fn keep(init: &mut Init, slot: u16, tree: Fd) -> Done {
    let place = init.slots.get_mut(usize::from(slot));
    let place = place.filter(|place| **place < 0);
    *place.ok_or(Failure::of(Detail::BadMessage))? = tree.leak();
    Ok(())
}

/// Sets the propagation of `/`, and notes when that cuts the host off.
pub(crate) fn propagation(init: &mut Init, flags: u64) -> Done {
    mount::mount(None, c"/", flags)?;
    init.host_is_cut_off |= flags & MS_REC != 0 && flags & (MS_PRIVATE | MS_SLAVE) != 0;
    Ok(())
}

/// The tree that the parent gave, which must be of the same directory, or a clone of the host's.
fn tree_of(init: &mut Init, host: &HostPath<'_>) -> Result<(Fd, Stat), Failure> {
    let Some(tree) = init.given_tree.take() else {
        let (fd, stat) = host.open(O_DIRECTORY)?;
        return Ok((mount::clone_tree(fd.raw(), true)?, stat));
    };
    let stat = fs::stat(tree.raw())?;
    match (stat.dev, stat.ino) == (host.dev, host.ino) {
        true => Ok((tree, stat)),
        false => Err(Failure::of(Detail::SourceChanged)),
    }
}

/// Attaches a clone of the tree at a host path over `/`.
pub(crate) fn root(init: &mut Init, host: &HostPath<'_>, flags: u32) -> Done {
    let (tree, _) = tree_of(init, host)?;
    let mut pending = Pending::default();
    if flags & (ROOT_READONLY | ROOT_READONLY_BELOW) != 0 {
        let writable = fs::statfs(tree.raw())?.flags & ST_RDONLY == 0;
        pending = attributes::set(&tree, true, &READONLY)?;
        if writable && flags & ROOT_READONLY_BELOW != 0 {
            // Mount points are still to be made in it.
            let attr = MountAttr {
                clr: MOUNT_ATTR_RDONLY,
                ..MountAttr::default()
            };
            pending = pending.but_top(&tree, &attr)?;
        }
    }
    match flags & ROOT_IN_PLACE {
        0 => cover_host(init, &tree)?,
        _ => cover(init, &tree, &host.open(O_DIRECTORY)?.0)?,
    }
    pending.apply(init, &tree)?;
    init.root = Some(tree);
    Ok(())
}

/// Puts a tree over `/`, where `pivot_root` wants it: the kernel refuses a new root whose parent mount is shared, and
/// a mount made anywhere else could show up on the host.
pub(crate) fn cover_host(init: &Init, tree: &Fd) -> Done {
    let top = fs::open(AT_FDCWD, c"/", O_PATH | O_DIRECTORY, 0)?;
    cover(init, tree, &top)
}

/// Puts a tree over a directory of our copy of the host's tree.
fn cover(init: &Init, tree: &Fd, place: &Fd) -> Done {
    if !init.host_is_cut_off {
        return Err(Failure::with(Errno::EPERM, Detail::BadMessage));
    }
    Ok(mount::attach(tree.raw(), place.raw())?)
}

/// The layer that `Overlay` puts over the lower tree.
pub(crate) struct Layer {
    pub(crate) size: u64,
    pub(crate) inodes: u64,
    pub(crate) userxattr: bool,
}

/// Stacks an overlay: a bounded tmpfs over `/` holds the upper and work directories and the lower tree's mount point,
/// so that overlayfs gets three short relative names whatever the host's path looks like.
pub(crate) fn overlay(init: &mut Init, host: &HostPath<'_>, layer: &Layer) -> Done {
    let (lower, stat) = tree_of(init, host)?;
    let memory = mount::fsopen(c"tmpfs")?;
    mount::fsconfig(&memory, c"size", Some(decimal(layer.size, &mut [0; 21])))?;
    mount::fsconfig(
        &memory,
        c"nr_inodes",
        Some(decimal(layer.inodes, &mut [0; 21])),
    )?;
    mount::fsconfig(&memory, c"mode", Some(c"0700"))?;
    let memory = mount::fsmount(&memory, 0)?;
    cover_host(init, &memory)?;
    fs::mkdir(memory.raw(), c"work", 0o700)?;
    fs::mkdir(memory.raw(), c"lower", 0o700)?;
    // The upper directory lends its mode and owner to the merged root.
    fs::mkdir(memory.raw(), c"upper", stat.mode & 0o7777)?;
    if (stat.uid, stat.gid) != (0, 0) {
        let upper = fs::open(memory.raw(), c"upper", O_PATH, 0)?;
        match fs::chown(upper.raw(), stat.uid, stat.gid) {
            // An owner that the user namespace does not map.
            Ok(()) | Err(Errno::EPERM | Errno::EINVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let place = fs::open(memory.raw(), c"lower", O_PATH | O_DIRECTORY, 0)?;
    mount::attach(lower.raw(), place.raw())?;
    fs::fchdir(memory.raw())?;
    let merged = mount::fsopen(c"overlay")?;
    mount::fsconfig(&merged, c"lowerdir", Some(c"lower"))?;
    mount::fsconfig(&merged, c"upperdir", Some(c"upper"))?;
    mount::fsconfig(&merged, c"workdir", Some(c"work"))?;
    if layer.userxattr {
        mount::fsconfig(&merged, c"userxattr", None)?;
    }
    let merged = mount::fsmount(&merged, 0)?;
    // The overlay has clones of its own. Were the tmpfs left under it, the host's tree would stay on top of the new
    // root behind the tmpfs when `pivot` lets go of one mount, and `/..` would lead into it.
    mount::umount(c".", MNT_DETACH)?;
    cover_host(init, &merged)?;
    init.root = Some(merged);
    Ok(())
}

/// Makes the container's root the root of the mount namespace and the working directory, and lets go of everything else.
pub(crate) fn pivot(init: &mut Init) -> Done {
    let root = init.root.as_ref().ok_or(Failure::of(Detail::BadMessage))?;
    fs::fchdir(root.raw())?;
    match mount::pivot_here() {
        // The old root lies on top of the new one now.
        Ok(()) => Ok(mount::umount(c".", MNT_DETACH)?),
        // The initial ramfs can be covered but not moved (pivot_root(2)). Any other root that pivot_root refuses, such
        // as a chroot, could be climbed out of.
        Err(Errno::EINVAL) if fs::root_is_mount()? => Ok(mount::chroot_here()?),
        Err(error) => Err(error.into()),
    }
}
