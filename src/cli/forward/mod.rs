//! The signals of this program, handed on to the container.

#[cfg(unix)]
mod signals;

#[cfg(unix)]
pub(crate) use signals::start;

#[cfg(windows)]
mod console;

#[cfg(windows)]
pub(crate) use console::start;
