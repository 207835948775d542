//! What the copier threads of a console share, and how one is started.

use super::{Action, Finished, Stream, StreamError};
use std::any::Any;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Bytes a copier moves at once: enough for what people type and read, then what a Linux pipe holds
/// by default (pipe(7)), then what keeps a large stream going.
const SIZES: [usize; 3] = [8 << 10, 64 << 10, 256 << 10];

/// Copiers run the caller's readers and writers, whose need of stack is unknown; pages that are
/// never touched cost nothing.
const STACK: usize = 512 * 1024;

/// What a copier reads into: small until the stream fills it.
pub(super) struct Chunk {
    bytes: Vec<u8>,
    got: usize,
}

impl Chunk {
    pub(super) fn new() -> Self {
        let [small, ..] = SIZES;
        Self {
            bytes: vec![0; small],
            got: 0,
        }
    }

    /// Reads once; into a larger one after a read that filled it.
    pub(super) fn read(&mut self, source: &mut dyn Read) -> io::Result<&[u8]> {
        if self.is_full()
            && let Some(larger) = SIZES.iter().find(|size| **size > self.bytes.len())
        {
            self.bytes = vec![0; *larger];
        }
        loop {
            match source.read(&mut self.bytes) {
                Ok(got) => {
                    self.got = got.min(self.bytes.len());
                    return Ok(&self.bytes[..self.got]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a large stream is under way: more is waiting for sure.
    pub(super) fn flows(&self) -> bool {
        let [.., large] = SIZES;
        self.got == large
    }

    fn is_full(&self) -> bool {
        self.got == self.bytes.len()
    }
}

/// What the copiers of one console report to it.
#[derive(Default)]
pub(super) struct Shared {
    input_cancelled: AtomicBool,
    outputs_cancelled: AtomicBool,
    progress: AtomicU64,
    finished: Mutex<Finished>,
}

impl Shared {
    pub(super) fn cancel_input(&self) {
        self.input_cancelled.store(true, Ordering::SeqCst);
    }

    pub(super) fn cancel_outputs(&self) {
        self.outputs_cancelled.store(true, Ordering::SeqCst);
    }

    fn cancelled(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdin => self.input_cancelled.load(Ordering::SeqCst),
            Stream::Stdout | Stream::Stderr => self.outputs_cancelled.load(Ordering::SeqCst),
        }
    }

    /// Counts anything that was written; only a change of it matters.
    pub(super) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn truncate(&self) {
        self.lock().truncated = true;
    }

    /// Notes a failure, unless it is one that a cancellation brings about.
    pub(super) fn fail(&self, stream: Stream, action: Action, source: io::Error) {
        let cancelled = self.cancelled(stream)
            && (action == Action::Read || source.kind() == io::ErrorKind::TimedOut);
        match (cancelled, stream) {
            (true, Stream::Stdin) => {}
            (true, Stream::Stdout | Stream::Stderr) => self.truncate(),
            (false, _) => self.lock().errors.push(StreamError {
                stream,
                action,
                source,
            }),
        }
    }

    pub(super) fn take(&self) -> Finished {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Finished> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a named thread.
pub(super) fn start(
    stream: Stream,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // Linux shows 15 bytes of a thread's name (prctl(2), PR_SET_NAME).
    let name = match stream {
        Stream::Stdin => "execdriver-in",
        Stream::Stdout => "execdriver-out",
        Stream::Stderr => "execdriver-err",
    };
    Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(work)
}

/// Runs code of the caller's; a panic becomes an error.
pub(super) fn guarded<T>(code: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|panic| {
        let text = format!("the caller's code panicked: {}", message(panic.as_ref()));
        Err(io::Error::other(text))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
