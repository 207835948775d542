//! The directory of one container: its lock, its record and its execs.

use super::dir::{self, Named};
use super::error::StateError;
use super::read::{read_exec, read_record};
use super::record::{ExecRecord, Record};
use super::store::checked;
use super::unread::{Unread, json};
use crate::at;
use crate::shared_text::SharedText;
use crate::sys::flock::Lock;
use nix::errno::Errno;
use nix::sys::socket::UnixAddr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) const STATE: &str = "state.json";
const START: &str = "start.sock";
/// A directory of the state directory.
pub(crate) const NOTIFY: &str = "notify";
/// The name of the socket in it.
pub(crate) const NOTIFY_SOCKET: &str = "notify.sock";
const EXEC_PREFIX: &str = "exec-";
const SUFFIX: &str = ".json";

/// The directory of one id, open: later calls stay in this very directory even if the id is
/// cleaned and used again meanwhile.
#[derive(Debug)]
pub(crate) struct Entry {
    root: Arc<Path>,
    id: SharedText,
    dir: OwnedFd,
}

/// An entry whose transitions are ours alone until this is dropped.
#[derive(Debug)]
pub(crate) struct Locked {
    lock: Lock,
    root: Arc<Path>,
    id: SharedText,
}

impl Entry {
    pub(super) fn new(root: Arc<Path>, id: SharedText, dir: OwnedFd) -> Self {
        Self { root, id, dir }
    }

    /// The container's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The container's state directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.named().into()
    }

    fn named(&self) -> Named<'_> {
        Named::entry(&self.root, &self.id)
    }

    /// The user to whom the directory belongs: the name, or the number of one that has none.
    pub(crate) fn owner(&self) -> String {
        let Ok(stat) = nix::sys::stat::fstat(&self.dir) else {
            return String::new();
        };
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(stat.st_uid));
        let name = user.ok().flatten().map(|user| user.name);
        name.unwrap_or_else(|| stat.st_uid.to_string())
    }

    /// Reads the record; no lock is needed.
    ///
    /// # Errors
    /// `NotFound` when there is no record (a start that just begins, or the rest of a crash),
    /// else what is wrong with it.
    pub(crate) fn read(&self) -> Result<Record, StateError> {
        read_record(&self.dir, &self.root, &self.id)
    }

    /// Whether the record on disk is this one, word for word: then nobody need read it.
    ///
    /// # Errors
    /// As [`Entry::read`], but for a record that is not there.
    pub(crate) fn holds(&self, record: &Record) -> Result<bool, StateError> {
        holds(&self.dir, self.named(), record)
    }

    /// Reads the record of an exec.
    pub(crate) fn read_exec(&self, exec: &str) -> Result<ExecRecord<'static>, StateError> {
        read_exec(&self.dir, &self.root, &self.id, exec)
    }

    /// The address of the socket by which the container's program is started. An address holds 108 bytes, and the way to the
    /// directory may be longer.
    pub(crate) fn start_address(&self) -> nix::Result<UnixAddr> {
        let dir = self.dir.as_raw_fd();
        UnixAddr::new(format!("/proc/self/fd/{dir}/{START}").as_str())
    }

    /// Makes the directory that the container sees, in which its word that it is ready arrives.
    pub(crate) fn make_notify_dir(&self) -> nix::Result<()> {
        at::make_dir(self.dir.as_fd(), OsStr::new(NOTIFY), 0o755)
    }

    /// The address of the socket in it, anew; `None` when the container has no such directory.
    pub(crate) fn notify_address(&self) -> nix::Result<Option<PathBuf>> {
        let notify = match at::open_dir(self.dir.as_fd(), OsStr::new(NOTIFY)) {
            Err(Errno::ENOENT) => return Ok(None),
            opened => opened?,
        };
        dir::remove_if_there(notify.as_fd(), OsStr::new(NOTIFY_SOCKET))?;
        let dir = self.dir.as_raw_fd();
        let path = format!("/proc/self/fd/{dir}/{NOTIFY}/{NOTIFY_SOCKET}");
        Ok(Some(PathBuf::from(path)))
    }

    /// Nobody starts it any more. What cannot be removed now goes with the directory.
    pub(crate) fn remove_start_address(&self) {
        let _ = dir::remove_if_there(self.dir.as_fd(), OsStr::new(START));
    }

    /// Reads a part of its record.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(crate) fn part<T>(&self, part: &Unread<T>) -> Result<T, StateError>
    where
        T: Serialize + DeserializeOwned,
    {
        part.read().map_err(|error| StateError::Corrupt {
            path: self.path().join(STATE),
            reason: error.to_string(),
        })
    }

    /// Waits, at most `patience`, until transitions of this entry are ours alone.
    ///
    /// The lock is on a fresh descriptor of the directory itself, so threads of one process
    /// exclude each other too and nothing is left behind; it is released explicitly, so a copy of
    /// the descriptor in another thread's child does not keep it.
    ///
    /// # Errors
    /// `LockTimeout`; `NotFound` when the directory was removed while we waited.
    pub(crate) fn lock(&self, patience: Duration) -> Result<Locked, StateError> {
        let dir = at::reopen(self.dir.as_fd()).map_err(|errno| self.gone_or("open", errno))?;
        let started = Instant::now();
        let lock = acquire(dir, started + patience).map_err(|errno| match errno {
            Errno::EWOULDBLOCK => StateError::LockTimeout {
                path: self.path(),
                waited: patience,
            },
            errno => self.gone_or("lock", errno),
        })?;
        self.check_still_there()?;
        Ok(Locked {
            lock,
            root: Arc::clone(&self.root),
            id: self.id.clone(),
        })
    }

    /// The directory may have been removed, and even made again, between open and lock.
    fn check_still_there(&self) -> Result<(), StateError> {
        let ours = at::identity(&self.dir).map_err(StateError::io("stat", self.named()))?;
        let root = dir::open_root(Named::root(&self.root))?;
        let root = root.ok_or_else(|| not_found(&self.root, &self.id))?;
        let now = at::stat(root.as_fd(), OsStr::new(&*self.id));
        let now = now.map_err(|errno| self.gone_or("find", errno))?;
        if (now.st_dev, now.st_ino) == ours {
            return Ok(());
        }
        Err(not_found(&self.root, &self.id))
    }

    fn gone_or(&self, action: &'static str, errno: Errno) -> StateError {
        match errno {
            Errno::ENOENT => not_found(&self.root, &self.id),
            errno => StateError::io(action, self.named())(errno),
        }
    }
}

