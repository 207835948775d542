//! Where containers keep their state when nobody says it.

use crate::failure::Failure;
use std::path::PathBuf;

/// `/run/execdriver` of root, else a directory of the caller's own.
///
/// # Errors
/// The directory below the temporary one, which is everybody's, is not the caller's alone.
pub(crate) fn default_root() -> Result<PathBuf, Failure> {
    #[cfg(unix)]
    if unix::has_run() {
        return Ok(PathBuf::from("/run/execdriver"));
    }
    // A relative one is to be ignored (XDG Base Directory Specification).
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(runtime) = runtime.filter(|dir| dir.is_absolute()) {
        return Ok(runtime.join("execdriver"));
    }
    #[cfg(unix)]
    return unix::own(&std::env::temp_dir()).map_err(|reason| Failure::message(reason, 1));
    #[cfg(not(unix))]
    Ok(std::env::temp_dir().join("execdriver"))
}

#[cfg(unix)]
mod unix {
    use nix::errno::Errno;
    use nix::unistd::{AccessFlags, access, geteuid};
    use std::fs::{DirBuilder, symlink_metadata};
    use std::io::ErrorKind;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::path::{Path, PathBuf};

    /// Whether we are root, and not one of a user namespace to whom /run does not belong.
    pub(super) fn has_run() -> bool {
        let may_write = || access("/run", AccessFlags::W_OK);
        geteuid().is_root() && may_write() != Err(Errno::EACCES)
    }

    /// Our directory below one where anybody may have put something under its name: a link, or a directory of theirs.
    pub(super) fn own(shared: &Path) -> Result<PathBuf, String> {
        let dir = shared.join(format!("execdriver-{}", geteuid()));
        let wrong = |reason: &str| {
            let dir = dir.display();
            format!(
                "invalid state directory {dir}: {reason} (remove it, or choose one with --root)"
            )
        };
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(wrong(&error.to_string()));
            }
            _ => {}
        }
        let found = symlink_metadata(&dir).map_err(|error| wrong(&error.to_string()))?;
        if !found.is_dir() {
            return Err(wrong("it is not a directory"));
        }
        if found.uid() != geteuid().as_raw() {
            return Err(wrong("it belongs to another user"));
        }
        if found.mode() & 0o022 != 0 {
            return Err(wrong("others may write in it"));
        }
        Ok(dir)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::fs::{Permissions, create_dir, set_permissions};
        use std::os::unix::fs::{PermissionsExt, chown, symlink};

        #[test]
        fn what_somebody_else_put_under_its_name_is_never_used() {
            let shared = tempfile::tempdir().unwrap();
            let dir = own(shared.path()).unwrap();
            assert_eq!(symlink_metadata(&dir).unwrap().mode() & 0o777, 0o700);
            assert_eq!(own(shared.path()).unwrap(), dir, "ours is found again");
            set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
            let refusal = || own(shared.path()).unwrap_err();
            assert!(refusal().contains("others may write"), "{}", refusal());
            std::fs::remove_dir(&dir).unwrap();
            let theirs = shared.path().join("theirs");
            create_dir(&theirs).unwrap();
            symlink(&theirs, &dir).unwrap();
            assert!(refusal().contains("not a directory"), "{}", refusal());
            assert_eq!(theirs.read_dir().unwrap().count(), 0);
            std::fs::remove_file(&dir).unwrap();
            if geteuid().is_root() {
                create_dir(&dir).unwrap();
                chown(&dir, Some(1), None).unwrap();
                assert!(refusal().contains("another user"), "{}", refusal());
            }
        }
    }
}
