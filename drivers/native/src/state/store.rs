//! The driver's root directory: the ids that it holds.

use super::dir::{self, Named};
use super::entry::{Entry, Locked};
use super::error::StateError;
use super::record::Record;
use crate::at;
use crate::shared_text::SharedText;
use execdriver_core::ContainerId;
use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often a directory is made again that a `clean` removed before we had its lock.
const ATTEMPTS: u32 = 1000;

/// How long a transition waits for another process's transition of the same id.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The state of all containers of one driver root. It holds no descriptor: the root is opened
/// and checked anew by every call, so a root that was removed is simply made again.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: Arc<Path>,
}

impl Store {
    /// Opens the root, making what is missing of it (mode 0700).
    ///
    /// # Errors
    /// `Create` when it cannot be made, `Untrusted` when it is not ours alone.
    pub(crate) fn open(root: &Path) -> Result<Self, StateError> {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let store = Self { root: root.into() };
        store.make_root()?;
        Ok(store)
    }

    /// Makes the directory of a new container, locked, with `record` in it.
    ///
    /// # Errors
    /// `AlreadyExists` for a live container and for a directory that a crash left.
    pub(crate) fn create(&self, record: &Record) -> Result<(Entry, Locked), StateError> {
        let id = checked(&record.id)?;
        let path = Named::entry(&self.root, id);
        let root = self.make_root()?;
        let mut attempt = 1;
        loop {
            if !dir::make(root.as_fd(), id, path)? {
                return Err(StateError::AlreadyExists { path: path.into() });
            }
            let made = self.entry_of(&record.id).and_then(|entry| {
                let locked = entry.lock(LOCK_PATIENCE)?;
                // After a `clean` of ours this may be the directory of another start, which was faster.
                locked.write_first(record)?;
                Ok((entry, locked))
            });
            match made {
                // A `clean` took the lock before us, and the directory for what a crash left.
                Err(StateError::NotFound { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error @ StateError::AlreadyExists { .. }) => return Err(error),
                Err(error) => {
                    // Fails on a directory that somebody has put something into meanwhile: theirs.
                    let _ = at::remove_dir(root.as_fd(), id.as_ref());
                    return Err(error);
                }
                Ok(made) => return Ok(made),
            }
        }
    }

    /// Whether this is an id at all.
    ///
    /// # Errors
    /// `InvalidId`.
    pub(crate) fn check(id: &str) -> Result<(), StateError> {
        checked(id).map(drop)
    }

    /// Where the directory of `id` is, or would be.
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Opens the directory of `id`.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub(crate) fn entry(&self, id: &str) -> Result<Entry, StateError> {
        self.entry_of(&SharedText::from(checked(id)?))
    }

    /// The same of an id that is one.
    fn entry_of(&self, id: &SharedText) -> Result<Entry, StateError> {
        let path = Named::entry(&self.root, id);
        let root = self.open_root()?;
        let found = match &root {
            Some(root) => dir::open(root.as_fd(), id, path)?,
            None => None,
        };
        match found {
            Some(dir) => Ok(Entry::new(Arc::clone(&self.root), id.clone(), dir)),
            None => Err(self.not_found(id)),
        }
    }

    /// Opens the directory of `id` and reads its record.
    ///
    /// # Errors
    /// `NotFound`, or what is wrong with the record.
    pub(crate) fn load(&self, id: &str) -> Result<(Entry, Record), StateError> {
        let entry = self.entry(id)?;
        let record = entry.read()?;
        Ok((entry, record))
    }

    /// The ids that have a directory, sorted.
    pub(crate) fn list(&self) -> Result<Vec<String>, StateError> {
        let Some(root) = self.open_root()? else {
            return Ok(Vec::new());
        };
        let names =
            at::subdirectories(root.as_fd()).map_err(StateError::io("list", &*self.root))?;
        let mut ids: Vec<String> = names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .filter(|name| checked(name).is_ok())
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes what is under `id`, whatever it is: for `clean` of what cannot be opened as an
    /// entry (a file, a link, a directory of a wrong mode). Absent is fine.
    pub(crate) fn remove_untrusted(&self, id: &str) -> Result<(), StateError> {
        let id = checked(id)?;
        let path = Named::entry(&self.root, id);
        let Some(root) = self.open_root()? else {
            return Ok(());
        };
        let removed = match at::open_dir(root.as_fd(), id.as_ref()) {
            Ok(below) => {
                dir::empty(below.as_fd(), path)?;
                at::remove_dir(root.as_fd(), id.as_ref())
            }
            Err(nix::errno::Errno::ENOENT) => Ok(()),
            Err(_) => dir::remove_if_there(root.as_fd(), id.as_ref()),
        };
        removed.map_err(StateError::io("remove", path))
    }

    /// Whether `id` has a directory without a record that nobody is about to write: a start or a
    /// clean-up was killed there.
    pub(crate) fn is_unrecorded(&self, id: &str) -> Result<bool, StateError> {
        Ok(self.lock_unrecorded(id, Duration::ZERO)?.is_some())
    }

    /// Removes such a directory; false when there is none.
    pub(crate) fn remove_unrecorded(&self, id: &str) -> Result<bool, StateError> {
        match self.lock_unrecorded(id, LOCK_PATIENCE)? {
            Some(locked) => locked.remove().map(|()| true),
            None => Ok(false),
        }
    }

    fn lock_unrecorded(&self, id: &str, patience: Duration) -> Result<Option<Locked>, StateError> {
        // Whoever makes a directory holds its lock until the record is written.
        let locked = match self.entry(id).and_then(|entry| entry.lock(patience)) {
            Ok(locked) => locked,
            Err(StateError::NotFound { .. } | StateError::LockTimeout { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match locked.read() {
            Err(StateError::NotFound { .. }) => Ok(Some(locked)),
            _ => Ok(None),
        }
    }

    /// The driver's root.
    #[cfg(test)]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn make_root(&self) -> Result<OwnedFd, StateError> {
        if let Some(root) = self.open_root()? {
            return Ok(root);
        }
        dir::make_root(&self.root)?;
        let root = self.open_root()?;
        root.ok_or_else(|| StateError::io("open", &*self.root)(nix::errno::Errno::ENOENT))
    }

    fn open_root(&self) -> Result<Option<OwnedFd>, StateError> {
        dir::open_root(Named::root(&self.root))
    }

    fn not_found(&self, id: &str) -> StateError {
        StateError::NotFound {
            id: id.to_owned(),
            root: self.root.to_path_buf(),
        }
    }
}

/// An id that is safe to join into a path; checked here, whoever the caller is. The rule is that of OCI runtimes: the contract's,
/// and `+` and `.` beside, which [`NativeDriver`](crate::NativeDriver) has refused before.
pub(super) fn checked(id: &str) -> Result<&str, StateError> {
    let plain = match id.contains(['+', '.']) {
        true => Cow::Owned(id.replace(['+', '.'], "_")),
        false => Cow::Borrowed(id),
    };
    match ContainerId::check(&plain) {
        Ok(()) if id != "." && id != ".." => Ok(id),
        _ => Err(StateError::InvalidId { id: id.to_owned() }),
    }
}