impl Locked {
    /// Reads the record.
    pub(crate) fn read(&self) -> Result<Record, StateError> {
        read_record(&self.lock, &self.root, &self.id)
    }

    /// Replaces the record.
    pub(crate) fn write(&self, record: &Record) -> Result<(), StateError> {
        self.replace(STATE, record)
    }

    /// Writes the record of a new container.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one.
    pub(super) fn write_first(&self, record: &Record) -> Result<(), StateError> {
        match at::stat(self.lock.as_fd(), OsStr::new(STATE)) {
            Err(Errno::ENOENT) => self.write(record),
            Err(errno) => Err(StateError::io("find", self.named().file(STATE))(errno)),
            Ok(_) => Err(StateError::AlreadyExists { path: self.path() }),
        }
    }

    /// Reads the record, changes it and replaces it: what others wrote meanwhile is kept.
    pub(crate) fn modify(&self, change: impl FnOnce(&mut Record)) -> Result<Record, StateError> {
        let mut record = self.read()?;
        change(&mut record);
        self.write(&record)?;
        Ok(record)
    }

    /// The same for who may know the record, having read or written it before.
    pub(crate) fn modify_known(
        &self,
        known: Option<Box<Record>>,
        change: impl FnOnce(&mut Record),
    ) -> Result<Box<Record>, StateError> {
        let mut record = match known {
            Some(known) if holds(&self.lock, self.named(), &known)? => known,
            _ => Box::new(self.read()?),
        };
        change(&mut record);
        self.write(&record)?;
        Ok(record)
    }

