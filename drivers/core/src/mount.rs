//! A mount of the host's, or a tmpfs, in the container.

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

    /// Whether the source is the word `tmpfs`.
    pub fn is_tmpfs(&self) -> bool {
        self.source == Path::new("tmpfs")
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
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}
