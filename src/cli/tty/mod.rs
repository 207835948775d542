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

/// The console in raw mode; a shell of Windows sets the mode that it wants when a program was killed.
#[cfg(windows)]
pub(crate) use execdriver_windows::RawConsole as RawMode;