    /// Records a new exec.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one of this id.
    pub(crate) fn create_exec(&self, record: &ExecRecord<'_>) -> Result<(), StateError> {
        let name = exec_name(&record.id)?;
        match at::stat(self.lock.as_fd(), OsStr::new(&name)) {
            Err(Errno::ENOENT) => self.replace(&name, record),
            Err(errno) => Err(StateError::io("find", self.named().file(&name))(errno)),
            Ok(_) => Err(StateError::AlreadyExists {
                path: self.path().join(name),
            }),
        }
    }

    /// Replaces the record of an exec.
    pub(crate) fn write_exec(&self, record: &ExecRecord<'_>) -> Result<(), StateError> {
        self.replace(&exec_name(&record.id)?, record)
    }

    /// Reads the record of an exec.
    pub(crate) fn read_exec(&self, exec: &str) -> Result<ExecRecord<'static>, StateError> {
        read_exec(&self.lock, &self.root, &self.id, exec)
    }

    /// Removes the record of an exec; absent is fine.
    pub(crate) fn remove_exec(&self, exec: &str) -> Result<(), StateError> {
        let name = exec_name(exec)?;
        let removed = dir::remove_if_there(self.lock.as_fd(), OsStr::new(&name));
        removed.map_err(StateError::io("remove", self.named().file(&name)))
    }

    /// Removes the directory with all that is in it, damaged or not, and frees the id.
    pub(crate) fn remove(self) -> Result<(), StateError> {
        // The record goes first: a half-removed entry must not look like a container.
        dir::remove_if_there(self.lock.as_fd(), OsStr::new(STATE))
            .map_err(StateError::io("remove", self.named().file(STATE)))?;
        let Some(root) = dir::open_root(Named::root(&self.root))? else {
            return dir::empty(self.lock.as_fd(), self.named());
        };
        let own = OsStr::new(&*self.id);
        let removed = match at::remove_dir(root.as_fd(), own) {
            // Rarely: mostly the record was all that was there.
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => {
                dir::empty(self.lock.as_fd(), self.named())?;
                at::remove_dir(root.as_fd(), own)
            }
            removed => removed,
        };
        match removed {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(StateError::io("remove", self.named())(errno)),
        }
    }

    fn replace(&self, name: &str, record: &impl Serialize) -> Result<(), StateError> {
        let path = self.named().file(name);
        let mut page = [0; 4096];
        let text = json(record, &mut page).map_err(|error| StateError::Corrupt {
            path: path.into(),
            reason: error.to_string(),
        })?;
        dir::replace(self.lock.as_fd(), name, path, &text)
    }

    fn path(&self) -> PathBuf {
        self.named().into()
    }

    fn named(&self) -> Named<'_> {
        Named::entry(&self.root, &self.id)
    }
}

/// `flock` without its endless wait. Transitions take microseconds to milliseconds, so short
/// naps cost nothing and need no thread and no signal.
fn acquire(mut dir: OwnedFd, deadline: Instant) -> nix::Result<Lock> {
    let mut nap = Duration::from_micros(200);
    loop {
        match Lock::try_exclusive(dir) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EINTR)) => dir = back,
            Err((back, Errno::EWOULDBLOCK)) if Instant::now() < deadline => {
                std::thread::sleep(nap);
                nap = (nap * 2).min(Duration::from_millis(20));
                dir = back;
            }
            Err((_, errno)) => return Err(errno),
        }
    }
}

fn holds(dir: impl AsFd, entry: Named<'_>, record: &Record) -> Result<bool, StateError> {
    let mut page = [0; 4096];
    match json(record, &mut page) {
        Ok(text) => dir::holds(dir.as_fd(), STATE, entry.file(STATE), &text),
        Err(_) => Ok(false),
    }
}

/// The file of an exec.
pub(super) fn exec_name(exec: &str) -> Result<String, StateError> {
    // Not of the smallest blocks, of which a launch has many in use.
    let mut name = String::with_capacity(96);
    name.extend([EXEC_PREFIX, checked(exec)?, SUFFIX]);
    Ok(name)
}

pub(super) fn not_found(root: &Path, id: &str) -> StateError {
    StateError::NotFound {
        id: id.to_owned(),
        root: root.to_owned(),
    }
}
