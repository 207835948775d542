//! Fills a new tmpfs with what it will cover (`tmpcopyup`).
//!
//! What is copied is the image's: every name is opened beneath the directory that it was read from and no link is
//! followed. Owners, modes and device numbers are kept; extended attributes, times and hard links are not.

use core::ffi::CStr;

use crate::run::{Done, Failure};
use crate::sys::abi::{
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY,
    RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, S_IFDIR, S_IFLNK, S_IFREG, Stat,
};
use crate::sys::{Errno, Fd, fs};

/// One name at a time, in this file system.
const BENEATH: u64 = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
/// Deeper trees are refused: each level takes some of the stack.
const DEEPEST: usize = 64;
/// Where the name of an entry begins: `struct linux_dirent64`.
const NAME: usize = 19;

/// Copies what is in one open directory into another, and the directory's own owner; and its mode, where the mount has none.
pub(crate) fn copy(from: &Fd, to: &Fd, mode: bool) -> Done {
    let mut stat = fs::stat(from.raw())?;
    if !mode {
        stat.mode = fs::stat(to.raw())?.mode;
    }
    entries(from, to, DEEPEST)?;
    own(to, &stat)
}

fn entries(from: &Fd, to: &Fd, left: usize) -> Done {
    let left = left.checked_sub(1).ok_or(Errno::ELOOP)?;
    let mut buffer = [0u8; 2048];
    loop {
        let got = fs::entries(from.raw(), &mut buffer)?;
        let mut rest = buffer.get(..got).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        while let Some((name, next)) = first(rest) {
            if name != c"." && name != c".." {
                entry(from, to, name, left)?;
            }
            rest = next;
        }
    }
}

/// The first record's name, and the records after it.
fn first(records: &[u8]) -> Option<(&CStr, &[u8])> {
    let len: [u8; 2] = records.get(16..18)?.try_into().ok()?;
    let (record, rest) = records.split_at_checked(usize::from(u16::from_ne_bytes(len)))?;
    Some((CStr::from_bytes_until_nul(record.get(NAME..)?).ok()?, rest))
}

fn entry(from: &Fd, to: &Fd, name: &CStr, left: usize) -> Done {
    let stat = match fs::open(from.raw(), name, O_PATH | O_NOFOLLOW, BENEATH) {
        // A mount in the image's directory is not the image's.
        Err(Errno::EXDEV) => return Ok(()),
        found => fs::stat(found?.raw())?,
    };
    let made = match stat.kind() {
        S_IFDIR => {
            fs::mkdir(to.raw(), name, 0o700)?;
            let inner = fs::open(
                from.raw(),
                name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                BENEATH,
            )?;
            let made = fs::open(to.raw(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, BENEATH)?;
            entries(&inner, &made, left)?;
            made
        }
        S_IFREG => file(from, to, name)?,
        S_IFLNK => {
            let mut target = [0u8; 4096];
            let text = fs::read_link(from.raw(), name, &mut target)?;
            fs::symlink(text, to.raw(), name)?;
            let made = fs::open(to.raw(), name, O_PATH | O_NOFOLLOW, BENEATH)?;
            return Ok(fs::chown(made.raw(), stat.uid, stat.gid)?);
        }
        _ => {
            fs::mknod(to.raw(), name, stat.mode, stat.rdev)?;
            let made = fs::open(to.raw(), name, O_PATH | O_NOFOLLOW, BENEATH)?;
            return Ok(fs::chown(made.raw(), stat.uid, stat.gid)?);
        }
    };
    own(&made, &stat)
}

fn file(from: &Fd, to: &Fd, name: &CStr) -> Result<Fd, Failure> {
    let source = fs::open(
        from.raw(),
        name,
        O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
        BENEATH,
    )?;
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    let made = fs::open_mode(to.raw(), name, flags, 0o600, BENEATH)?;
    let mut buffer = [0u8; 8192];
    loop {
        let got = fs::read(source.raw(), &mut buffer)?;
        let mut rest = buffer.get(..got).unwrap_or_default();
        if rest.is_empty() {
            return Ok(made);
        }
        while !rest.is_empty() {
            let written = fs::write(made.raw(), rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
    }
}

/// The owner first: a change of it takes set-user-ID bits away.
fn own(made: &Fd, stat: &Stat) -> Done {
    fs::chown(made.raw(), stat.uid, stat.gid)?;
    Ok(fs::chmod(made.raw(), stat.mode & 0o7777)?)
}
