//! The master side of a process's terminal.

use super::end::Event;
use super::{Result, StdioError, nonblocking};
use crate::sys::tty;
use execdriver_core::console::Stream;
use execdriver_core::{Error, Terminal, WindowSize, terminal};
use nix::sys::termios::{
    InputFlags, LocalFlags, SpecialCharacterIndices as Special, Termios, tcgetattr,
};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// The master, shared by its copiers and whoever resizes. A lock keeps a closed descriptor's
/// number, which the kernel gives to the next file, from being used as the terminal's.
pub(super) struct Master {
    id: String,
    open: RwLock<Option<Open>>,
}

struct Open {
    fd: OwnedFd,
    /// Makes those who wait for the master let go of it.
    hangup: Event,
}

/// The master, kept open while this lives.
pub(super) struct Guard<'a>(RwLockReadGuard<'a, Option<Open>>);

impl Guard<'_> {
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|open| open.fd.as_fd())
    }

    pub(super) fn hangup(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|open| open.hangup.as_fd())
    }
}

impl Master {
    /// Takes the master of the process that `id` names.
    pub(super) fn new(id: &str, fd: OwnedFd) -> Result<Self> {
        // Nobody but us has this open file: the process only has the other side.
        nonblocking(&fd, Stream::Stdout)?;
        let hangup = Event::new().map_err(|e| StdioError::new("make an eventfd", e))?;
        Ok(Self {
            id: id.to_owned(),
            open: RwLock::new(Some(Open { fd, hangup })),
        })
    }

    pub(super) fn hold(&self) -> Guard<'_> {
        Guard(self.open.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What to write so that the process reads an end of file, after `last` was written: the
    /// terminal's own end-of-file character, and twice when a line is open, because the first
    /// then only hands over that line (termios(3), VEOF).
    pub(super) fn end_of_file(&self, last: Option<u8>) -> Vec<u8> {
        let guard = self.hold();
        // tcgetattr on a master tells the slave's settings.
        let Some(Ok(termios)) = guard.fd().map(tcgetattr) else {
            return Vec::new();
        };
        match char_of(&termios, Special::VEOF) {
            // _POSIX_VDISABLE: the process wants none.
            0 => Vec::new(),
            eof if line_is_open(&termios, last) => vec![eof; 2],
            eof => vec![eof],
        }
    }
}

fn char_of(termios: &Termios, special: Special) -> u8 {
    termios.control_chars[special as usize]
}

fn line_is_open(termios: &Termios, last: Option<u8>) -> bool {
    let Some(last) = last.filter(|_| termios.local_flags.contains(LocalFlags::ICANON)) else {
        return false;
    };
    let ends = [Special::VEOF, Special::VEOL, Special::VEOL2].map(|s| char_of(termios, s));
    let newline = last == b'\n' || last == b'\r' && termios.input_flags.contains(InputFlags::ICRNL);
    !newline && (last == 0 || !ends.contains(&last))
}

impl Terminal for Master {
    fn resize(&self, size: WindowSize) -> execdriver_core::Result<()> {
        let guard = self.hold();
        let fd = guard.fd().ok_or_else(|| terminal::closed(&self.id))?;
        tty::set_window_size(fd, size.rows, size.columns).map_err(|source| Error::Driver {
            driver: "native".to_owned(),
            operation: format!("set the window size of {:?} to {size}", self.id),
            source: Some(Box::new(source)),
        })
    }

    fn close(&self) -> execdriver_core::Result<()> {
        if let Some(open) = self.hold().0.as_ref() {
            open.hangup.happen();
        }
        let closed = self
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(closed);
        Ok(())
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("id", &self.id)
            .field("open", &self.hold().fd().is_some())
            .finish()
    }
}
