//! Puts the payload's streams on descriptors 0, 1 and 2.

use crate::run::{Done, Failure, Init};
use crate::sys::abi::TIOCSCTTY;
use crate::sys::{Fd, fs, process, socket};
use crate::wire::{Detail, TERMINAL_SLOT};

/// Copies three slots onto 0, 1 and 2. No slot lies there itself: the socket held these numbers while slots were filled.
pub(crate) fn stdio(init: &mut Init, slots: [u16; 3]) -> Done {
    for (target, slot) in (0..).zip(slots) {
        let from = if slot == TERMINAL_SLOT {
            init.terminal
                .as_ref()
                .map(Fd::raw)
                .ok_or(Failure::of(Detail::BadMessage))?
        } else {
            init.slot(slot)?
        };
        fs::dup_to(from, target)?;
    }
    Ok(())
}

/// Starts a session, and makes descriptor 0 its controlling terminal when asked.
pub(crate) fn session(controlling_terminal: bool) -> Done {
    process::setsid()?;
    if controlling_terminal {
        socket::ioctl_number(0, TIOCSCTTY, 0)?;
    }
    Ok(())
}
