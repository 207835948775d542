//! The cases: pairs of `NAME.in` and `NAME.out`.

use std::path::Path;
use std::{fs, io};

/// What a program reads, and what it should then write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// The name of both files without their extensions.
    pub(crate) name: String,
    /// What it reads.
    pub(crate) input: Vec<u8>,
    /// What it should write.
    pub(crate) expected: Vec<u8>,
}

/// Reads all cases of a directory, sorted by name.
pub(crate) fn read(directory: &Path) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "in") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default();
        cases.push(Case {
            name: name.to_string_lossy().into_owned(),
            input: fs::read(&path)?,
            expected: fs::read(path.with_extension("out"))?,
        });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}
