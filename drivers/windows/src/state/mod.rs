//! The containers of one root on disk, for every process that opens a driver on it.
//!
//! `<root>/<id>/state.json` and `<root>/<id>/exec-<id>.json`, read and written under a lock of the container's name only, so
//! that no file is ever open when another process renames or removes it.

pub(crate) mod host;
mod lock;
mod record;

pub(crate) use record::{ExecRecord, Record, Status, VERSION, bit, now_unix_ms, words};

use crate::NAME;
use crate::names::SystemName;
use execdriver_core::{ContainerId, Error, Result};
use lock::Lock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a transition of another's may take.
const PATIENCE: Duration = Duration::from_secs(30);

const STATE: &str = "state.json";

/// The directory of all containers of a driver.
#[derive(Debug, Clone)]
pub(crate) struct Root(PathBuf);

/// One container's place, locked.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: SystemName,
    dir: PathBuf,
    _lock: Lock,
}

impl Root {
    /// Makes the directory, if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error| io_error(path, "create", error);
        fs::create_dir_all(path).map_err(failed)?;
        // One spelling, whatever the current directory of a process.
        let path = std::path::absolute(path).map_err(failed)?;
        Ok(Self(path))
    }

    /// The names of the container `id`.
    ///
    /// # Errors
    /// `InvalidCommand` for what is no id.
    pub(crate) fn name(&self, id: &str) -> Result<SystemName> {
        Ok(SystemName::new(&self.0, &ContainerId::parse(id)?))
    }

    /// Locks the place of `id`, whether or not something is there.
    ///
    /// # Errors
    /// `InvalidCommand` for what is no id; `Timeout`.
    pub(crate) fn lock(&self, id: &str) -> Result<Entry> {
        self.lock_within(id, PATIENCE)
    }

    /// What is written down of the container, without its lock: the file is always whole.
    ///
    /// # Errors
    /// `InvalidCommand` for what is no id; `NotFound`.
    pub(crate) fn peek(&self, id: &str) -> Result<(SystemName, Record)> {
        let name = self.name(id)?;
        let record: Record = read_file(&self.0.join(id), STATE, id)?;
        check_version(&self.0.join(id), record.version)?;
        Ok((name, record))
    }

    /// The lock, if nobody has it for longer than `patience`.
    ///
    /// # Errors
    /// As [`Root::lock`].
    pub(crate) fn lock_within(&self, id: &str, patience: Duration) -> Result<Entry> {
        let name = self.name(id)?;
        let lock = Lock::take(&self.0, &name.object, patience).map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                let operation = format!("lock container {id:?} ({patience:?})");
                return Error::Timeout { operation };
            }
            io_error(&self.0, "lock", error)
        })?;
        Ok(Entry {
            dir: self.0.join(id),
            name,
            _lock: lock,
        })
    }

    /// The ids that have a place, sorted.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let failed = |error| io_error(&self.0, "read", error);
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if ContainerId::parse(&name).is_ok() && entry.path().is_dir() {
                ids.push(name);
            }
        }
        ids.sort();
        Ok(ids)
    }
}

impl Entry {
    /// Takes the place for a new container.
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub(crate) fn create(&self, record: &Record) -> Result<()> {
        match fs::create_dir(&self.dir) {
            Ok(()) => self.write(record),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let id = self.name.id.clone();
                Err(Error::AlreadyExists { id })
            }
            Err(error) => Err(io_error(&self.dir, "create", error)),
        }
    }

    /// What is written down of the container.
    ///
    /// # Errors
    /// `NotFound`.
    pub(crate) fn read(&self) -> Result<Record> {
        let record: Record = read_file(&self.dir, STATE, &self.name.id)?;
        check_version(&self.dir, record.version)?;
        Ok(record)
    }

    /// Writes it down anew.
    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        self.write_file(STATE, record)
    }

    /// Takes an exec's id.
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub(crate) fn create_exec(&self, exec: &ContainerId, record: &ExecRecord) -> Result<()> {
        if self.dir.join(exec_file(exec)).exists() {
            let id = exec.to_string();
            return Err(Error::AlreadyExists { id });
        }
        self.write_exec(exec, record)
    }

    /// What is written down of an exec.
    ///
    /// # Errors
    /// `NotFound`.
    pub(crate) fn read_exec(&self, exec: &ContainerId) -> Result<ExecRecord> {
        let record: ExecRecord = read_file(&self.dir, &exec_file(exec), exec.as_str())?;
        check_version(&self.dir, record.version)?;
        Ok(record)
    }

    /// Writes it down anew.
    pub(crate) fn write_exec(&self, exec: &ContainerId, record: &ExecRecord) -> Result<()> {
        self.write_file(&exec_file(exec), record)
    }

    /// Forgets an exec. One that is forgotten already is no error.
    pub(crate) fn remove_exec(&self, exec: &ContainerId) -> Result<()> {
        let path = self.dir.join(exec_file(exec));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error(&path, "remove", error))
            }
            _ => Ok(()),
        }
    }

    /// Forgets the container of that `run`, if its place is not another's by now.
    pub(crate) fn remove_run(&self, run: u64) -> Result<()> {
        match self.read() {
            Ok(record) if record.run != run => Ok(()),
            Err(Error::NotFound { .. }) if !self.is_taken() => Ok(()),
            _ => self.remove(),
        }
    }

    /// Forgets the container. One that is forgotten already is no error.
    pub(crate) fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error(&self.dir, "remove", error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the place is taken, readable or not.
    pub(crate) fn is_taken(&self) -> bool {
        self.dir.exists()
    }

    fn write_file(&self, name: &str, record: &impl Serialize) -> Result<()> {
        let path = self.dir.join(name);
        let failed = |error| io_error(&path, "write", error);
        let text = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        // A host that dies meanwhile leaves the old file whole.
        let new = self.dir.join(format!("{name}.new"));
        fs::write(&new, text).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)
    }
}

fn check_version(dir: &Path, found: u32) -> Result<()> {
    if found == VERSION {
        return Ok(());
    }
    let text = format!("it has version {found}, this driver knows {VERSION}");
    Err(io_error(dir, "use", io::Error::other(text)))
}

fn read_file<T: DeserializeOwned>(dir: &Path, name: &str, id: &str) -> Result<T> {
    let path = dir.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NotFound { id: id.to_owned() });
        }
        Err(error) => return Err(io_error(&path, "read", error)),
    };
    serde_json::from_slice(&text).map_err(|error| io_error(&path, "understand", error.into()))
}

fn exec_file(exec: &ContainerId) -> String {
    format!("exec-{exec}.json")
}

fn io_error(path: &Path, action: &str, source: io::Error) -> Error {
    Error::Driver {
        driver: NAME.to_owned(),
        operation: format!("{action} {}", path.display()),
        source: Some(Box::new(source)),
    }
}
