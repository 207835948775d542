//! Id-mapped trees: cloned and mapped by the parent, which alone may, and handed to init.

use super::error;
use crate::NativeDriver;
use crate::launch::{IdMaps, id_namespace};
use crate::plan::{MappedTree, chown_mend, file_system};
use crate::sys::mount;
use execdriver_core::{Error, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;
use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

/// The user namespaces that stand for maps, each made once a launch.
#[derive(Default)]
pub(super) struct IdNamespaces(RefCell<Vec<(IdMaps, Rc<OwnedFd>)>>);

impl IdNamespaces {
    fn of(&self, maps: &IdMaps) -> Result<Rc<OwnedFd>> {
        let mut known = self.0.borrow_mut();
        if let Some((_, namespace)) = known.iter().find(|(other, _)| other == maps) {
            return Ok(Rc::clone(namespace));
        }
        let made = id_namespace(maps).map_err(error::setup("make a user namespace for a mount"))?;
        let made = Rc::new(made);
        known.push((maps.clone(), Rc::clone(&made)));
        Ok(made)
    }

    /// The tree, attached nowhere, with its owners mapped and without devices: in a user namespace
    /// nobody opens those either, and the map would make the container's root their owner.
    pub(super) fn tree(&self, wanted: &MappedTree) -> Result<OwnedFd> {
        let step = format!("map the owners of {}", wanted.path.display());
        let namespace = self.of(&wanted.maps)?;
        let tree = open(wanted).map_err(error::setup(&step))?;
        mount::map_ids(tree.as_fd(), namespace.as_fd(), wanted.maps_below)
            .map_err(|errno| refused(wanted, errno))?;
        mount::set_attributes(tree.as_fd(), libc::MOUNT_ATTR_NODEV).map_err(error::setup(&step))?;
        Ok(tree)
    }
}

/// As init opens the sources of binds: the path that was looked up, no link, the same file.
fn open(wanted: &MappedTree) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let path = openat2(nix::fcntl::AT_FDCWD, &wanted.path, how)?;
    let stat = fstat(&path)?;
    if (stat.st_dev, stat.st_ino) != (wanted.dev, wanted.ino) {
        return Err(Errno::ESTALE);
    }
    mount::clone_tree(path.as_fd(), wanted.recursive)
}

fn refused(wanted: &MappedTree, errno: Errno) -> Error {
    let path = wanted.path.display();
    let below = match wanted.maps_below {
        true => ", or one mounted below it,",
        false => "",
    };
    let why = match errno {
        Errno::ENOSYS => "the kernel has no mount_setattr (Linux 5.12)".to_owned(),
        Errno::EINVAL => {
            let kind = file_system(&wanted.path).unwrap_or_else(|| "its".to_owned());
            format!("the {kind} file system of {path}{below} cannot map owners on this kernel")
        }
        Errno::EPERM => format!(
            "{path}{below} is of a file system that belongs to another user namespace, or has mapped owners already"
        ),
        errno => errno.desc().to_owned(),
    };
    let mend = chown_mend(&wanted.path, &wanted.maps);
    let what = format!("id-mapped mounts ({}: {why}; {mend} instead)", wanted.field);
    Error::unsupported(NativeDriver::NAME, what)
}
