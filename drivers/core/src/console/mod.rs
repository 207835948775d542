//! The console of a process: threads that copy between its streams and the caller's.
//!
//! A driver makes the process's streams, keeps the host's ends and hands these to a
//! [`StdConsole`] together with what the caller gave. Every stream that needs copying gets one
//! thread; a stream that the driver passed straight through, or that is null, gets none. No copier
//! thread, and no end of a stream, outlives [`StdConsole::finish`], with one exception: a thread
//! that is blocked in the caller's own `read` ends at its next return.

mod copier;
mod input;
mod output;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::{Action, InputEnd, Source, Stream, StreamError, Streams};

use crate::{Error, Pipes, Result, Stdio, Terminal, WindowSize};
use copier::Shared;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use input::Input;
use output::Output;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a cancellable sink may take nothing, once the process and the grace are over, before
/// the copier gives up on it.
const STALL: Duration = Duration::from_secs(5);

/// A driver's way to free its copiers from a blocking call. Each call is made at most a few times,
/// from any thread, and holds for the future too.
pub trait Cancel: Send + Sync {
    /// Makes every pending and later call on that side return.
    fn cancel(&self, side: Side);
}

/// Ends that never block need no cancelling.
impl Cancel for () {
    fn cancel(&self, _side: Side) {}
}

/// What [`Cancel::cancel`] frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Reads of a [`Source::Cancellable`] and writes to the process's standard input fail, the
    /// writes with [`io::ErrorKind::TimedOut`].
    Input,
    /// Reads of the process's outputs return what is there already, up to a bound of the driver's,
    /// then fail; an end of file behind it is still an end of file.
    Output,
    /// Writes to the driver's own sinks fail with [`io::ErrorKind::TimedOut`]: an open file that
    /// it copies a terminal to. A caller's [`Stdio::Writer`] cannot be cancelled.
    Sink,
}

/// What [`StdConsole::finish`] has to tell.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Finished {
    /// Whether output was lost on purpose: beyond the cap, or held back past the grace.
    pub truncated: bool,
    /// The first failure of each stream. The rest of a failed output was read and dropped, so that
    /// the process never blocked on it.
    pub errors: Vec<StreamError>,
}

/// The copiers of one process, and its terminal.
///
/// ```
/// use execdriver_core::console::{StdConsole, Streams};
/// use execdriver_core::{Capture, Pipes, terminal::NoTerminal};
/// use std::{sync::Arc, time::Duration};
///
/// let (theirs, ours) = (&b"from the process"[..], Capture::new(1 << 20));
/// let console = StdConsole::attach(
///     Streams { stdout: Some(Box::new(theirs)), ..Streams::default() },
///     Pipes::null().stdout(&ours),
///     None,
///     Arc::new(NoTerminal),
///     Box::new(()),
/// )?;
/// let finished = console.finish(Duration::from_secs(1));
/// assert!(!finished.truncated);
/// assert_eq!(ours.text(), "from the process");
/// # Ok::<(), execdriver_core::Error>(())
/// ```
pub struct StdConsole {
    terminal: Arc<dyn Terminal>,
    cancel: Box<dyn Cancel>,
    shared: Arc<Shared>,
    input: Option<Input>,
    outputs: Vec<JoinHandle<()>>,
    /// Each output copier holds a clone of the sender; the channel disconnects with the last.
    running: Option<Sender<()>>,
    ended: Receiver<()>,
}

impl StdConsole {
    /// A console without copiers.
    pub fn new(terminal: Arc<dyn Terminal>, cancel: Box<dyn Cancel>) -> Self {
        let (running, ended) = crossbeam_channel::bounded(0);
        Self {
            terminal,
            cancel,
            shared: Arc::default(),
            input: None,
            outputs: Vec::new(),
            running: Some(running),
            ended,
        }
    }

    /// A console that copies between the driver's ends and everything in `pipes`: for drivers that
    /// cannot pass an open file to a process, `Fd` and `Inherit` are copied like readers and
    /// writers. An output whose stream is null is read and dropped.
    ///
    /// # Errors
    /// [`Error::Setup`] when a thread cannot be started; the others are ended by then.
    pub fn attach(
        streams: Streams,
        pipes: Pipes,
        cap: Option<u64>,
        terminal: Arc<dyn Terminal>,
        cancel: Box<dyn Cancel>,
    ) -> Result<Self> {
        pipes.check()?;
        let mut console = Self::new(terminal, cancel);
        if let (Some(end), Some(source)) = (streams.stdin, source(pipes.stdin)) {
            console.input(source, end)?;
        }
        let stderr: fn() -> Box<dyn Write + Send> = || Box::new(io::stderr());
        let stdout: fn() -> Box<dyn Write + Send> = || Box::new(io::stdout());
        if let Some(end) = streams.stdout {
            console.output(Stream::Stdout, end, sink(pipes.stdout, stdout), cap)?;
        }
        if let Some(end) = streams.stderr {
            console.output(Stream::Stderr, end, sink(pipes.stderr, stderr), cap)?;
        }
        Ok(console)
    }

