//! Mounts inside the container: new file systems, binds, read-only paths.

use core::ffi::CStr;

use crate::attributes::{self, Pending};
use crate::copy_up;
use crate::paths;
use crate::root::HostPath;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_REC,
    MountAttr, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, RESOLVE_NO_SYMLINKS, S_IFDIR,
};
use crate::sys::{Errno, Fd, fs, mount};
use crate::wire::{
    BIND_CREATE, BIND_DEVICE, BIND_RECURSIVE, Detail, MOUNT_COPY_UP, MOUNT_INHERIT_MODE,
    MOUNT_REAL_DIR, Params,
};

/// A new file system, as `MountFs` describes it.
pub(crate) struct NewMount {
    pub(crate) fstype: &'static CStr,
    pub(crate) target: &'static CStr,
    pub(crate) params: Params<'static>,
    pub(crate) attrs: u32,
    pub(crate) flags: u32,
}

/// A tree to attach, as `Bind` describes it.
pub(crate) struct Bind {
    pub(crate) slot: u16,
    pub(crate) target: &'static CStr,
    pub(crate) attrs: MountAttr,
    pub(crate) flags: u32,
}

/// Mounts a new file system.
pub(crate) fn mount_fs(init: &mut Init, new: &NewMount) -> Done {
    let inherits = new.flags & MOUNT_INHERIT_MODE != 0;
    init.attached = None;
    let copies = new.flags & MOUNT_COPY_UP != 0;
    let target = Target::of(init, new.target, new.flags)?;
    let context = mount::fsopen(new.fstype)?;
    if let Target::Open(target) = &target
        && inherits
    {
        let mut digits = [0; 5];
        mount::fsconfig(
            &context,
            c"mode",
            Some(octal(fs::stat(target.raw())?.mode, &mut digits)),
        )?;
    }
    let mut label = None;
    for (key, value) in new.params.iter() {
        // The namespace's file system of queues is there before anybody mounts it, and takes no label by a mount:
        // "Same superblock, different security settings".
        if key == c"context" && new.fstype == c"mqueue" {
            label = value;
        } else {
            mount::fsconfig(&context, key, value)?;
        }
    }
    let tree = mount::fsmount(&context, new.attrs)?;
    if let Some(label) = label {
        let top = fs::open(tree.raw(), c".", O_RDONLY | O_DIRECTORY, 0)?;
        fs::set_attribute(top.raw(), c"security.selinux", label.to_bytes_with_nul())?;
    }
    if let Target::Open(target) = &target
        && copies
    {
        let from = fs::open(target.raw(), c".", O_RDONLY | O_DIRECTORY, 0)?;
        let to = fs::open(tree.raw(), c".", O_RDONLY | O_DIRECTORY, 0)?;
        copy_up::copy(&from, &to, inherits)?;
    }
    target.cover(&tree)?;
    paths::covered(init, new.target);
    if new.fstype == c"tmpfs" {
        paths::remember(init, new.target, tree);
    } else {
        init.attached = Some(tree);
    }
    Ok(())
}

/// Shows the container its own cgroup. A new mount of a hierarchy of version 1 takes a lock of all cgroups and walks those of
/// version 2 (`cgroup_lock_and_drain_offline`), so that it takes longer with each container that there is; a clone of the host's
/// mount of the very same directory does not.
pub(crate) fn cgroup_fs(init: &mut Init, own: &HostPath<'_>, new: &NewMount) -> Done {
    let Some(tree) = clone_of(own, new.attrs.into())? else {
        return mount_fs(init, new);
    };
    init.attached = None;
    let target = Target::of(init, new.target, new.flags)?;
    target.cover(&tree)?;
    paths::covered(init, new.target);
    init.attached = Some(tree);
    Ok(())
}

