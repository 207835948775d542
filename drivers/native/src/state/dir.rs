//! The directories of the state: made private, checked before they are believed, removed whole.

use super::error::StateError;
use crate::at;
use crate::shelf::{Lent, Shelf};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::{Uid, geteuid};
use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const PRIVATE: u32 = 0o700;

/// What a call is about, for errors: only they put the path together.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    root: &'a Path,
    id: &'a str,
    file: &'a str,
}

impl<'a> Named<'a> {
    /// The driver's root.
    pub(super) fn root(root: &'a Path) -> Self {
        Self::entry(root, "")
    }

    /// The directory of an id.
    pub(super) fn entry(root: &'a Path, id: &'a str) -> Self {
        Self { root, id, file: "" }
    }

    /// A file in it.
    pub(super) fn file(self, file: &'a str) -> Self {
        Self { file, ..self }
    }
}

impl From<Named<'_>> for PathBuf {
    fn from(named: Named<'_>) -> Self {
        let mut path = named.root.to_owned();
        let below = [named.id, named.file].into_iter();
        path.extend(below.filter(|name| !name.is_empty()));
        path
    }
}

/// A directory that we made holds only files; this deep we still clean what others put there.
const MAX_DEPTH: usize = 32;

/// Makes `path` and its missing parents, each for its owner only.
pub(super) fn make_root(path: &Path) -> Result<(), StateError> {
    let made = DirBuilder::new().recursive(true).mode(PRIVATE).create(path);
    made.map_err(|error| StateError::Create {
        path: path.to_owned(),
        source: at::errno(error),
    })
}

/// Opens the driver's root and checks it; `None` when it does not exist.
pub(super) fn open_root(path: Named<'_>) -> Result<Option<OwnedFd>, StateError> {
    match at::open_root(path.root) {
        Ok(dir) => trusted(dir, path).map(Some),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(not_a_directory(path, errno)),
    }
}

/// Opens the directory `name` of the checked `parent` and checks it too.
pub(super) fn open(
    parent: BorrowedFd<'_>,
    name: &str,
    path: Named<'_>,
) -> Result<Option<OwnedFd>, StateError> {
    match at::open_dir(parent, OsStr::new(name)) {
        Ok(dir) => trusted(dir, path).map(Some),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(not_a_directory(path, errno)),
    }
}

/// Makes the directory `name`; false when something of that name is there.
pub(super) fn make(
    parent: BorrowedFd<'_>,
    name: &str,
    path: Named<'_>,
) -> Result<bool, StateError> {
    match at::make_dir(parent, OsStr::new(name), PRIVATE) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(source) => Err(StateError::Create {
            path: path.into(),
            source,
        }),
    }
}

/// What most records fit into.
const PAGE: usize = 4096;

static TEXTS: Shelf<Vec<u8>> = Shelf::new();

/// Reads a file that only we can have written; `None` when it does not exist.
///
/// Its page is not on the stack below whoever takes the text apart.
#[inline(never)]
pub(super) fn read(
    dir: BorrowedFd<'_>,
    name: &str,
    path: Named<'_>,
    max: usize,
) -> Result<Option<Lent<u8>>, StateError> {
    let Some(file) = open_file(dir, name, path)? else {
        return Ok(None);
    };
    let mut page = [0; PAGE];
    match at::record_in(&file, &mut page, max) {
        Ok(read) => {
            let mut text = Lent::with_capacity(&TEXTS, read.len().max(PAGE));
            text.extend_from_slice(&read);
            Ok(Some(text))
        }
        Err(Errno::EFBIG) => Err(StateError::Corrupt {
            path: path.into(),
            reason: format!("it is longer than {max} bytes"),
        }),
        Err(source) => Err(StateError::io("read", path)(source)),
    }
}

/// Whether the file, which only we can have written, has this text.
pub(super) fn holds(
    dir: BorrowedFd<'_>,
    name: &str,
    path: Named<'_>,
    text: &[u8],
) -> Result<bool, StateError> {
    let Some(file) = open_file(dir, name, path)? else {
        return Ok(false);
    };
    at::holds(&file, text).map_err(StateError::io("read", path))
}

