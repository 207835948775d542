//! What each stream of a process becomes: nothing, a file of the caller's, or a pipe that is copied.

use super::inherit::{self, All, Own, Which};
use crate::backend::{ChildStream, Traits};
use execdriver_core::console::{Cancel, Source, StdConsole, Streams};
use execdriver_core::{Error, Pipes, Result, Stdio, Terminal};
use std::io;
use std::sync::Arc;

/// The process's side and the caller's.
pub(super) struct Plan {
    pub(super) stdin: ChildStream,
    pub(super) stdout: ChildStream,
    pub(super) stderr: ChildStream,
    pub(super) copied: Copied,
}

/// The caller's side: what is copied.
pub(super) struct Copied {
    /// Null for what is not copied, and for an input that is in `source`.
    pipes: Pipes,
    /// An input whose reads can be cancelled.
    source: Option<Source>,
    /// What frees copiers from the caller's own files.
    cancels: Vec<Box<dyn Cancel>>,
}

impl Plan {
    /// Decides for `pipes`. With a terminal everything is copied from and to it, and nothing goes to `stderr`.
    ///
    /// # Errors
    /// `Setup` when a stream of the host's own cannot be had.
    pub(super) fn new(pipes: Pipes, tty: bool, traits: Traits) -> Result<Self> {
        let passes = traits.passes_files && !tty;
        let mut copied = Copied {
            pipes: Pipes::null(),
            source: None,
            cancels: Vec::new(),
        };
        let stdin = copied.input(pipes.stdin, passes);
        let stdin = stdin.map_err(|error| unusable(Which::Input, error))?;
        let mut output = |stdio, which| {
            let (child, sink) = copied.output(stdio, which, passes)?;
            match which {
                Which::Error => copied.pipes.stderr = sink,
                Which::Input | Which::Output => copied.pipes.stdout = sink,
            }
            Ok(child)
        };
        let stdout = output(pipes.stdout, Which::Output);
        let stderr = match tty {
            true => Ok(ChildStream::Null),
            false => output(pipes.stderr, Which::Error),
        };
        Ok(Self {
            stdin,
            stdout: stdout.map_err(|error| unusable(Which::Output, error))?,
            stderr: stderr.map_err(|error| unusable(Which::Error, error))?,
            copied,
        })
    }
}

impl Copied {
    /// Starts to copy between the process's ends and the caller's.
    ///
    /// # Errors
    /// As [`StdConsole::attach`].
    pub(super) fn attach(
        self,
        mut streams: Streams,
        cap: Option<u64>,
        terminal: Arc<dyn Terminal>,
        cancel: Box<dyn Cancel>,
    ) -> Result<StdConsole> {
        let mut cancels = self.cancels;
        cancels.push(cancel);
        let typed = self.source.and_then(|source| {
            let end = streams.stdin.take()?;
            Some((source, end))
        });
        let cancel = Box::new(All(cancels));
        let mut console = StdConsole::attach(streams, self.pipes, cap, terminal, cancel)?;
        if let Some((source, end)) = typed {
            console.input(source, end)?;
        }
        Ok(console)
    }

    fn input(&mut self, stdio: Stdio, passes: bool) -> io::Result<ChildStream> {
        let (source, cancel) = match stdio {
            Stdio::Null => return Ok(ChildStream::Null),
            Stdio::Fd(file) if passes => return Ok(ChildStream::File(file)),
            Stdio::Fd(file) => inherit::input_of(file)?,
            Stdio::Inherit => {
                if passes && let Some(own) = inherit::file(Which::Input)? {
                    return Ok(own.into());
                }
                match inherit::own_input()? {
                    Some(input) => input,
                    None => return Ok(ChildStream::Null),
                }
            }
            copied => {
                self.pipes.stdin = copied;
                return Ok(ChildStream::Pipe);
            }
        };
        self.source = Some(source);
        self.cancels.push(cancel);
        Ok(ChildStream::Pipe)
    }

    fn output(
        &mut self,
        stdio: Stdio,
        which: Which,
        passes: bool,
    ) -> io::Result<(ChildStream, Stdio)> {
        let (sink, cancel) = match stdio {
            Stdio::Null => return Ok((ChildStream::Null, Stdio::Null)),
            Stdio::Fd(file) if passes => return Ok((ChildStream::File(file), Stdio::Null)),
            Stdio::Fd(file) => inherit::output_of(file)?,
            Stdio::Inherit => {
                if passes && let Some(own) = inherit::file(which)? {
                    return Ok((own.into(), Stdio::Null));
                }
                match inherit::own_output(which)? {
                    Some(output) => output,
                    None => return Ok((ChildStream::Null, Stdio::Null)),
                }
            }
            copied => return Ok((ChildStream::Pipe, copied)),
        };
        self.cancels.push(cancel);
        Ok((ChildStream::Pipe, sink))
    }
}

impl From<Own> for ChildStream {
    fn from(own: Own) -> Self {
        match own {
            Own::Nothing => Self::Null,
            Own::File(file) => Self::File(file),
        }
    }
}

fn unusable(which: Which, error: io::Error) -> Error {
    Error::Setup {
        step: format!("take the host's own stream for the program ({which:?})"),
        source: Some(Box::new(error)),
    }
}
