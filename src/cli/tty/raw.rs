//! Raw mode, left again when the value is dropped, and by the guard if it never is.

use super::guard::Guard;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal};

/// The terminal on standard input in raw mode: every key goes to the container.
pub(crate) struct RawMode {
    saved: Termios,
    guard: Guard,
}

impl RawMode {
    /// Makes the terminal raw; `None` when standard input is no terminal.
    pub(crate) fn enter() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let saved = tcgetattr(&stdin)?;
        // The guard remembers the settings before they change.
        let guard = Guard::start()?;
        let mut raw = saved.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSADRAIN, &raw)?;
        Ok(Some(Self { saved, guard }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nobody is left to tell, and the guard tries again when this one fails.
        if tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.saved).is_ok() {
            self.guard.dismiss();
        }
    }
}
