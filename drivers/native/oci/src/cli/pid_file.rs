//! `--pid-file`: written as a whole, since its reader waits for the file to be there.

use super::failure::Failure;
use std::fs;
use std::path::Path;

/// Writes the pid.
pub(super) fn write(path: &Path, pid: i32) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}"));
    let written = fs::write(&temporary, pid.to_string());
    let written = written.and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Failure::system(format!("pid file {}", path.display()), error)
    })
}
