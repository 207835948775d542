//! The words of a console: which stream, whose end, what went wrong with it.

use std::fs::File;
use std::io::{self, Read, Write};

/// A standard stream of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard input.
    Stdin,
    /// Standard output, or all output of a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stdin => "standard input",
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        })
    }
}

/// What a copier was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Taking bytes from where they come from.
    Read,
    /// Handing them on.
    Write,
}

/// A stream of which bytes were lost because a read or a write failed.
///
/// ```
/// use execdriver_core::console::{Action, Stream, StreamError};
/// let error = StreamError {
///     stream: Stream::Stdout,
///     action: Action::Write,
///     source: std::io::ErrorKind::StorageFull.into(),
/// };
/// assert_eq!(error.to_string(), "write standard output of the process to its receiver");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(*stream, *action))]
pub struct StreamError {
    /// The stream.
    pub stream: Stream,
    /// What failed.
    pub action: Action,
    /// Why.
    pub source: io::Error,
}

fn describe(stream: Stream, action: Action) -> String {
    match (stream, action) {
        (Stream::Stdin, Action::Read) => "read input for the process from its source".to_owned(),
        (Stream::Stdin, Action::Write) => "write standard input of the process".to_owned(),
        (_, Action::Read) => format!("read {stream} of the process"),
        (_, Action::Write) => format!("write {stream} of the process to its receiver"),
    }
}

/// Where a process's input comes from.
pub enum Source {
    /// A source of the driver's, whose `read` fails after [`Cancel::cancel`](super::Cancel) of the
    /// input. Its thread is always joined.
    Cancellable(Box<dyn Read + Send>),
    /// The caller's own. Its thread may outlive the console while it is blocked in `read`.
    Blocking(Box<dyn Read + Send>),
}

/// The driver's end of a process's standard input. It is dropped at the end of the input, at the
/// latest when the console is finished; after [`Cancel::cancel`](super::Cancel) its writes fail.
pub trait InputEnd: Write + Send {
    /// Tells the process that its input has ended, where dropping the end does not: a terminal.
    ///
    /// # Errors
    /// What the operating system said.
    fn end_of_input(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl InputEnd for File {}
impl InputEnd for os_pipe::PipeWriter {}
impl InputEnd for crate::Capture {}

/// The driver's ends of a process's streams; `None` for one that needs no copying.
#[derive(Default)]
pub struct Streams {
    /// What the process reads.
    pub stdin: Option<Box<dyn InputEnd>>,
    /// What the process writes to its standard output or terminal.
    pub stdout: Option<Box<dyn Read + Send>>,
    /// What the process writes to its standard error.
    pub stderr: Option<Box<dyn Read + Send>>,
}
