//! How much a pipe holds: the kernel's default, until its stream proves to be a large one.

use super::end::End;
use nix::fcntl::{FcntlArg, fcntl};
use std::os::fd::{AsFd, BorrowedFd};

/// What a new pipe holds (pipe(7)).
pub(super) const DEFAULT: usize = 64 << 10;

/// The most that a pipe of ours is made to hold: what any user may ask for (pipe(7), pipe-max-size).
const MOST: usize = 1 << 20;

/// The same for an ordinary user, whose pipes all share 64 MiB: beyond them the kernel makes each
/// new one tiny (pipe(7), pipe-user-pages-soft).
const MOST_OF_USER: usize = 256 << 10;

/// A container is charged for what waits in its pipes: at most this part of its memory.
const PART_OF_MEMORY: usize = 64;

/// Moments at which the pipe was full before it is widened.
const FULL: u32 = 8;

/// What the pipes of a process may be made to hold, bytes. `memory` is the limit of its container;
/// none or a negative one is no limit.
pub(crate) fn room(root: bool, memory: Option<i64>) -> usize {
    let most = if root { MOST } else { MOST_OF_USER };
    let limit = memory.and_then(|limit| usize::try_from(limit).ok());
    match limit {
        Some(limit) if limit > 0 => (limit / PART_OF_MEMORY).clamp(DEFAULT, most),
        _ => most,
    }
}

/// The width of one pipe. The wider it is, the less often the two sides wait for each other.
#[derive(Debug)]
pub(super) struct Width {
    /// What it may be made to hold.
    room: usize,
    full: u32,
}

impl Width {
    pub(super) fn new(room: usize) -> Self {
        Self { room, full: 0 }
    }

    /// To be told whenever one side found the pipe full.
    pub(super) fn was_full(&mut self, end: &End) {
        self.full = self.full.saturating_add(1);
        if let (FULL, End::Pipe(pipe)) = (self.full, end) {
            widen(pipe.as_fd(), self.room);
        }
    }
}

/// As far as the user's limits let it: a narrow pipe is slower, and nothing else.
fn widen(pipe: BorrowedFd<'_>, room: usize) {
    let halves = std::iter::successors(Some(room), |size| Some(size / 2));
    for size in halves.take_while(|size| *size > DEFAULT) {
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        if fcntl(pipe, FcntlArg::F_SETPIPE_SZ(size)).is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(end: &End) -> i32 {
        let End::Pipe(pipe) = end else {
            panic!("it is a pipe");
        };
        fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap()
    }

    #[test]
    fn what_a_pipe_may_hold_is_small_beside_the_containers_memory() {
        assert_eq!(room(true, None), 1 << 20);
        assert_eq!(room(false, None), 256 << 10);
        assert_eq!(room(true, Some(16 << 20)), 256 << 10);
        assert_eq!(room(false, Some(1 << 20)), DEFAULT);
        assert_eq!(room(true, Some(-1)), 1 << 20);
    }

    #[test]
    fn a_pipe_is_widened_when_it_was_full_often_and_stays_so() {
        let (read, _write) = nix::unistd::pipe().unwrap();
        let end = End::Pipe(read);
        let mut width = Width::new(256 << 10);
        let before = holds(&end);
        for _ in 1..FULL {
            width.was_full(&end);
        }
        assert_eq!(holds(&end), before);
        width.was_full(&end);
        assert_eq!(holds(&end), 256 << 10);
        width.was_full(&end);
        assert_eq!(holds(&end), 256 << 10);
    }

    #[test]
    fn a_width_that_the_kernel_refuses_is_halved_until_it_is_taken() {
        let (read, _write) = nix::unistd::pipe().unwrap();
        widen(read.as_fd(), DEFAULT);
        let end = End::Pipe(read);
        let narrow = holds(&end);
        assert!(usize::try_from(narrow).unwrap() <= DEFAULT);
        let End::Pipe(read) = &end else {
            panic!("it is a pipe");
        };
        // Beyond i32 nothing is taken, whoever asks.
        widen(read.as_fd(), usize::MAX / 2);
        assert!(holds(&end) > narrow);
    }
}
