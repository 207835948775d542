//! What a process's standard streams are connected to.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One standard stream.
///
/// ```
/// use execdriver_core::{Capture, Pipes, Stdio};
/// let output = Capture::new(1 << 20);
/// let pipes = Pipes::default().stdout(Stdio::from(&output));
/// assert!(matches!(pipes.stdout, Stdio::Capture(_)));
/// ```
#[derive(Default)]
#[non_exhaustive]
pub enum Stdio {
    /// `/dev/null`: end of file at once, or output thrown away. A process with a terminal gets no
    /// input and no end of it, as if nobody typed.
    #[default]
    Null,
    /// The host program's own stream.
    Inherit,
    /// An open file, pipe or socket of the caller's, passed straight through to the process. For a
    /// process with a terminal it is copied from or to the terminal instead, by a thread that can
    /// be cancelled and is always joined.
    Fd(File),
    /// Input that is read on a thread. The thread, blocked in the caller's own `read`, may outlive
    /// `run`; it ends at its next return.
    Reader(Box<dyn Read + Send + 'static>),
    /// Output that is written on a thread, joined before `run` returns; dropped at end of file.
    Writer(Box<dyn Write + Send + 'static>),
    /// Output that is collected in memory, up to a bound.
    Capture(Capture),
}

impl Stdio {
    /// Input from anything that reads.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::Reader(Box::new(reader))
    }

    /// Output to anything that writes.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::Writer(Box::new(writer))
    }
}

impl From<&Capture> for Stdio {
    fn from(capture: &Capture) -> Self {
        Self::Capture(capture.clone())
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self::Fd(file)
    }
}

impl From<os_pipe::PipeReader> for Stdio {
    /// The process reads the pipe itself; no thread is between.
    fn from(pipe: os_pipe::PipeReader) -> Self {
        Self::Fd(into_file(pipe))
    }
}

impl From<os_pipe::PipeWriter> for Stdio {
    /// The process writes the pipe itself; no thread is between.
    fn from(pipe: os_pipe::PipeWriter) -> Self {
        Self::Fd(into_file(pipe))
    }
}

#[cfg(unix)]
fn into_file(pipe: impl Into<std::os::fd::OwnedFd>) -> File {
    File::from(pipe.into())
}

#[cfg(windows)]
fn into_file(pipe: impl Into<std::os::windows::io::OwnedHandle>) -> File {
    File::from(pipe.into())
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Inherit => f.write_str("Inherit"),
            Self::Fd(file) => f.debug_tuple("Fd").field(file).finish(),
            Self::Reader(_) => f.write_str("Reader"),
            Self::Writer(_) => f.write_str("Writer"),
            Self::Capture(capture) => f.debug_tuple("Capture").field(capture).finish(),
        }
    }
}

/// The three standard streams. By default all are null.
///
/// With a terminal, standard error is the terminal too and `stderr` stays unused.
///
/// ```
/// use execdriver_core::{Pipes, Stdio};
/// let pipes = Pipes::inherit().stdin(Stdio::reader(&b"hello"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Pipes {
    /// Standard input: any kind but `Writer` and `Capture`.
    pub stdin: Stdio,
    /// Standard output: any kind but `Reader`.
    pub stdout: Stdio,
    /// Standard error: any kind but `Reader`.
    pub stderr: Stdio,
}

impl Pipes {
    /// All three null.
    pub fn null() -> Self {
        Self::default()
    }

    /// All three the host program's own.
    pub fn inherit() -> Self {
        Self {
            stdin: Stdio::Inherit,
            stdout: Stdio::Inherit,
            stderr: Stdio::Inherit,
        }
    }

    /// Sets standard input.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Sets standard output.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// Sets standard error.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = stderr.into();
        self
    }

    /// Fails when a stream has a kind that its direction cannot have; for drivers.
    ///
    /// # Errors
    /// [`crate::Error::InvalidCommand`] naming the stream.
    pub fn check(&self) -> crate::Result<()> {
        let wrong = |field, wanted| Err(crate::Error::invalid(field, wanted));
        if matches!(self.stdin, Stdio::Writer(_) | Stdio::Capture(_)) {
            return wrong(
                "pipes.stdin",
                "is an output; expected null, inherit, fd or reader",
            );
        }
        if matches!(self.stdout, Stdio::Reader(_)) {
            return wrong("pipes.stdout", "is a reader; expected an output");
        }
        if matches!(self.stderr, Stdio::Reader(_)) {
            return wrong("pipes.stderr", "is a reader; expected an output");
        }
        Ok(())
    }
}

/// A bounded buffer in memory that output is collected in. Clones share it, so that one may be
/// given away and the other read; both outputs may share one.
///
/// ```
/// use execdriver_core::Capture;
/// use std::io::Write;
/// let mut capture = Capture::new(5);
/// capture.write_all(b"hello world")?; // never fails, never blocks the process
/// assert_eq!(capture.bytes(), b"hello");
/// assert!(capture.truncated());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Capture(Arc<Shared>);

struct Shared {
    limit: usize,
    captured: Mutex<Captured>,
}

/// The room that a capture makes for its first bytes: lines that come one by one want no larger block each time, and a block of this
/// size comes from a thread's own store, under no lock of the allocator's.
const FIRST: usize = 1024;

#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Capture {
    /// A buffer that keeps the first `limit` bytes and drops the rest.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            captured: Mutex::default(),
        }))
    }

    /// A copy of what was collected.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// What was collected as text, invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Whether bytes were dropped.
    pub fn truncated(&self) -> bool {
        self.lock().truncated
    }

    /// Whether the two share their bytes.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        let captured = self.0.captured.lock();
        captured.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut captured = self.lock();
        let room = self.0.limit.saturating_sub(captured.bytes.len());
        let kept = &bytes[..room.min(bytes.len())];
        if captured.bytes.capacity() == 0 && !kept.is_empty() {
            let first = self.0.limit.min(FIRST).max(kept.len());
            captured.bytes.reserve_exact(first);
        }
        captured.bytes.extend_from_slice(kept);
        captured.truncated |= kept.len() < bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("limit", &self.0.limit)
            .field("bytes", &self.lock().bytes.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_the_wrong_direction_is_refused_by_name() {
        let pipes = Pipes::null().stdin(Stdio::writer(Vec::new()));
        assert!(pipes.check().unwrap_err().to_string().contains("stdin"));
        let pipes = Pipes::null().stderr(Stdio::reader(io::empty()));
        assert!(pipes.check().unwrap_err().to_string().contains("stderr"));
        assert!(Pipes::inherit().check().is_ok());
    }

    #[test]
    fn clones_of_a_capture_share_its_bytes() {
        let capture = Capture::new(16);
        capture.clone().write_all(b"one").unwrap();
        capture.clone().write_all(b"two").unwrap();
        assert_eq!(capture.text(), "onetwo");
        assert!(!capture.truncated());
    }
}
