//! Reads the files of one cgroup after the other into one buffer.

use super::files::Files;
use super::text::number;
use crate::at;
use crate::shelf::{Lent, Shelf};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A page more than `memory.stat` has on a host of one memory node.
const ROOM: usize = 16 << 10;

/// The deepest nesting of parents that is looked at.
const PARENTS: usize = 32;

/// A cgroup's directory, its files and a buffer.
pub(super) struct Reader<'a> {
    dir: Option<BorrowedFd<'a>>,
    files: &'a mut Files,
    buffer: Lent<u8>,
}

static BUFFERS: Shelf<Vec<u8>> = Shelf::new();

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a mut Files) -> Self {
        let mut buffer = Lent::with_capacity(&BUFFERS, ROOM);
        buffer.resize(ROOM, 0);
        files.rewind();
        Self {
            dir: None,
            files,
            buffer,
        }
    }

    /// Reads of `dir` from here on.
    pub(super) fn enter(&mut self, dir: BorrowedFd<'a>) {
        self.dir = Some(dir);
    }

    /// The text of a file; `None` when it is not there or cannot be read.
    pub(super) fn text(&mut self, name: &str) -> Option<&str> {
        let length = self.files.read(self.dir?, name, &mut self.buffer).ok()?;
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
        let mut parent = self.parent(self.dir?);
        for _ in 0..PARENTS {
            let Some(dir) = parent else { break };
            let read = self.files.read_once(dir.as_fd(), name, &mut self.buffer);
            let Ok(length) = read else { break };
            let text = self.buffer.get(..length).map(std::str::from_utf8);
            let here = text.and_then(Result::ok).and_then(number);
            least = least.into_iter().chain(here).min();
            parent = self.parent(dir.as_fd());
        }
        least
    }

    fn parent(&mut self, dir: BorrowedFd<'_>) -> Option<OwnedFd> {
        let parent = at::open_parent(dir);
        parent.inspect_err(|errno| self.files.note(*errno)).ok()
    }
}
