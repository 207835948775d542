//! The copying of one process's streams, from its start to its last byte.

use super::caller::{FromFile, FromProcess, ToFile, ToProcess};
use super::end::{End, Event, Held};
use super::pump::{Buffer, Pump};
use super::signals::SignalsBlocked;
use super::terminal::Master;
use super::{Drain, Feed, HostStdio, Result, StdioError};
use execdriver_core::Terminal;
use execdriver_core::console::{Cancel, Finished, Side, Source, StdConsole, Stream};
use execdriver_core::terminal::NoTerminal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The least grace: the child of a fork elsewhere in the host has a copy of every descriptor, the
/// process's ends included, until it executes something; that is no descendant.
const SETTLE: Duration = Duration::from_millis(50);

/// The process, its exhaustions of memory, and two ends of each stream.
const POLLED: usize = 8;

/// The copiers of a process: pumps that the waiting thread works, and threads for what may block.
pub(crate) struct Console {
    pumps: Vec<Pump>,
    buffer: Buffer,
    /// Of the pumps that ended.
    ended: Finished,
    threads: StdConsole,
    /// What each pipe may be made to hold.
    room: usize,
}

/// Frees the copier threads from their waits.
#[derive(Default, Clone)]
struct Interrupts {
    input: Option<Arc<Event>>,
    output: Option<Arc<Event>>,
    sink: Option<Arc<Event>>,
}

impl Cancel for Interrupts {
    fn cancel(&self, side: Side) {
        let event = match side {
            Side::Input => &self.input,
            Side::Output => &self.output,
            Side::Sink => &self.sink,
        };
        if let Some(event) = event {
            event.happen();
        }
    }
}

impl HostStdio {
    /// Starts the copying for the process of `id`: to be called once its program is executed, so
    /// that a failed start consumes nothing of the caller's input. `master` is the process's
    /// terminal, if it has one; `cap` bounds what is delivered of each output.
    ///
    /// # Errors
    /// A thread or an event could not be made; everything is closed by then.
    pub(crate) fn attach(
        self,
        id: &str,
        master: Option<OwnedFd>,
        cap: Option<u64>,
    ) -> execdriver_core::Result<Console> {
        let master = master.map(|fd| Master::new(id, fd)).transpose()?;
        let master = master.map(Arc::new);
        let terminal: Arc<dyn Terminal> = match &master {
            Some(master) => Arc::clone(master) as Arc<dyn Terminal>,
            None => Arc::new(NoTerminal),
        };
        let interrupts = Interrupts::for_threads_of(&self)?;
        let _signals = interrupts.any().then(SignalsBlocked::new).transpose()?;
        let mut console = Console {
            pumps: Vec::new(),
            buffer: Buffer::default(),
            ended: Finished::default(),
            threads: StdConsole::new(terminal, Box::new(interrupts.clone())),
            room: self.room,
        };
        let end = |own: Option<End>| own.or_else(|| master.clone().map(End::Master));
        console.feed(self.stdin, end, &interrupts)?;
        console.drain(Stream::Stdout, self.stdout, end, cap, &interrupts)?;
        console.drain(Stream::Stderr, self.stderr, end, cap, &interrupts)?;
        Ok(console)
    }
}

impl Console {
    /// The process's terminal, or the want of one.
    pub(crate) fn terminal(&self) -> Arc<dyn Terminal> {
        Arc::clone(self.threads.terminal())
    }

