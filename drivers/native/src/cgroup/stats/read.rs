//! Reads the files of one cgroup after the other into one buffer.

use super::text::number;
use crate::at;
use crate::shelf::{Lent, Shelf};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A page more than `memory.stat` has on a host of one memory node.
const ROOM: usize = 16 << 10;

/// The most that is read of a file: `io.stat` of thousands of devices.
const MOST: usize = 4 << 20;

/// The deepest nesting of parents that is looked at.
const PARENTS: usize = 32;

/// A cgroup's directory and a buffer.
pub(super) struct Reader<'a> {
    dir: Option<BorrowedFd<'a>>,
    buffer: Lent<u8>,
}

static BUFFERS: Shelf<Vec<u8>> = Shelf::new();

impl<'a> Reader<'a> {
    pub(super) fn new() -> Self {
        let mut buffer = Lent::with_capacity(&BUFFERS, ROOM);
        buffer.resize(ROOM, 0);
        Self { dir: None, buffer }
    }

    /// Reads of `dir` from here on.
    pub(super) fn enter(&mut self, dir: BorrowedFd<'a>) {
        self.dir = Some(dir);
    }

    /// The text of a file; `None` when it is not there or cannot be read.
    pub(super) fn text(&mut self, name: &str) -> Option<&str> {
        let length = self.read(self.dir?, name).ok()?;
        std::str::from_utf8(self.buffer.get(..length)?).ok()
    }

    /// The same to keep while another file is read; empty when there is none.
    pub(super) fn owned(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// A file of one number; 0 when it is not there, or says `max`.
    pub(super) fn number(&mut self, name: &str) -> u64 {
        self.text(name).and_then(number).unwrap_or(0)
    }

    /// The least number in the file of this name here and in all parents: the limit in force.
    /// The root has no such file. Directories of cgroups cannot be moved, so `..` is the parent.
    pub(super) fn least_of_parents(&mut self, name: &str) -> Option<u64> {
        let mut least = self.text(name).and_then(number);
        let mut parent = at::open_parent(self.dir?);
        for _ in 0..PARENTS {
            let Ok(dir) = parent else { break };
            let Ok(length) = self.read(dir.as_fd(), name) else {
                break;
            };
            let text = self.buffer.get(..length).map(std::str::from_utf8);
            let here = text.and_then(Result::ok).and_then(number);
            least = least.into_iter().chain(here).min();
            parent = at::open_parent(dir.as_fd());
        }
        least
    }

    /// One call reads all of a cgroup's file when there is room for it, since it is one record
    /// for the kernel: less than asked for is the whole.
    fn read(&mut self, dir: BorrowedFd<'_>, name: &str) -> nix::Result<usize> {
        loop {
            let file = open(dir, name)?;
            let length = nix::unistd::read(&file, &mut self.buffer)?;
            if length < self.buffer.len() {
                return Ok(length);
            }
            if length >= MOST {
                return Err(Errno::EFBIG);
            }
            self.buffer.resize(length * 4, 0);
        }
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
