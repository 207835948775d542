//! Files named by a directory's descriptor and one name: nothing is ever resolved twice.
//!
//! Every call takes a single path component and refuses to follow a symbolic link in it, so a
//! directory that somebody swaps while we work cannot lead us elsewhere. One component needs no
//! `openat2(2)`: `O_NOFOLLOW` already says it all, on every kernel.

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::borrow::Cow;
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Opens the directory at a path of the host (symbolic links in its parents are followed, in its
/// last component not).
pub(crate) fn open_root(path: &Path) -> nix::Result<OwnedFd> {
    nix::fcntl::open(path, DIRECTORY, Mode::empty())
}

/// Opens the directory at a path of the host on which no component is a symbolic link.
pub(crate) fn open_straight(path: &Path) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(DIRECTORY);
    let links = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    openat2(AT_FDCWD, path, how.resolve(links))
}

/// Opens the directory `name` of `dir`.
pub(crate) fn open_dir(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(dir, component(name)?, DIRECTORY, Mode::empty())
}

/// Opens `dir` once more: a descriptor with a position and a lock of its own.
pub(crate) fn reopen(dir: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    openat(dir, c".", DIRECTORY, Mode::empty())
}

/// Opens the parent of `dir`. Only for file systems whose directories do not move (cgroups).
pub(crate) fn open_parent(dir: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    openat(dir, c"..", DIRECTORY, Mode::empty())
}

/// Opens the existing file `name` of `dir`, never a symbolic link; a FIFO does not block.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &OsStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let always = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    openat(dir, component(name)?, flags | always, Mode::empty())
}

/// Opens the file `name` of a process in the host's `/proc`.
///
/// Its path is on the stack: it is asked when the allocator's locks have had time to be taken by the host's other threads.
pub(crate) fn open_process_file(pid: u32, name: &str) -> nix::Result<OwnedFd> {
    let mut path = [0; 32];
    write!(&mut path[..], "/proc/{pid}/{name}\0").map_err(|_| Errno::ENAMETOOLONG)?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::ENAMETOOLONG)?;
    nix::fcntl::open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Creates the directory `name` in `dir`, for its owner only.