fn open_file(
    dir: BorrowedFd<'_>,
    name: &str,
    path: Named<'_>,
) -> Result<Option<OwnedFd>, StateError> {
    let file = match at::open_file(dir, OsStr::new(name), OFlag::O_RDONLY) {
        Ok(file) => file,
        Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::ELOOP) => return Err(untrusted(path, "it is a symbolic link")),
        Err(source) => return Err(StateError::io("open", path)(source)),
    };
    let stat = fstat(&file).map_err(StateError::io("stat", path))?;
    check_owner(&stat, path)?;
    // No name at all is fine: it was replaced since we opened it.
    if !at::is(&stat, SFlag::S_IFREG) || stat.st_nlink > 1 {
        return Err(untrusted(path, "it is not a plain file with one name"));
    }
    Ok(Some(file))
}

/// Replaces the file `name` as a whole: readers see the old or the new one. The caller holds the
/// directory's lock, so the temporary name is free but for what a crash left.
pub(super) fn replace(
    dir: BorrowedFd<'_>,
    name: &str,
    path: Named<'_>,
    text: &[u8],
) -> Result<(), StateError> {
    // Not of the smallest blocks, of which a launch has many in use.
    let mut temporary = String::with_capacity(96);
    temporary.extend([".", name, ".new"]);
    let temporary = OsStr::new(&temporary);
    let written = (|| {
        let created = match create_file(dir, temporary) {
            Err(Errno::EEXIST) => {
                remove_if_there(dir, temporary)?;
                create_file(dir, temporary)
            }
            other => other,
        };
        let mut file = File::from(created?);
        file.write_all(text).map_err(at::errno)?;
        nix::fcntl::renameat(dir, temporary, dir, OsStr::new(name))
    })();
    written.map_err(|source| {
        let _ = at::remove_file(dir, temporary);
        StateError::io("write", path)(source)
    })
}

/// Removes what is in `dir`, its directories too, without following a link.
pub(super) fn empty(dir: BorrowedFd<'_>, path: Named<'_>) -> Result<(), StateError> {
    empty_below(dir, MAX_DEPTH).map_err(StateError::io("empty", path))
}

/// Removes the file `name` of `dir`, if it is there.
pub(super) fn remove_if_there(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<()> {
    match at::remove_file(dir, name) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

fn empty_below(dir: BorrowedFd<'_>, depth: usize) -> nix::Result<()> {
    for (name, directory) in at::entries(dir)? {
        if !directory {
            remove_if_there(dir, &name)?;
            continue;
        }
        let below = depth.checked_sub(1).ok_or(Errno::ELOOP)?;
        empty_below(at::open_dir(dir, &name)?.as_fd(), below)?;
        at::remove_dir(dir, &name)?;
    }
    Ok(())
}

fn create_file(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let always = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    nix::fcntl::openat(dir, name, flags | always, mode)
}

fn trusted(dir: OwnedFd, path: Named<'_>) -> Result<OwnedFd, StateError> {
    let stat = fstat(&dir).map_err(StateError::io("stat", path))?;
    check_owner(&stat, path)?;
    if stat.st_mode & 0o077 != 0 {
        let mode = stat.st_mode & 0o7777;
        let reason = format!("its mode is {mode:04o}, expected 0700 (chmod 0700 it)");
        return Err(untrusted(path, &reason));
    }
    Ok(dir)
}

fn check_owner(stat: &FileStat, path: Named<'_>) -> Result<(), StateError> {
    let (owner, own) = (Uid::from_raw(stat.st_uid), geteuid());
    if owner == own {
        return Ok(());
    }
    let reason = format!("it belongs to user {owner}, expected {own}");
    Err(untrusted(path, &reason))
}

fn not_a_directory(path: Named<'_>, errno: Errno) -> StateError {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR => {
            untrusted(path, "it is a symbolic link or not a directory")
        }
        errno => StateError::io("open", path)(errno),
    }
}

fn untrusted(path: Named<'_>, reason: &str) -> StateError {
    StateError::Untrusted {
        path: path.into(),
        reason: reason.to_owned(),
    }
}