    /// Copies until one of `fds` is ready, each in its own way, and returns the first such one's
    /// place; `None` at the deadline. Without a `fds` and without a deadline it returns `None` at
    /// the end of what this thread copies.
    pub(crate) fn wait_for(
        &mut self,
        fds: &[PollFd<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<Option<usize>> {
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if fds.is_empty() && self.pumps.is_empty() && left.is_none() {
                return Ok(None);
            }
            let ready = self.turn(fds, left)?;
            if ready.is_some() || left == Some(Duration::ZERO) {
                return Ok(ready);
            }
        }
    }

    /// To be called when the process has ended: delivers the rest of its output, up to `grace`
    /// while a descendant holds it open, ends all threads and closes the terminal.
    pub(crate) fn finish(mut self, grace: Duration) -> Finished {
        let deadline = Instant::now().checked_add(grace.max(SETTLE));
        self.copy_all();
        while !self.pumps.is_empty() {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.turn(&[], left).is_err() {
                break;
            }
        }
        self.copy_all();
        self.ended.truncated |= !self.pumps.is_empty();
        let left = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        let Self {
            pumps,
            ended,
            threads,
            ..
        } = self;
        let mut finished = threads.finish(left);
        for pump in pumps {
            finished.truncated |= pump.truncated;
        }
        finished.truncated |= ended.truncated;
        finished.errors.extend(ended.errors);
        finished
    }

    fn feed(
        &mut self,
        feed: Feed,
        end: impl Fn(Option<End>) -> Option<End>,
        interrupts: &Interrupts,
    ) -> execdriver_core::Result<()> {
        let Some(cancel) = &interrupts.input else {
            return Ok(());
        };
        let (source, end) = match feed {
            Feed::None => return Ok(()),
            Feed::Reader(reader, own) => (Source::Blocking(reader), end(own)),
            Feed::File(file) => {
                let cancel = Arc::clone(cancel);
                let reader = Box::new(FromFile { file, cancel });
                (Source::Cancellable(reader), end(None))
            }
        };
        match end {
            Some(end) => {
                let end = ToProcess::new(end, Arc::clone(cancel), self.room);
                self.threads.input(source, Box::new(end))
            }
            None => Ok(()),
        }
    }

    fn drain(
        &mut self,
        stream: Stream,
        drain: Drain,
        end: impl Fn(Option<End>) -> Option<End>,
        cap: Option<u64>,
        interrupts: &Interrupts,
    ) -> execdriver_core::Result<()> {
        let (sink, own): (Box<dyn io::Write + Send>, _) = match (drain, &interrupts.sink) {
            (Drain::None, _) | (Drain::File(_), None) => return Ok(()),
            (Drain::Capture(capture, own), _) => {
                let pump = end(own).map(|end| Pump::new(stream, end, capture, cap));
                self.pumps.extend(pump);
                return Ok(());
            }
            (Drain::Writer(writer, own), _) => (writer, own),
            (Drain::File(file), Some(cancel)) => {
                let cancel = Arc::clone(cancel);
                (Box::new(ToFile { file, cancel }), None)
            }
        };
        match (end(own), &interrupts.output) {
            (Some(end), Some(cancel)) => {
                let end = Box::new(FromProcess::new(end, Arc::clone(cancel), self.room));
                self.threads.output(stream, end, sink, cap)
            }
            _ => Ok(()),
        }
    }

    /// Waits once, then copies what is ready.
    fn turn(&mut self, fds: &[PollFd<'_>], left: Option<Duration>) -> io::Result<Option<usize>> {
        let held: Vec<Held<'_>> = self.pumps.iter().map(|pump| pump.end.hold()).collect();
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        // A list that grows takes the allocator's lock each time (realloc(3)).
        let mut polled = Vec::with_capacity(POLLED.max(fds.len() + 2 * held.len()));
        polled.extend_from_slice(fds);
        for end in &held {
            match end.fd() {
                Some(fd) => polled.push(readable(fd)),
                None => continue,
            }
            polled.extend(end.hangup().map(readable));
        }
        match ppoll(&mut polled, left.map(TimeSpec::from_duration), None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let ready = polled[..fds.len()]
            .iter()
            .position(|fd| fd.any().unwrap_or(true));
        let copy = polled[fds.len()..]
            .iter()
            .any(|fd| fd.any().unwrap_or(true))
            || held.iter().any(|end| end.fd().is_none());
        drop(polled);
        drop(held);
        if copy {
            self.copy_all();
        }
        Ok(ready)
    }

    /// Gives every pump its turn and lets go of those that ended.
    fn copy_all(&mut self) {
        let Self {
            pumps,
            buffer,
            ended,
            ..
        } = self;
        pumps.retain_mut(|pump| {
            let over = pump.turn(buffer);
            if over {
                ended.truncated |= pump.truncated;
                ended.errors.extend(pump.error.take());
            }
            !over
        });
    }
}

impl Interrupts {
    /// An event for each side that will have a thread.
    fn for_threads_of(host: &HostStdio) -> Result<Self> {
        let event = |wanted: bool| match wanted.then(Event::new).transpose() {
            Ok(event) => Ok(event.map(Arc::new)),
            Err(error) => Err(StdioError::new("make an eventfd", error)),
        };
        let outputs = [&host.stdout, &host.stderr];
        let file = outputs.iter().any(|o| matches!(o, Drain::File(_)));
        let thread = file || outputs.iter().any(|o| matches!(o, Drain::Writer(..)));
        Ok(Self {
            input: event(!matches!(host.stdin, Feed::None))?,
            output: event(thread)?,
            sink: event(file)?,
        })
    }

    fn any(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }
}
