//! Which file a program's name means, decided here and not by the host's own search.
//!
//! `CreateProcessW` without a file looks into the host's own folder and current directory first; a container's name would
//! then start what somebody has put there.

use super::setup;
use crate::NAME;
use execdriver_core::{Error, Result};
use std::io;
use std::path::{Path, PathBuf};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BAD_EXE_FORMAT, ERROR_DIRECTORY, ERROR_ELEVATION_REQUIRED,
    ERROR_EXE_MACHINE_TYPE_MISMATCH, ERROR_FILE_NOT_FOUND, ERROR_INVALID_NAME,
    ERROR_PATH_NOT_FOUND,
};

/// Where `PATHEXT` does not say it.
const EXTENSIONS: &str = ".COM;.EXE";

/// The file that `name` means: a path from `directory`, or a name in the container's own `Path`; with one of the
/// extensions of `PATHEXT` where it has none.
///
/// # Errors
/// `ProgramNotFound`; `ProgramNotExecutable` for a directory or a script of `cmd`'s.
pub(super) fn find(
    name: &str,
    directory: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<PathBuf> {
    let name = name.trim_matches('"');
    let extensions = variable("PATHEXT").unwrap_or_else(|| EXTENSIONS.to_owned());
    let mut found = None;
    if name.contains(['\\', '/', ':']) {
        let path = directory.map_or_else(|| PathBuf::from(name), |dir| dir.join(name));
        found = with_extension(&path, &extensions);
    } else {
        let path = variable("Path").unwrap_or_default();
        for folder in std::env::split_paths(&path).filter(|folder| folder.is_absolute()) {
            found = with_extension(&folder.join(name), &extensions);
            if found.is_some() {
                break;
            }
        }
    }
    let found = found.ok_or_else(|| Error::ProgramNotFound {
        program: name.to_owned(),
        source: None,
    })?;
    executable(name, found)
}

/// The file itself, or the first with one of the extensions added.
fn with_extension(path: &Path, extensions: &str) -> Option<PathBuf> {
    let added = extensions.split(';').filter(|ext| ext.starts_with('.'));
    let added = added.map(|extension| {
        let mut name = path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    });
    let mut candidates: Vec<PathBuf> = added.collect();
    // A name with an extension is meant as it is.
    let at = if path.extension().is_some() {
        0
    } else {
        candidates.len()
    };
    candidates.insert(at, path.to_owned());
    candidates.into_iter().find(|candidate| candidate.exists())
}

fn executable(name: &str, found: PathBuf) -> Result<PathBuf> {
    let refuse = |reason: &str| Error::ProgramNotExecutable {
        program: name.to_owned(),
        source: Some(reason.into()),
    };
    if found.is_dir() {
        return Err(refuse("it is a directory"));
    }
    let extension = found.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "bat" || extension == "cmd" {
        // cmd.exe would take the arguments apart by rules of its own, and run what stands in them (CVE-2024-24576).
        let reason = "a script of cmd's has no quoting that is safe; say `cmd /c` and quote for it";
        return Err(refuse(reason));
    }
    Ok(found)
}

/// What the system's refusal of a program means.
pub(super) fn refused(name: &str, directory: Option<&str>, error: io::Error) -> Error {
    let program = name.to_owned();
    let code = error.raw_os_error().and_then(|raw| u32::try_from(raw).ok());
    match code.unwrap_or_default() {
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND | ERROR_INVALID_NAME => {
            Error::ProgramNotFound {
                program,
                source: Some(Box::new(error)),
            }
        }
        ERROR_ACCESS_DENIED
        | ERROR_BAD_EXE_FORMAT
        | ERROR_EXE_MACHINE_TYPE_MISMATCH
        | ERROR_ELEVATION_REQUIRED => Error::ProgramNotExecutable {
            program,
            source: Some(Box::new(error)),
        },
        ERROR_DIRECTORY => Error::invalid(
            "working_dir",
            format!("{} is no directory", directory.unwrap_or_default()),
        ),
        _ => setup(format!("execute {name:?} ({NAME})"), error),
    }
}