/// A clone of the host's mount at a path, with just these attributes. `None` where that path leads to no mount that can be
/// cloned, or to another directory than the one that the parent made, where the kernel cannot change a mount before it is
/// attached (before 5.12), and where the host's mount has something locked that is not asked for.
fn clone_of(own: &HostPath<'_>, attrs: u64) -> crate::sys::Result<Option<Fd>> {
    const PLAIN: u64 = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    use Errno as E;
    let tree = match mount::clone_at(own.path) {
        Err(E::ENOENT | E::ENOTDIR | E::EACCES | E::ELOOP | E::EINVAL) => return Ok(None),
        tree => tree?,
    };
    let stat = fs::stat(tree.raw())?;
    if (stat.dev, stat.ino) != (own.dev, own.ino) {
        return Ok(None);
    }
    let change = MountAttr {
        set: attrs,
        clr: PLAIN & !attrs,
        propagation: MS_PRIVATE,
        userns_fd: 0,
    };
    match mount::set_attr(tree.raw(), false, &change) {
        Ok(()) => Ok(Some(tree)),
        Err(E::ENOSYS) => Ok(None),
        Err(E::EPERM) if change.clr != 0 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Changes what the operation before has attached: that, or the tmpfs that is remembered for what is made in it.
pub(crate) fn change_attached(init: &mut Init, attrs: MountAttr) -> Done {
    let deep = attrs.propagation & MS_REC != 0;
    let attrs = MountAttr {
        propagation: attrs.propagation & !MS_REC,
        ..attrs
    };
    if let Some(tree) = init.attached.take() {
        let done = attributes::set(&tree, deep, &attrs)?.apply(init, &tree);
        init.attached = Some(tree);
        return done;
    }
    let remembered = init.parent.take();
    let (path, tree) = remembered.ok_or(Failure::of(Detail::BadMessage))?;
    let done = attributes::set(&tree, deep, &attrs)?.apply(init, &tree);
    init.parent = Some((path, tree));
    done
}

/// Changes a mount of the container.
pub(crate) fn remount(init: &mut Init, target: &CStr, flags: u64, data: &CStr) -> Done {
    let found = paths::find(init, target, 0)?;
    attributes::remount(&found, flags, data)?;
    init.attached = Some(found);
    Ok(())
}

/// What a file system is mounted on.
pub(crate) enum Target {
    Open(Fd),
    /// A directory that was made a moment ago, by the one that it is in and its name there.
    New(i32, &'static CStr),
}

impl Target {
    /// By its path and `MOUNT_*` bits.
    pub(crate) fn of(
        init: &mut Init,
        path: &'static CStr,
        flags: u32,
    ) -> Result<Self, Failure> {
        let reads = flags & (MOUNT_INHERIT_MODE | MOUNT_COPY_UP) != 0;
        Ok(match paths::new_directory_to_cover(init, path) {
            Some((parent, name)) if !reads => Self::New(parent, name),
            _ if flags & MOUNT_REAL_DIR != 0 => Self::Open(real_directory(init, path)?),
            _ => Self::Open(paths::directory_to_cover(init, path)?),
        })
    }

    /// Mounts a tree on it.
    pub(crate) fn cover(&self, tree: &Fd) -> crate::sys::Result<()> {
        match self {
            Self::New(parent, name) => mount::attach_at(tree.raw(), *parent, name),
            Self::Open(target) => mount::attach(tree.raw(), target.raw()),
        }
    }
}

/// A proc or sysfs at the end of a link would let a label or a sysctl be written to a file of the image's choice
/// (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561).
fn real_directory(init: &mut Init, path: &'static CStr) -> Result<Fd, Failure> {
    match fs::open(
        init.root(),
        path,
        O_PATH | O_DIRECTORY | O_NOFOLLOW,
        paths::SCOPED | RESOLVE_NO_SYMLINKS,
    ) {
        Ok(fd) => Ok(fd),
        Err(Errno::ENOENT) => paths::directory_to_cover(init, path),
        Err(errno @ (Errno::ELOOP | Errno::ENOTDIR)) => {
            Err(Failure::with(errno, Detail::NotADirectory))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// The permission bits as `mode=` takes them.
fn octal(mode: u32, digits: &mut [u8; 5]) -> &CStr {
    for (digit, shift) in digits.iter_mut().zip([9u32, 6, 3, 0]) {
        *digit = b'0' + (mode >> shift & 7) as u8;
    }
    CStr::from_bytes_until_nul(digits).unwrap_or(c"0755")
}

/// Attaches the tree of a slot.
pub(crate) fn bind(init: &mut Init, bind: &Bind) -> Done {
    let tree = init.take_slot(bind.slot)?;
    let pending = change(&tree, bind.attrs, bind.flags & BIND_RECURSIVE != 0)?;
    let target = match paths::find(init, bind.target, 0) {
        Err(Errno::ENOENT) if bind.flags & BIND_CREATE != 0 => {
            if fs::stat(tree.raw())?.kind() == S_IFDIR {
                paths::directory_to_cover(init, bind.target)?
            } else {
                paths::make_file(init, bind.target)?
            }
        }
        found => {
            let target = found?;
            if bind.flags & BIND_DEVICE != 0 {
                same_device(&tree, &target)?;
            }
            target
        }
    };
    cover(&tree, &target)?;
    paths::covered(init, bind.target);
    pending.apply(init, &tree)?;
    init.attached = Some(tree);
    Ok(())
}

/// A directory covers a directory, and anything else what is none: move_mount(2) calls the rest invalid, mount(2) gave it the
/// error that people and Docker know.
fn cover(tree: &Fd, target: &Fd) -> Result<(), Errno> {
    let directory = |fd: &Fd| fs::stat(fd.raw()).map(|stat| stat.kind() == S_IFDIR);
    match mount::attach(tree.raw(), target.raw()) {
        Err(Errno::EINVAL) if directory(tree)? != directory(target)? => Err(Errno::ENOTDIR),
        other => other,
    }
}

/// Another file where a device is asked for is an error (config-linux.md, devices), as when it is made.
fn same_device(device: &Fd, found: &Fd) -> Done {
    let (device, found) = (fs::stat(device.raw())?, fs::stat(found.raw())?);
    match (found.kind(), found.rdev) == (device.kind(), device.rdev) {
        true => Ok(()),
        false => Err(Errno::EEXIST.into()),
    }
}

/// Sets attributes and propagation, which may differ in whether they reach the mounts below.
fn change(tree: &Fd, attrs: MountAttr, recursive: bool) -> Result<Pending, Failure> {
    let deep = attrs.propagation & MS_REC != 0;
    let propagation = attrs.propagation & !MS_REC;
    let own = MountAttr {
        propagation: 0,
        ..attrs
    };
    let spread = MountAttr {
        propagation,
        ..MountAttr::default()
    };
    let (has_own, has_spread) = (own != MountAttr::default(), propagation != 0);
    let mut pending = Pending::default();
    if has_own && has_spread && deep == recursive {
        return Ok(attributes::set(
            tree,
            recursive,
            &MountAttr { propagation, ..own },
        )?);
    }
    if has_own {
        pending = attributes::set(tree, recursive, &own)?;
    }
    if has_spread {
        pending = pending.and(attributes::set(tree, deep, &spread)?);
    }
    Ok(pending)
}

/// Covers a path with a read-only copy of itself.
pub(crate) fn readonly_path(init: &mut Init, path: &CStr) -> Done {
    let Some(target) = paths::find_existing(init, path)? else {
        return Ok(());
    };
    let tree = mount::clone_tree(target.raw(), true)?;
    let pending = attributes::set(&tree, true, &READONLY)?;
    mount::attach(tree.raw(), target.raw())?;
    pending.apply(init, &tree)
}

/// Makes one mount read-only.
pub(crate) fn remount_readonly(init: &mut Init, path: &CStr) -> Done {
    let found = paths::find(init, path, 0)?;
    attributes::set(&found, false, &READONLY)?.apply(init, &found)
}

/// Read-only, all else as it is.
pub(crate) const READONLY: MountAttr = MountAttr {
    set: MOUNT_ATTR_RDONLY,
    clr: 0,
    propagation: 0,
    userns_fd: 0,
};
