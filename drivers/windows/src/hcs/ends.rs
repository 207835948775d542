//! What the host has of a process beside its handle: its terminal, and the end of its input.

use super::document::{CLOSE_STDIN, console_size};
use super::process::HcsProcess;
use execdriver_core::console::InputEnd;
use execdriver_core::{Result, Terminal, WindowSize};
use std::io::{self, Write};
use std::sync::Arc;

/// The terminal of a process.
#[derive(Debug)]
pub(crate) struct HcsTerminal {
    pub(crate) id: String,
    pub(crate) process: std::sync::Weak<HcsProcess>,
}

impl Terminal for HcsTerminal {
    fn resize(&self, size: WindowSize) -> Result<()> {
        let request = console_size(size)?;
        match self.process.upgrade() {
            Some(process) if !process.has_ended() => Ok(process.modify(request)?),
            _ => Err(execdriver_core::terminal::closed(&self.id)),
        }
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// The host's end of a process's input. That it was closed is not seen inside: the process has to be told.
pub(crate) struct StdinEnd {
    pub(crate) pipe: Box<dyn Write + Send>,
    pub(crate) process: Arc<HcsProcess>,
}

impl Write for StdinEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pipe.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }
}

impl InputEnd for StdinEnd {
    fn end_of_input(&mut self) -> io::Result<()> {
        match self.process.modify(CLOSE_STDIN.to_owned()) {
            Ok(()) => Ok(()),
            // A process need not wait for the end of its input.
            Err(error) if error.is_gone() || self.process.has_ended() => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
