//! Trees of the host that are seen with other owners: `MOUNT_ATTR_IDMAP` of mount_setattr(2).
//!
//! Only who administers the file system may do that, and only while the tree is attached nowhere:
//! so the parent clones the tree and maps it before the launch, and init gets its descriptor.

use super::idmaps::{self, ranges};
use super::mounts::Field;
use super::namespaces::Namespaces;
use super::options::{MountOptions, map_owners};
use super::sources::Source;
use super::{FdSlot, Host, PlanError, Sources, slot};
use crate::launch::{IdMaps, outside};
use execdriver_core::Spec;
use execdriver_core::spec::is_bind;
use oci_spec::runtime::Mount;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A tree that the parent clones and maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappedTree {
    /// How errors name it: `mounts["/mnt"]`, `idmap_rootfs`.
    pub(crate) field: String,
    /// Absolute host path without symbolic links.
    pub(crate) path: PathBuf,
    /// `st_dev` of the file there.
    pub(crate) dev: u64,
    /// `st_ino` of the file there.
    pub(crate) ino: u64,
    /// With the mounts below.
    pub(crate) recursive: bool,
    /// These are mapped too.
    pub(crate) maps_below: bool,
    /// From the ids on the disk (inside) to the host's ids that they appear as (outside).
    pub(crate) maps: IdMaps,
}

/// The slots of the trees.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    /// Of the root file system.
    pub(super) root: Option<u16>,
    /// Of the document's mounts, by their index.
    pub(super) mounts: BTreeMap<usize, u16>,
}

/// Decides on every tree; init's slots for them are counted before its own.
pub(super) fn plan(
    spec: &Spec,
    host: &Host,
    sources: &Sources,
    namespaces: &Namespaces,
    fds: &mut Vec<FdSlot>,
) -> Result<Mapped, PlanError> {
    let mut mapped = Mapped::default();
    let root = spec.oci.root().as_ref();
    if let Some(root) = root.filter(|_| spec.idmap_rootfs) {
        let field = "idmap_rootfs";
        // What else is wrong with it, the plan of the root says.
        if let Ok(source) = sources.file(root.path()) {
            let maps = own(namespaces, field)?;
            check(host, field, &source.path, &maps)?;
            let tree = tree(field, source, maps, true, true);
            mapped.root = Some(slot(fds, tree)?);
        }
    }
    let mounts = spec.oci.mounts().as_deref().unwrap_or_default();
    for (index, mount) in mounts.iter().enumerate() {
        let words = mount.options().as_deref().unwrap_or_default();
        if !has_ranges(mount) && !map_owners(words) {
            continue;
        }
        let field = Field::Mount(mount.destination());
        let options = MountOptions::parse(field, words)?;
        let maps = wanted(mount, namespaces, field)?;
        let path = mount.source().as_deref().unwrap_or(Path::new(""));
        if let Ok(source) = sources.file(path) {
            check(host, field, &source.path, &maps)?;
            let below = options.idmap == Some(true);
            let tree = tree(field, source, maps, options.recursive, below);
            mapped.mounts.insert(index, slot(fds, tree)?);
        }
    }
    Ok(mapped)
}

/// Whether a mount has maps of its own.
fn has_ranges(mount: &Mount) -> bool {
    let some = |map: &Option<Vec<_>>| map.as_ref().is_some_and(|map| !map.is_empty());
    some(mount.uid_mappings()) || some(mount.gid_mappings())
}

/// The maps that a mount asks for: its own, or those of the container's user namespace.
fn wanted(mount: &Mount, namespaces: &Namespaces, field: Field<'_>) -> Result<IdMaps, PlanError> {
    if !is_bind(mount) {
        let what = format!("id mappings of a new file system ({field})");
        return Err(PlanError::unsupported(what));
    }
    if !has_ranges(mount) {
        return own(namespaces, field);
    }
    let uids = ranges(mount.uid_mappings().as_deref());
    let gids = ranges(mount.gid_mappings().as_deref());
    idmaps::check(&format!("{field}.uidMappings"), &uids)?;
    idmaps::check(&format!("{field}.gidMappings"), &gids)?;
    Ok(IdMaps {
        uids,
        gids,
        ..IdMaps::default()
    })
}

fn own(namespaces: &Namespaces, field: impl fmt::Display) -> Result<IdMaps, PlanError> {
    let maps = namespaces.maps.as_ref().ok_or_else(|| {
        let reason = "an id mapping needs a new user namespace of the container (uidmapping and \
                      gidmapping), or ranges of its own";
        PlanError::invalid(field, reason)
    })?;
    Ok(IdMaps {
        uids: maps.uids.clone(),
        gids: maps.gids.clone(),
        ..IdMaps::default()
    })
}

fn check(
    host: &Host,
    field: impl fmt::Display,
    path: &Path,
    maps: &IdMaps,
) -> Result<(), PlanError> {
    if host.is_root() {
        return Ok(());
    }
    Err(PlanError::unsupported(format!(
        "id-mapped mounts of an ordinary user ({field}: only root may map {}; {} instead)",
        path.display(),
        chown(path, maps)
    )))
}

/// The mend where owners cannot be mapped: the owner that the map would show.
pub(crate) fn chown(path: &Path, maps: &IdMaps) -> String {
    let id = |map| outside(map, 0).unwrap_or_default();
    let (uid, gid) = (id(&maps.uids), id(&maps.gids));
    format!("`chown -R {uid}:{gid} {}`", path.display())
}

fn tree(
    field: impl fmt::Display,
    source: &Source,
    maps: IdMaps,
    recursive: bool,
    maps_below: bool,
) -> FdSlot {
    FdSlot::Mapped(Box::new(MappedTree {
        field: field.to_string(),
        path: source.path.clone(),
        dev: source.dev,
        ino: source.ino,
        recursive,
        maps_below,
        maps,
    }))
}