pub(crate) fn make_dir(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> nix::Result<()> {
    mkdirat(dir, component(name)?, Mode::from_bits_truncate(mode))
}

/// Removes the empty directory `name` of `dir`.
pub(crate) fn remove_dir(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<()> {
    unlinkat(dir, component(name)?, UnlinkatFlags::RemoveDir)
}

/// Removes the file `name` of `dir`.
pub(crate) fn remove_file(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<()> {
    unlinkat(dir, component(name)?, UnlinkatFlags::NoRemoveDir)
}

/// What `name` of `dir` is, without following it.
pub(crate) fn stat(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<FileStat> {
    fstatat(dir, component(name)?, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// Device and inode of an open file.
pub(crate) fn identity(file: impl AsFd) -> nix::Result<(u64, u64)> {
    fstat(file).map(|stat| (stat.st_dev, stat.st_ino))
}

/// Reads the file `name` of `dir`, at most `max` bytes; a longer one is `EFBIG`.
pub(crate) fn read(dir: BorrowedFd<'_>, name: &OsStr, max: usize) -> nix::Result<Vec<u8>> {
    let file = open_file(dir, name, OFlag::O_RDONLY)?;
    read_all(File::from(file), max)
}

/// Reads an open file to its end, at most `max` bytes; a longer one is `EFBIG`.
///
/// Into the stack first, as [`record_of`].
#[inline(never)]
pub(crate) fn read_all(file: File, max: usize) -> nix::Result<Vec<u8>> {
    let mut page = [0; 4096];
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut file = file.take(limit);
    let mut used = 0;
    while let Some(room) = page.get_mut(used..).filter(|room| !room.is_empty()) {
        match file.read(room).map_err(errno) {
            Err(Errno::EINTR) => {}
            Ok(0) => break,
            got => used += got?,
        }
    }
    let mut text = page.get(..used).unwrap_or_default().to_vec();
    if used == page.len() {
        file.read_to_end(&mut text).map_err(errno)?;
    }
    if text.len() > max {
        return Err(Errno::EFBIG);
    }
    Ok(text)
}

/// Reads a file that the kernel makes as one record (of cgroups, of a process), as [`read`] does: a
/// read that gives less than it has room for has given the rest, so none asks for the end.
pub(crate) fn read_record(dir: BorrowedFd<'_>, name: &OsStr, max: usize) -> nix::Result<Vec<u8>> {
    record_of(&open_file(dir, name, OFlag::O_RDONLY)?, max)
}

/// The same of an open file.
///
/// Into the stack first: most are of a few bytes, and blocks of more than 1 KiB have the threads of a host wait for each
/// other in the C library's allocator.
#[inline(never)]
pub(crate) fn record_of(file: &OwnedFd, max: usize) -> nix::Result<Vec<u8>> {
    record_in(file, &mut [0; 4096], max).map(Cow::into_owned)
}

/// The same, left in the caller's page where it has room for it.
pub(crate) fn record_in<'a>(
    file: &OwnedFd,
    page: &'a mut [u8; 4096],
    max: usize,
) -> nix::Result<Cow<'a, [u8]>> {
    let most = max.saturating_add(1).min(page.len());
    let room = page.get_mut(..most).unwrap_or_default();
    let (room, mut used) = (room.len(), nix::unistd::read(file, room)?);
    let first = page.get(..used).unwrap_or_default();
    if used < room {
        return Ok(Cow::Borrowed(first));
    }
    let mut text = first.to_vec();
    let mut full = true;
    while full && used <= max {
        text.resize((used * 4).min(max + 1), 0);
        let room = text.get_mut(used..).unwrap_or_default();
        let (room, got) = (room.len(), nix::unistd::read(file, room)?);
        used += got;
        full = got == room;
    }
    if used > max {
        return Err(Errno::EFBIG);
    }
    text.truncate(used);
    Ok(Cow::Owned(text))
}

/// Whether an open file has just this text, of less than a page.
pub(crate) fn holds(file: &OwnedFd, text: &[u8]) -> nix::Result<bool> {
    let mut page = [0; 4096];
    let Some(room) = page.get_mut(..=text.len()) else {
        return Ok(false);
    };
    let used = nix::unistd::read(file, room)?;
    Ok(page.get(..used) == Some(text))
}

/// What the sibling `name` of `dir` is: in file systems whose directories do not move (cgroups).
pub(crate) fn stat_sibling(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<FileStat> {
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
    fstatat(dir, sibling(name, &mut [0; SIBLING])?, flags)
}

/// Removes the empty sibling directory `name` of `dir`, itself perhaps: as [`stat_sibling`].
pub(crate) fn remove_sibling(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<()> {
    let mut room = [0; SIBLING];
    unlinkat(dir, sibling(name, &mut room)?, UnlinkatFlags::RemoveDir)
}

/// Whether a directory has none in it, as far as its count of links says so: `..` of each is one,
/// in cgroups as in most file systems. False where it counts otherwise.
pub(crate) fn has_no_directory(dir: BorrowedFd<'_>) -> bool {
    fstat(dir).is_ok_and(|stat| stat.st_nlink == 2)
}

/// Writes `text` to the existing file `name` of `dir` in one call, as kernel files want it.
pub(crate) fn write(dir: BorrowedFd<'_>, name: &OsStr, text: &[u8]) -> nix::Result<()> {
    let mut file = File::from(open_file(dir, name, OFlag::O_WRONLY)?);
    file.write_all(text).map_err(errno)
}

/// The names in `dir` and whether each is a directory, without `.` and `..`.
pub(crate) fn entries(dir: BorrowedFd<'_>) -> nix::Result<Vec<(OsString, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::from_fd(reopen(dir)?)? {
        let entry = entry?;
        let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
        if name == "." || name == ".." {
            continue;
        }
        let directory = match entry.file_type() {
            Some(kind) => kind == Type::Directory,
            // Some file systems do not say: ask.
            None => stat(dir, &name).is_ok_and(|stat| is(&stat, SFlag::S_IFDIR)),
        };
        found.push((name, directory));
    }
    Ok(found)
}

/// The names of the directories in `dir`.
pub(crate) fn subdirectories(dir: BorrowedFd<'_>) -> nix::Result<Vec<OsString>> {
    let all = entries(dir)?;
    let directories = all.into_iter().filter(|(_, directory)| *directory);
    let mut names = Vec::with_capacity(directories.size_hint().1.unwrap_or_default());
    names.extend(directories.map(|(name, _)| name));
    Ok(names)
}

/// Whether a file is of this kind.
pub(crate) fn is(stat: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == kind
}

/// The errno of an I/O error, `EIO` when it has none.
pub(crate) fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Room for `../` and the longest name (`NAME_MAX`).
const SIBLING: usize = 3 + 255;

/// The way to a sibling, in the caller's room: one is looked for and removed in every hierarchy of cgroups.
fn sibling<'a>(name: &OsStr, room: &'a mut [u8; SIBLING]) -> nix::Result<&'a OsStr> {
    let name = component(name)?.as_bytes();
    let whole = room.get_mut(..3 + name.len()).ok_or(Errno::ENAMETOOLONG)?;
    let (up, rest) = whole.split_at_mut(3);
    up.copy_from_slice(b"../");
    rest.copy_from_slice(name);
    Ok(OsStr::from_bytes(whole))
}

/// A name that cannot lead out of its directory. One with a NUL byte is `EINVAL` when the kernel's form of it is made.
fn component(name: &OsStr) -> nix::Result<&OsStr> {
    let bytes = name.as_bytes();
    let leads_out = bytes.is_empty() || bytes == b"." || bytes == b"..";
    match leads_out || bytes.contains(&b'/') {
        true => Err(Errno::EINVAL),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_refused_before_the_kernel_sees_it() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = open_root(temporary.path()).unwrap();
        for bad in ["", ".", "..", "a/b", "/etc", "a\0b"] {
            let got = open_dir(dir.as_fd(), OsStr::new(bad)).unwrap_err();
            assert_eq!(got, Errno::EINVAL, "{bad:?}");
        }
    }

    #[test]
    fn a_symbolic_link_is_never_followed() {
        let temporary = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", temporary.path().join("d")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", temporary.path().join("f")).unwrap();
        let dir = open_root(temporary.path()).unwrap();
        assert!(open_dir(dir.as_fd(), OsStr::new("d")).is_err());
        let got = read(dir.as_fd(), OsStr::new("f"), 1 << 20);
        assert_eq!(got.unwrap_err(), Errno::ELOOP);
        assert!(open_root(&temporary.path().join("d")).is_err());
    }

    #[test]
    fn a_file_longer_than_its_bound_is_an_error_and_not_a_prefix() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(temporary.path().join("f"), "12345").unwrap();
        let dir = open_root(temporary.path()).unwrap();
        let name = OsStr::new("f");
        assert_eq!(read(dir.as_fd(), name, 5).unwrap(), b"12345");
        assert_eq!(read(dir.as_fd(), name, 4).unwrap_err(), Errno::EFBIG);
        assert_eq!(read_record(dir.as_fd(), name, 5).unwrap(), b"12345");
        let got = read_record(dir.as_fd(), name, 4);
        assert_eq!(got.unwrap_err(), Errno::EFBIG);
    }

    #[test]
    fn a_record_that_outgrows_the_first_room_is_read_whole() {
        let temporary = tempfile::tempdir().unwrap();
        for length in [0, 1, 4095, 4096, 4097, 40_000] {
            let text = vec![b'x'; length];
            std::fs::write(temporary.path().join("f"), &text).unwrap();
            let dir = open_root(temporary.path()).unwrap();
            let got = read_record(dir.as_fd(), OsStr::new("f"), 1 << 16).unwrap();
            assert!(got == text, "{length}");
        }
    }

    #[test]
    fn a_sibling_is_found_and_removed_by_its_one_name() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temporary.path().join("a/b")).unwrap();
        let top = open_root(temporary.path()).unwrap();
        let a = open_dir(top.as_fd(), OsStr::new("a")).unwrap();
        let b = open_dir(a.as_fd(), OsStr::new("b")).unwrap();
        let name = OsStr::new("b");
        let found = stat_sibling(b.as_fd(), name).unwrap();
        assert_eq!((found.st_dev, found.st_ino), identity(&b).unwrap());
        for bad in ["..", "b/..", "."] {
            let got = remove_sibling(b.as_fd(), OsStr::new(bad));
            assert_eq!(got, Err(Errno::EINVAL), "{bad}");
        }
        remove_sibling(b.as_fd(), name).unwrap();
        assert!(!temporary.path().join("a/b").exists());
    }
}
