//! The bundle: its directory and its document.

use super::failure::Failure;
use crate::document;
use oci_spec::runtime::Spec;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";

/// Far above any real document: with every field in use they are some hundred KiB.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// A bundle that was read.
#[derive(Debug)]
pub(super) struct Bundle {
    /// Without links, absolute.
    pub(super) path: PathBuf,
    pub(super) document: Spec,
    /// A sentence for each thing of the document that is left out.
    pub(super) warnings: Vec<String>,
}

impl Bundle {
    /// Reads the bundle in `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::system(format!("bundle {}", path.display()), error);
        // Without a slash at the end, which would follow it.
        let named: PathBuf = path.components().collect();
        if named.symlink_metadata().map_err(failed)?.is_symlink() {
            // Who can change the link could choose the bundle between two looks.
            return Err(Failure::usage(format!(
                "bundle {}: is a symbolic link, expected a directory",
                path.display()
            )));
        }
        let path = path.canonicalize().map_err(failed)?;
        let config = path.join(CONFIG);
        let read = document::config(&text(&config)?);
        let read =
            read.map_err(|reason| Failure::usage(format!("{}: {reason}", config.display())))?;
        Ok(Self {
            path,
            document: read.content,
            warnings: read.warnings,
        })
    }
}

/// The bytes of a regular file that is not endless.
pub(super) fn text(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::system(path.display(), error);
    // A FIFO in its place would keep us for ever.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        let reason = format!("{}: expected a regular file", path.display());
        return Err(Failure::usage(reason));
    }
    // One byte more, so that the read that finds the end needs no room.
    let expected = metadata.len().min(MAX_BYTES) + 1;
    let mut text = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut text);
    if read.map_err(failed)? as u64 > MAX_BYTES {
        let reason = format!("{}: longer than {MAX_BYTES} bytes", path.display());
        return Err(Failure::usage(reason));
    }
    Ok(text)
}
