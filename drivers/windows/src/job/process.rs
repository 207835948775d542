//! A process in a job, with the host's ends of its streams.

use super::failed;
use crate::NAME;
use crate::backend::{Created, Process, ProcessIdentity};
use crate::sys::conpty::PseudoConsole;
use crate::sys::job::Job;
use crate::sys::pipe::{Canceller, PipeEnd};
use crate::sys::process::ProcessHandle;
use crate::sys::signal::{self, Event};
use crate::sys::spawn::{FirstThread, Held};
use execdriver_core::console::{Cancel, InputEnd, Side, Streams};
use execdriver_core::{Error, Result, Signal, Terminal, WindowSize, terminal};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A process, ours or another program's.
#[derive(Debug)]
pub(super) struct JobProcess {
    handle: ProcessHandle,
    identity: ProcessIdentity,
    /// Its first thread, until it is let go.
    held: Mutex<Option<FirstThread>>,
    terminal: Option<Arc<ConsoleTerminal>>,
    /// The job of its own limits; what it leaves ends with this.
    _own: Option<Job>,
}

/// A process that has not run, and the job of its own limits.
pub(super) type Made = (Held, Option<Job>);

/// The host's ends of a process's pipes.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    pub(super) stdin: Option<PipeEnd>,
    pub(super) stdout: Option<PipeEnd>,
    pub(super) stderr: Option<PipeEnd>,
}

impl JobProcess {
    /// A process that somebody made.
    pub(super) fn opened(handle: ProcessHandle) -> Arc<Self> {
        Arc::new(Self {
            identity: handle.identity(),
            handle,
            held: Mutex::new(None),
            terminal: None,
            _own: None,
        })
    }

    fn made((held, own): Made, terminal: Option<Arc<ConsoleTerminal>>) -> Arc<Self> {
        let (handle, held) = held.split();
        Arc::new(Self {
            identity: handle.identity(),
            handle,
            held: Mutex::new(Some(held)),
            terminal,
            _own: own,
        })
    }

    /// One with three streams.
    pub(super) fn with_pipes(held: Made, pipes: Pipes) -> Created {
        let cancels = Cancels::of(&pipes);
        let reader = |end: PipeEnd| Box::new(end) as Box<dyn Read + Send>;
        let streams = Streams {
            stdin: pipes.stdin.map(|end| Box::new(end) as Box<dyn InputEnd>),
            stdout: pipes.stdout.map(reader),
            stderr: pipes.stderr.map(reader),
        };
        Created {
            process: Self::made(held, None),
            streams,
            cancel: Box::new(cancels),
            terminal: None,
        }
    }

    /// One with a terminal.
    pub(super) fn at_terminal(
        held: Made,
        console: PseudoConsole,
        (keyboard, screen): (PipeEnd, PipeEnd),
        has_input: bool,
    ) -> Created {
        console.attached();
        // A console whose keyboard is gone ends (seen under Wine), so it stays until the terminal's close.
        let terminal = Arc::new(ConsoleTerminal {
            console,
            keyboard: Mutex::new(Some(keyboard.clone())),
        });
        let cancels = Cancels {
            input: vec![keyboard.canceller()],
            output: vec![screen.canceller()],
        };
        let input = Keyboard(keyboard);
        Created {
            process: Self::made(held, Some(Arc::clone(&terminal))),
            streams: Streams {
                stdin: has_input.then(|| Box::new(input) as Box<dyn InputEnd>),
                stdout: Some(Box::new(screen)),
                stderr: None,
            },
            cancel: Box::new(cancels),
            terminal: Some(terminal),
        }
    }

    fn failed(&self, action: &str, error: io::Error) -> Error {
        failed(format!("{action} process {}", self.identity.pid), error)
    }
}

impl Process for JobProcess {
    fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    fn release(&self) -> Result<()> {
        let held = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let released = held.map_or(Ok(()), |thread| thread.release());
        released.map_err(|error| self.failed("let go of", error))
    }

    fn wait(&self, limit: Option<Duration>) -> Result<Option<u32>> {
        let ended = self.handle.wait(limit).and_then(|ended| match ended {
            true => self.handle.exit_code().map(Some),
            false => Ok(None),
        });
        ended.map_err(|error| self.failed("wait for", error))
    }

    fn terminate(&self, code: u32) -> Result<()> {
        let ended = self.handle.terminate(code);
        ended.map_err(|error| self.failed("terminate", error))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let event = match signal {
            Signal::INT => Event::Interrupt,
            Signal::QUIT => Event::Break,
            Signal::HUP => Event::Close,
            Signal::TERM => Event::Shutdown,
            other => return Err(Error::unsupported(NAME, format!("signal {other}"))),
        };
        match signal::send(&self.handle, event) {
            Err(_) if !self.handle.is_alive() => Ok(()),
            sent => sent.map_err(|error| self.failed(&format!("send {signal} to"), error)),
        }
    }

    fn resize(&self, size: WindowSize) -> Result<()> {
        match &self.terminal {
            Some(terminal) => terminal.resize(size),
            None => {
                let what =
                    "the size of a terminal that another program, or another handle, has made";
                Err(Error::unsupported(NAME, what))
            }
        }
    }

    fn times(&self) -> Option<(Duration, Duration)> {
        let [_, _, kernel, user] = self.handle.times().ok()?;
        let of = |ticks: u64| Duration::from_nanos(ticks.saturating_mul(100));
        Some((of(user), of(kernel)))
    }
}

/// Frees copiers from their calls on the pipes.
struct Cancels {
    input: Vec<Canceller>,
    output: Vec<Canceller>,
}

impl Cancels {
    fn of(pipes: &Pipes) -> Self {
        let outputs = [&pipes.stdout, &pipes.stderr].into_iter().flatten();
        Self {
            input: pipes.stdin.iter().map(PipeEnd::canceller).collect(),
            output: outputs.map(PipeEnd::canceller).collect(),
        }
    }
}

impl Cancel for Cancels {
    fn cancel(&self, side: Side) {
        let ends = match side {
            Side::Input => self.input.as_slice(),
            Side::Output => self.output.as_slice(),
            Side::Sink => &[],
        };
        ends.iter().for_each(Canceller::cancel);
    }
}

/// What is typed at a terminal. Its end is typed too: a console has no other.
struct Keyboard(PipeEnd);

/// Ctrl-Z and Enter: the end of file of a console's line input.
const END_OF_INPUT: &[u8] = b"\x1a\r";

impl Write for Keyboard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl InputEnd for Keyboard {
    fn end_of_input(&mut self) -> io::Result<()> {
        self.0.write_all(END_OF_INPUT)
    }
}

/// The terminal of a process.
#[derive(Debug)]
struct ConsoleTerminal {
    console: PseudoConsole,
    keyboard: Mutex<Option<PipeEnd>>,
}

impl Terminal for ConsoleTerminal {
    fn resize(&self, size: WindowSize) -> Result<()> {
        self.console
            .resize(size)
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => terminal::closed(""),
                io::ErrorKind::InvalidInput => {
                    let reason = format!("got {size}, expected 1 to 32767 rows and columns");
                    Error::invalid("process_config.console_size", reason)
                }
                _ => failed(format!("resize a terminal to {size}"), error),
            })
    }

    fn close(&self) -> Result<()> {
        self.console.close();
        *self.keyboard.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}
