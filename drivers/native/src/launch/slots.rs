//! Low descriptors for init's end of the socket, so that a start copies little of the host's table of descriptors.
//!
//! The child copies the table up to the higher one of the two that it needs, init's program and its socket. A new socket gets
//! the lowest number that is free, which is a high one in a host with thousands of descriptors: such a socket borrows one
//! of a few that were taken at the first start, when most hosts have few. Without one it keeps its own, and the start takes longer.
//! Kernels before 6.11 may leave bits of the longer table in the copy (CVE-2024-45025): there a clone copies all, as ever.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::dup3;

use super::memfd::Program;
use crate::facts::KernelVersion;

/// As many starts as are in their clone at once on most machines.
const SLOTS: usize = 8;
/// A lower socket keeps its number: to copy so few costs less than to borrow.
const LOW: RawFd = 64;
/// From here on a number is none to be borrowed.
const HIGH: RawFd = 128;
/// How many descriptors a host must be allowed to have: with numbers below the former most of these are left to it.
const ROOMY: u64 = 256;

/// Whether a copy of the table's beginning has nothing of the rest, asked once.
pub(super) fn sharing_is_safe() -> bool {
    static SAFE: OnceLock<bool> = OnceLock::new();
    *SAFE.get_or_init(|| {
        let release = nix::sys::utsname::uname();
        let release = release.map(|name| name.release().to_string_lossy().into_owned());
        KernelVersion::parse(&release.unwrap_or_default()).at_least(6, 11)
    })
}

/// Those that nobody has borrowed: descriptors of init's program, so that they keep nothing open.
#[derive(Debug, Default)]
pub(super) struct Slots {
    free: Mutex<Vec<OwnedFd>>,
}

impl Slots {
    /// Takes them, or none where they would be of no use, or the last that the host may open.
    pub(super) fn reserve(program: &OwnedFd) -> Slots {
        let roomy = getrlimit(Resource::RLIMIT_NOFILE).is_ok_and(|(soft, _)| soft >= ROOMY);
        let copies: Vec<OwnedFd> = (0..SLOTS)
            .map_while(|_| program.try_clone().ok())
            .take_while(|copy| roomy && sharing_is_safe() && copy.as_raw_fd() < HIGH)
            .collect();
        Slots {
            free: Mutex::new(copies),
        }
    }

    fn take(&self) -> Option<OwnedFd> {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn give(&self, slot: OwnedFd) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(slot);
    }
}

/// Does `work` with a socket under a low number, or under its own if that is low or no other can be had, and closes it.
pub(super) fn with_low<T>(
    program: &Program,
    socket: OwnedFd,
    work: impl FnOnce(BorrowedFd) -> T,
) -> T {
    if socket.as_raw_fd() < LOW {
        return work(socket.as_fd());
    }
    match borrow(program, &socket) {
        Some(slot) => {
            drop(socket);
            let result = work(slot.as_fd());
            give_back(program, slot);
            result
        }
        None => work(socket.as_fd()),
    }
}

fn borrow(program: &Program, socket: &OwnedFd) -> Option<OwnedFd> {
    let mut slot = program.slots().take()?;
    if !program.is(&slot) {
        // A host that closed all its descriptors, as daemons do, has a file of its own under this number, or nothing.
        let _ = slot.into_raw_fd();
        return None;
    }
    match dup3(socket, &mut slot, OFlag::O_CLOEXEC) {
        Ok(()) => Some(slot),
        Err(_) => {
            program.slots().give(slot);
            None
        }
    }
}

/// Closes the socket, under its low number, by what was there before. A slot that cannot get that back is one less.
fn give_back(program: &Program, mut slot: OwnedFd) {
    if dup3(program.file(), &mut slot, OFlag::O_CLOEXEC).is_ok() {
        program.slots().give(slot);
    }
}
