//! The caller's own terminal: made raw for `-t`, measured, and always put back.

#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod raw;

use execdriver::WindowSize;
use std::process::ExitCode;

/// The hidden verb that [`guard`] runs under.
pub(crate) const GUARD_VERB: &str = "__tty-guard";

#[cfg(unix)]
pub(crate) use raw::RawMode;

/// Waits for the owner of the terminal to end, and puts the terminal back if it did not do so.
pub(crate) fn guard() -> ExitCode {
    #[cfg(unix)]
    guard::main();
    ExitCode::SUCCESS
}

/// The size of the caller's terminal, if it has one.
pub(crate) fn window_size() -> Option<WindowSize> {
    let (width, height) = terminal_size::terminal_size()?;
    Some(WindowSize {
        rows: height.0,
        columns: width.0,
    })
}

/// A terminal that is never raw, where raw mode is not known.
#[cfg(not(unix))]
pub(crate) struct RawMode;

#[cfg(not(unix))]
impl RawMode {
    /// Does nothing.
    pub(crate) fn enter() -> std::io::Result<Option<Self>> {
        Ok(None)
    }
}
