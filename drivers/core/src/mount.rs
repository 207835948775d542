//! A mount of the host's, or a tmpfs, in the container.

use crate::IdMap;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A directory or file of the host seen in the container, or a new tmpfs.
///
/// ```
/// use execdriver_core::Mount;
/// let data = Mount::bind("/data", "/mnt");
/// assert!(data.writable);
/// assert!(Mount::tmpfs("/run", "size=64k").is_tmpfs());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Mount {
    /// The path on the host. Literally `tmpfs`: a new tmpfs instead.
    pub source: PathBuf,
    /// The absolute path in the container.
    pub destination: String,
    /// Whether the container may write.
    pub writable: bool,
    /// Options of a tmpfs, comma-separated: `size=64k,mode=700`. Linux only.
    pub data: String,
    /// How mounts below it travel between host and container. Linux only.
    pub propagation: Propagation,
    /// Shows its files under other owners, with all mounts below it: `mount_setattr(2)`,
    /// `MOUNT_ATTR_IDMAP`. Linux only; in the JSON unless `None`.
    pub idmap: Option<MountIdMap>,
}

impl Mount {
    /// The host's `source` at `destination`, writable.
    pub fn bind(source: impl Into<PathBuf>, destination: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            destination: destination.into(),
            writable: true,
            ..Self::default()
        }
    }

    /// The host's `source` at `destination`, read-only.
    pub fn read_only(source: impl Into<PathBuf>, destination: impl Into<String>) -> Self {
        Self {
            writable: false,
            ..Self::bind(source, destination)
        }
    }

    /// A new tmpfs at `destination` with `options` (`""` for the defaults). Writable.
    pub fn tmpfs(destination: impl Into<String>, options: impl Into<String>) -> Self {
        Self {
            data: options.into(),
            ..Self::bind("tmpfs", destination)
        }
    }

    /// The same mount with the owners of its files seen through the container's user namespace:
    /// what is root's on the host is root's in the container.
    ///
    /// ```
    /// use execdriver_core::Mount;
    /// let data = Mount::bind("/data", "/mnt").id_mapped();
    /// assert_eq!(data.idmap.as_ref().map(|map| map.is_own()), Some(true));
    /// ```
    #[must_use]
    pub fn id_mapped(self) -> Self {
        Self {
            idmap: Some(MountIdMap::default()),
            ..self
        }
    }

    /// Whether the source is the word `tmpfs`.
    pub fn is_tmpfs(&self) -> bool {
        self.source == Path::new("tmpfs")
    }
}

/// Whose files those of a mount appear to be. Without ranges: the container's own user namespace
/// decides, so that the disk's id 0 is the container's root.
///
/// ```
/// use execdriver_core::{IdMap, MountIdMap};
/// // The disk's user 0 appears as the host's user 1000.
/// let range = IdMap { container_id: 0, host_id: 1000, size: 1 };
/// let map = MountIdMap { uid: vec![range], gid: vec![range] };
/// assert!(!map.is_own());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MountIdMap {
    /// User ids: `container_id` is the owner on the disk, `host_id` the host's id that it appears
    /// as, which the container sees through its own user namespace.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::wire::fields::objects"
    )]
    pub uid: Vec<IdMap>,
    /// Group ids, likewise.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::wire::fields::objects"
    )]
    pub gid: Vec<IdMap>,
}

impl MountIdMap {
    /// Whether it is the container's own user namespace.
    pub fn is_own(&self) -> bool {
        self.uid.is_empty() && self.gid.is_empty()
    }
}

/// How mounts made below a mount travel between the host and the container: mount_namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// As the root's, which is private unless another mount widens it.
    #[default]
    #[serde(rename = "")]
    Inherited,
    /// Neither way.
    Private,
    /// Neither way, for the mounts below it too.
    RPrivate,
    /// Both ways.
    Shared,
    /// Both ways, for the mounts below it too.
    RShared,
    /// From the host to the container.
    Slave,
    /// From the host to the container, for the mounts below it too.
    RSlave,
}

/// The shortest absolute path of the container that means the same: without `.`, `..`, doubled and
/// trailing slashes. Works on the text alone; symbolic links are the driver's to see to.
///
/// ```
/// use execdriver_core::mount::clean_path;
/// assert_eq!(clean_path("/proc//./x/../sys/"), "/proc/sys");
/// assert_eq!(clean_path("/../.."), "/");
/// ```
pub fn clean_path(path: &str) -> String {
    let mut clean = String::with_capacity(path.len() + 1);
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
            name => {
                clean.push('/');
                clean.push_str(name);
            }
        }
    }
    if clean.is_empty() {
        clean.push('/');
    }
    clean
}
