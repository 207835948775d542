//! The files of one reading, which may stay open for the next one.

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The most that is read of a file: `io.stat` of thousands of devices.
const MOST: usize = 4 << 20;

/// Files by their directory's descriptor and their name, in the order in which a reading asks for them.
#[derive(Debug, Default)]
pub(in crate::cgroup) struct Files {
    /// Stay open when their descriptor is below this one.
    bound: RawFd,
    kept: Vec<(RawFd, String, OwnedFd)>,
    /// Where the next one that is asked for is expected.
    next: usize,
    lost: bool,
    exhausted: Option<Errno>,
}

impl Files {
    /// Files that stay open where their descriptors are below `bound`; the others are closed as soon as they are read.
    pub(in crate::cgroup) fn kept_below(bound: RawFd) -> Self {
        Self {
            bound,
            ..Self::default()
        }
    }

    /// Begins a reading.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }

    /// Whether a file that was open could not be read any more: its cgroup, or its controller, is gone.
    pub(in crate::cgroup) fn are_lost(&self) -> bool {
        self.lost
    }

    /// Whether any stays open.
    pub(in crate::cgroup) fn are_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    /// What kept a file from being opened that is there: what it counts is not zero.
    pub(in crate::cgroup) fn exhausted(&self) -> Option<Errno> {
        self.exhausted
    }

    /// Reads a file into `buffer`, which grows when it has to, and tells how long it is. `dir` stays open as long as these do.
    pub(super) fn read(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &str,
        buffer: &mut Vec<u8>,
    ) -> nix::Result<usize> {
        if let Some(at) = self.find(dir.as_raw_fd(), name) {
            self.next = at + 1;
            let (_, _, file) = &self.kept[at];
            let length = read(file, buffer);
            self.lost |= length.is_err();
            return length;
        }
        let file = open(dir, name).inspect_err(|errno| self.note(*errno))?;
        let length = read(&file, buffer)?;
        if file.as_raw_fd() < self.bound {
            self.kept.push((dir.as_raw_fd(), name.to_owned(), file));
            self.next = self.kept.len();
        }
        Ok(length)
    }

    /// Reads a file of a directory that does not stay open.
    pub(super) fn read_once(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &str,
        buffer: &mut Vec<u8>,
    ) -> nix::Result<usize> {
        let file = open(dir, name).inspect_err(|errno| self.note(*errno))?;
        read(&file, buffer)
    }

    /// Why something could not be opened.
    pub(super) fn note(&mut self, errno: Errno) {
        if matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) {
            self.exhausted = Some(errno);
        }
    }

    fn find(&self, dir: RawFd, name: &str) -> Option<usize> {
        let is = |(of, called, _): &(RawFd, String, OwnedFd)| *of == dir && called == name;
        let expected = Some(self.next).filter(|at| self.kept.get(*at).is_some_and(is));
        expected.or_else(|| self.kept.iter().position(is))
    }
}

/// One call reads all of a cgroup's file when there is room for it, since it is one record for the kernel, made anew by each
/// reading from its start: less than asked for is the whole.
fn read(file: &OwnedFd, buffer: &mut Vec<u8>) -> nix::Result<usize> {
    loop {
        let length = pread(file, buffer, 0)?;
        if length < buffer.len() {
            return Ok(length);
        }
        if length >= MOST {
            return Err(Errno::EFBIG);
        }
        buffer.resize(length * 4, 0);
    }
}

/// The file `name`, one of ours without a `/`, by a copy of its name that needs no allocation.
fn open(dir: BorrowedFd<'_>, name: &str) -> nix::Result<OwnedFd> {
    let mut room = [0; 64];
    let copy = room.get_mut(..name.len()).filter(|_| name.len() < 64);
    copy.ok_or(Errno::ENAMETOOLONG)?
        .copy_from_slice(name.as_bytes());
    let name = CStr::from_bytes_until_nul(&room).map_err(|_| Errno::ENAMETOOLONG)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}
