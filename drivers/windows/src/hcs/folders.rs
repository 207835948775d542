//! The folders that a container is made of, looked at before anything is created.

use crate::NAME;
use execdriver_core::{Command, Error, Result};
use std::io;
use std::path::{Path, PathBuf};

/// Refuses a command whose folders are not there.
///
/// # Errors
/// `InvalidCommand` with the field and what the system said.
pub(crate) fn check(command: &Command, hyperv: bool) -> Result<()> {
    let windows = command.require_windows(NAME)?;
    directory("layer_folder", &windows.layer_folder)?;
    for (index, path) in windows.layer_paths.iter().enumerate() {
        directory(&format!("layer_paths[{index}]"), path)?;
    }
    if windows.layer_paths.is_empty() {
        let reason = "it is empty, expected the folders of the read-only layers";
        return Err(Error::invalid("layer_paths", reason));
    }
    // A volume's name, which no file system call of ours needs to understand.
    if command.rootfs.as_os_str().is_empty() && !hyperv {
        let reason = r"it is empty, expected a volume like \\?\Volume{...}";
        return Err(Error::invalid("rootfs", reason));
    }
    for (index, mount) in command.mounts.iter().enumerate() {
        if !super::document::is_pipe_path(&mount.destination) {
            directory(&format!("mounts[{index}].source"), &mount.source)?;
        }
    }
    utility_vm(command, hyperv).map(drop)
}

fn directory(field: &str, path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::invalid(field, "it is empty, expected a folder"));
    }
    let reason = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => "is not a folder".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be looked at: {error}"),
    };
    Err(Error::invalid(
        field,
        format!("{} {reason}", path.display()),
    ))
}

/// The folder of the virtual machine's files: that of the first layer which has one.
///
/// # Errors
/// `InvalidCommand` when it is needed and no layer has one.
pub(crate) fn utility_vm(command: &Command, hyperv: bool) -> Result<Option<PathBuf>> {
    if !hyperv {
        return Ok(None);
    }
    let layers = &command.require_windows(NAME)?.layer_paths;
    let folders = layers.iter().map(|layer| layer.join("UtilityVM"));
    let found = folders.into_iter().find(|folder| folder.is_dir());
    found.map(Some).ok_or_else(|| {
        let reason = "no layer has a folder UtilityVM, which a Hyper-V container starts from";
        Error::invalid("layer_paths", reason)
    })
}

/// The last part of a path by the rules of Windows, whatever the host.
pub(crate) fn base_name(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = path.trim_end_matches(['\\', '/']);
    path.rsplit(['\\', '/'])
        .next()
        .unwrap_or_default()
        .to_owned()
}
