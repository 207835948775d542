//! The container's terminal as its host sees it.

use crate::{Error, Result};

/// The size of a terminal's window in characters.
///
/// ```
/// use execdriver_core::WindowSize;
/// let size = WindowSize { rows: 33, columns: 77 };
/// assert_eq!(size.to_string(), "33x77");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

impl std::fmt::Display for WindowSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.rows, self.columns)
    }
}

/// A process's terminal, or the want of one. Shared between the thread in `run` and whoever
/// resizes.
///
/// ```
/// use execdriver_core::{Terminal, WindowSize, terminal::NoTerminal};
/// // A process without a terminal takes a resize and nothing happens.
/// NoTerminal.resize(WindowSize { rows: 24, columns: 80 })?;
/// # Ok::<(), execdriver_core::Error>(())
/// ```
pub trait Terminal: Send + Sync + std::fmt::Debug {
    /// Tells the process that its window has this size.
    ///
    /// # Errors
    /// After [`Terminal::close`] a typed error, never another file's descriptor.
    fn resize(&self, size: WindowSize) -> Result<()>;

    /// Gives the terminal up; the session on it is hung up. Closing twice is harmless.
    ///
    /// # Errors
    /// What the operating system said.
    fn close(&self) -> Result<()>;
}

/// The terminal of a process that has none: everything succeeds without effect.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTerminal;

impl Terminal for NoTerminal {
    fn resize(&self, _size: WindowSize) -> Result<()> {
        Ok(())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// The error of a terminal that was closed.
pub fn closed(id: &str) -> Error {
    Error::NotRunning { id: id.to_owned() }
}
