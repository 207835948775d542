//! The bundle: its directory and its document.

use super::failure::Failure;
use oci_spec::runtime::Spec;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";

/// Far above any real document: with every field in use they are some hundred KiB.
const MAX_BYTES: u64 = 16 << 20;

/// A bundle that was read.
#[derive(Debug)]
pub(super) struct Bundle {
    /// Without links, absolute.
    pub(super) path: PathBuf,
    pub(super) document: Spec,
}

impl Bundle {
    /// Reads the bundle in `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::system(format!("bundle {}", path.display()), error);
        let path = path.canonicalize().map_err(failed)?;
        let config = path.join(CONFIG);
        let document = read(&config)?;
        Ok(Self { path, document })
    }
}

fn read(path: &Path) -> Result<Spec, Failure> {
    let failed = |error| Failure::system(path.display(), error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::usage(format!(
            "{} is longer than {MAX_BYTES} bytes",
            path.display()
        )));
    }
    serde_json::from_slice(&text).map_err(|error| Failure::system(path.display(), error))
}