    /// Starts copying `source` to the process's standard input. At the end of the source the end
    /// is told ([`InputEnd::end_of_input`]) and dropped. A second input replaces the first.
    ///
    /// # Errors
    /// [`Error::Setup`] when the thread cannot be started.
    pub fn input(&mut self, source: Source, end: Box<dyn InputEnd>) -> Result<()> {
        let input =
            Input::start(source, end, &self.shared).map_err(|e| thread(Stream::Stdin, e))?;
        self.input = Some(input);
        Ok(())
    }

    /// Starts copying an output of the process to `sink`; what goes beyond `cap` bytes is read and
    /// dropped. The sink is flushed whenever the process pauses, and dropped at the end.
    ///
    /// # Errors
    /// [`Error::Setup`] when the thread cannot be started.
    pub fn output(
        &mut self,
        stream: Stream,
        end: Box<dyn Read + Send>,
        sink: Box<dyn Write + Send>,
        cap: Option<u64>,
    ) -> Result<()> {
        let output = Output::new(stream, sink, cap, Arc::clone(&self.shared));
        let copier = output
            .start(end, self.running.clone())
            .map_err(|e| thread(stream, e))?;
        self.outputs.push(copier);
        Ok(())
    }

    /// The process's terminal.
    pub fn terminal(&self) -> &Arc<dyn Terminal> {
        &self.terminal
    }

    /// Tells the process its window size; nothing happens without a terminal.
    ///
    /// # Errors
    /// As [`Terminal::resize`].
    pub fn resize(&self, size: WindowSize) -> Result<()> {
        self.terminal.resize(size)
    }

    /// To be called when the process has ended: waits for the end of its outputs, up to `grace`
    /// where a descendant holds them open, delivers what had arrived, ends every copier and closes
    /// the terminal. A caller's writer that blocks is waited for.
    pub fn finish(mut self, grace: Duration) -> Finished {
        if !self.ended_within(grace) {
            self.shared.cancel_outputs();
            self.cancel.cancel(Side::Output);
            let mut seen = self.shared.progress();
            while !self.ended_within(STALL) {
                let now = self.shared.progress();
                if now == seen {
                    self.cancel.cancel(Side::Sink);
                    break;
                }
                seen = now;
            }
        }
        self.end();
        self.shared.take()
    }

    fn ended_within(&mut self, time: Duration) -> bool {
        self.running = None;
        if self.outputs.is_empty() {
            return true;
        }
        let wait = match Instant::now().checked_add(time) {
            Some(deadline) => self.ended.recv_deadline(deadline),
            None => self
                .ended
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        wait == Err(RecvTimeoutError::Disconnected)
    }

    /// Joins all copiers; nothing is pending any more, or all of it was cancelled.
    fn end(&mut self) {
        for copier in self.outputs.drain(..) {
            // A copier catches the panics of the caller's code and has none of its own.
            let _ = copier.join();
        }
        if let Some(input) = self.input.take() {
            self.shared.cancel_input();
            self.cancel.cancel(Side::Input);
            input.end();
        }
        // Nobody is left whom an error of the close could help.
        let _ = self.terminal.close();
    }
}

/// A console that is given up, because the start failed: everything is cancelled and joined.
impl Drop for StdConsole {
    fn drop(&mut self) {
        if !self.outputs.is_empty() {
            self.shared.cancel_outputs();
            self.cancel.cancel(Side::Output);
            self.cancel.cancel(Side::Sink);
        }
        self.end();
    }
}

impl std::fmt::Debug for StdConsole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdConsole")
            .field("terminal", &self.terminal)
            .field("input", &self.input.is_some())
            .field("outputs", &self.outputs.len())
            .finish_non_exhaustive()
    }
}

fn source(stdin: Stdio) -> Option<Source> {
    match stdin {
        Stdio::Null | Stdio::Writer(_) | Stdio::Capture(_) => None,
        Stdio::Inherit => Some(Source::Blocking(Box::new(io::stdin()))),
        Stdio::Fd(file) => Some(Source::Blocking(Box::new(file))),
        Stdio::Reader(reader) => Some(Source::Blocking(reader)),
    }
}

fn sink(output: Stdio, inherited: fn() -> Box<dyn Write + Send>) -> Box<dyn Write + Send> {
    match output {
        Stdio::Null | Stdio::Reader(_) => Box::new(io::sink()),
        Stdio::Inherit => inherited(),
        Stdio::Fd(file) => Box::new(file),
        Stdio::Writer(writer) => writer,
        Stdio::Capture(capture) => Box::new(capture),
    }
}

fn thread(stream: Stream, source: io::Error) -> Error {
    Error::Setup {
        step: format!("start a thread that copies {stream}"),
        source: Some(Box::new(source)),
    }
}
