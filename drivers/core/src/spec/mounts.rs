//! The mounts of a container: the template's and the command's, checked and in order.

use super::paths::{depth, is_in};
use super::template::{self, Facts};
use super::{PropagationDemand, SourcePropagation, oci, tmpfs};
use crate::{Error, IdMap, Mount, Propagation, Result, mount::clean_path};
use oci_spec::runtime;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What becomes of the mounts of a command.
#[derive(Debug)]
pub(super) struct Mounts {
    /// Outer ones first.
    pub(super) list: Vec<runtime::Mount>,
    /// OCI's `linux.rootfsPropagation`.
    pub(super) root_propagation: &'static str,
    pub(super) demands: Vec<PropagationDemand>,
    /// Destinations that the command mounted on.
    pub(super) taken: BTreeSet<String>,
}

impl Mounts {
    /// Whether `/dev` is the caller's own, and is to be left as it is.
    pub(super) fn dev_is_callers(&self) -> bool {
        self.taken.contains("/dev")
    }
}

/// Puts the command's mounts over the template's.
///
/// A mount of the command replaces the template's at the same destination; one on `/dev`
/// replaces everything below it too. All are sorted by depth, so that none hides another.
pub(super) fn translate(mounts: &[Mount], facts: Facts) -> Result<Mounts> {
    let root_propagation = root_propagation(mounts);
    let mut taken = BTreeSet::new();
    let mut asked = Vec::new();
    let mut demands = Vec::new();
    for (index, mount) in mounts.iter().enumerate() {
        let destination = clean_path(&mount.destination);
        asked.push(if mount.is_tmpfs() {
            new_tmpfs(index, mount, &destination)?
        } else {
            demands.extend(demand(index, mount));
            bind(mount, &destination, root_propagation)?
        });
        taken.insert(destination);
    }
    let mut list = template::mounts(facts);
    let dev_is_callers = taken.contains("/dev");
    list.retain(|mount| {
        let path = mount.destination().to_string_lossy();
        let replaced = taken.contains(&*path) || (dev_is_callers && is_in(&path, "/dev"));
        !replaced
    });
    list.extend(asked);
    list.sort_by_cached_key(|mount| depth(&mount.destination().to_string_lossy()));
    Ok(Mounts {
        list,
        root_propagation,
        demands,
        taken,
    })
}

/// One OCI mount.
pub(super) fn mount<'a>(
    destination: &str,
    kind: &str,
    source: impl Into<PathBuf>,
    options: impl IntoIterator<Item = &'a str>,
) -> runtime::Mount {
    let mut mount = runtime::Mount::default();
    mount
        .set_destination(PathBuf::from(destination))
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(source.into()))
        .set_options(Some(options.into_iter().map(str::to_owned).collect()));
    mount
}

/// A tmpfs. Its `writable` is not read: the original's daemon leaves it false on writable ones,
/// and `ro` among the options says it.
fn new_tmpfs(index: usize, mount: &Mount, destination: &str) -> Result<runtime::Mount> {
    if source_needs(mount.propagation).is_some() {
        return Err(Error::invalid(
            format!("mounts[{index}].mountpropagation"),
            "a tmpfs has no source to share mounts with",
        ));
    }
    let options = tmpfs::options(&mount.data)
        .map_err(|reason| Error::invalid(format!("mounts[{index}].data"), reason))?;
    let options = options.iter().map(String::as_str);
    Ok(self::mount(destination, "tmpfs", "tmpfs", options))
}

fn bind(mount: &Mount, destination: &str, root_propagation: &str) -> Result<runtime::Mount> {
    let mut options = vec!["rbind"];
    // A writable one says nothing: `rw` would lift what the host has made read-only. `rro` makes
    // the mounts below the source read-only too, where `ro` alone would leave them.
    if !mount.writable {
        options.extend(["ro", "rro"]);
    }
    // Under a private root nothing travels anyway.
    if root_propagation != "rprivate" {
        options.extend(word(mount.propagation));
    }
    // The mounts below it too: a tree of which only the top has other owners is a surprise.
    options.extend(mount.idmap.as_ref().map(|_| "ridmap"));
    let mut bound = self::mount(destination, "bind", mount.source.clone(), options);
    if let Some(map) = mount.idmap.as_ref().filter(|map| !map.is_own()) {
        let ranges = |ranges: &[IdMap]| ranges.iter().map(oci::id_mapping).collect();
        let (uids, gids): (Result<_>, Result<_>) = (ranges(&map.uid), ranges(&map.gid));
        bound
            .set_uid_mappings(Some(uids?))
            .set_gid_mappings(Some(gids?));
    }
    Ok(bound)
}

fn demand(index: usize, mount: &Mount) -> Option<PropagationDemand> {
    source_needs(mount.propagation).map(|needs| PropagationDemand {
        field: format!("mounts[{index}].mountpropagation"),
        source: mount.source.clone(),
        needs,
    })
}

fn source_needs(propagation: Propagation) -> Option<SourcePropagation> {
    match propagation {
        Propagation::Shared | Propagation::RShared => Some(SourcePropagation::Shared),
        Propagation::Slave | Propagation::RSlave => Some(SourcePropagation::SharedOrSlave),
        Propagation::Inherited | Propagation::Private | Propagation::RPrivate => None,
    }
}

/// The widest that a mount of the command needs.
fn root_propagation(mounts: &[Mount]) -> &'static str {
    let needs = |wanted| {
        mounts
            .iter()
            .any(|mount| source_needs(mount.propagation) == Some(wanted))
    };
    if needs(SourcePropagation::Shared) {
        "rshared"
    } else if needs(SourcePropagation::SharedOrSlave) {
        "rslave"
    } else {
        "rprivate"
    }
}

fn word(propagation: Propagation) -> Option<&'static str> {
    match propagation {
        Propagation::Inherited => None,
        Propagation::Private => Some("private"),
        Propagation::RPrivate => Some("rprivate"),
        Propagation::Shared => Some("shared"),
        Propagation::RShared => Some("rshared"),
        Propagation::Slave => Some("slave"),
        Propagation::RSlave => Some("rslave"),
    }
}
