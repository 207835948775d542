//! What is kept beside CRIU's files: what only a runtime can know when the container is made anew.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// The file of the first process's streams, by the name and in the form that runc and crun have for it.
const STREAMS: &str = "descriptors.json";
const FILE: &str = "execdriver.json";

/// A mount that CRIU calls by a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedMount {
    /// `m0`.
    pub(crate) key: String,
    /// Where it is in the container.
    pub(crate) point: String,
    /// Of a mount of cgroups: the options that name the hierarchy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cgroup: Vec<String>,
    /// Its part of the file system.
    pub(crate) root: String,
}

/// A place in the root file system where something is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedPoint {
    pub(crate) path: String,
    pub(crate) dir: bool,
}

/// A container that was saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) version: u32,
    pub(crate) mounts: Vec<SavedMount>,
    pub(crate) points: Vec<SavedPoint>,
    /// The options of the mount of the root: `ro`, `nosuid` ...
    pub(crate) root_options: Vec<String>,
    /// What the streams 0 to 2 were: `pipe:[7]`, `file[18:3]`, or anything that is not handed on.
    #[serde(skip)]
    pub(crate) streams: Vec<String>,
}

impl Saved {
    pub(crate) const VERSION: u32 = 1;

    /// Writes it.
    pub(crate) fn write(&self, images: &Path) -> io::Result<()> {
        fs::write(images.join(FILE), serde_json::to_vec(self)?)?;
        fs::write(images.join(STREAMS), serde_json::to_vec(&self.streams)?)
    }

    /// Reads it; invalid data where it is of another version.
    pub(crate) fn read(images: &Path) -> io::Result<Self> {
        let read = |name: &str| {
            let said = |error: io::Error| {
                let reason =
                    format!("no container was saved there by this runtime ({name}: {error})");
                io::Error::new(error.kind(), reason)
            };
            fs::read(images.join(name)).map_err(said)
        };
        let mut saved: Self = serde_json::from_slice(&read(FILE)?)?;
        saved.streams = serde_json::from_slice(&read(STREAMS)?)?;
        match saved.version {
            Self::VERSION => Ok(saved),
            other => {
                let reason = format!("{FILE} is of version {other}, expected {}", Self::VERSION);
                Err(io::Error::new(io::ErrorKind::InvalidData, reason))
            }
        }
    }
}

/// Whether CRIU takes a descriptor in place of this stream.
pub(crate) fn is_handed_on(stream: &str) -> bool {
    stream.starts_with("pipe:[") || stream.starts_with("file[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_another_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mount = SavedMount {
            key: "m0".to_owned(),
            point: "/data".to_owned(),
            cgroup: Vec::new(),
            root: "/".to_owned(),
        };
        let mut saved = Saved {
            version: Saved::VERSION,
            mounts: vec![mount],
            points: Vec::new(),
            root_options: vec!["ro".to_owned()],
            streams: vec!["/dev/null".to_owned(), "pipe:[7]".to_owned()],
        };
        saved.write(dir.path()).unwrap();
        assert_eq!(Saved::read(dir.path()).unwrap(), saved);
        let handed = saved.streams.iter().map(|stream| is_handed_on(stream));
        assert_eq!(handed.collect::<Vec<_>>(), [false, true]);
        saved.version = 2;
        saved.write(dir.path()).unwrap();
        let error = Saved::read(dir.path()).unwrap_err();
        assert!(error.to_string().contains("version 2"));
    }
}
