//! The lock of one container: held for a transition, never while anything is waited for.

use std::io;
use std::path::Path;
use std::time::Duration;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    #[cfg(windows)]
    _mutex: crate::sys::lock::Lock,
    #[cfg(not(windows))]
    file: std::path::PathBuf,
}

impl Lock {
    /// Takes the lock of the container that has this object name, below `root`.
    ///
    /// # Errors
    /// `TimedOut` when another has it for longer than `limit`.
    #[cfg(windows)]
    pub(super) fn take(_root: &Path, object: &str, limit: Duration) -> io::Result<Self> {
        let mutex = crate::sys::lock::Lock::take(&format!("{object}-lock"), limit)?;
        Ok(Self { _mutex: mutex })
    }

    /// The same by a file, where the driver runs for its tests alone.
    #[cfg(not(windows))]
    pub(super) fn take(root: &Path, object: &str, limit: Duration) -> io::Result<Self> {
        let file = root.join(format!(".{object}"));
        let end = std::time::Instant::now() + limit;
        loop {
            match std::fs::File::create_new(&file) {
                Ok(_) => return Ok(Self { file }),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) if std::time::Instant::now() > end => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

#[cfg(not(windows))]
impl Drop for Lock {
    fn drop(&mut self) {
        // Somebody who waits for it fails with a timeout that names it.
        let _ = std::fs::remove_file(&self.file);
    }
}
