//! Readers and writers for copier threads: each can be freed from its wait.

use super::end::{End, Event, wait};
use super::width::{self, Width};
use execdriver_core::console::InputEnd;
use nix::errno::Errno;
use nix::poll::PollFlags;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Bytes still read from an output after it was cancelled: the most that a pipe of an unprivileged
/// user holds (pipe(7), pipe-max-size). What a process wrote in time is never lost, and one that
/// writes for ever is cut.
pub(super) const DRAIN: usize = 1 << 20;

/// An output of the process.
pub(super) struct FromProcess {
    pub(super) end: End,
    pub(super) cancel: Arc<Event>,
    /// Bytes that may be read after the cancel.
    pub(super) left: usize,
    width: Width,
}

impl FromProcess {
    /// `room`: what its pipe may be made to hold.
    pub(super) fn new(end: End, cancel: Arc<Event>, room: usize) -> Self {
        Self {
            end,
            cancel,
            left: DRAIN,
            width: Width::new(room),
        }
    }
}

impl Read for FromProcess {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Asked before the read: what was there when the cancel came is then read.
            let cancelled = self.cancel.happened();
            if cancelled && self.left == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.end.read(buffer) {
                Ok(got) if cancelled => {
                    self.left = self.left.saturating_sub(got);
                    return Ok(got);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if cancelled {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    self.end.wait(PollFlags::POLLIN, &self.cancel)?;
                }
                result => {
                    if result.as_ref().is_ok_and(|got| *got >= width::DEFAULT) {
                        self.width.was_full(&self.end);
                    }
                    return result;
                }
            }
        }
    }
}

/// The process's input.
pub(super) struct ToProcess {
    end: End,
    cancel: Arc<Event>,
    /// The last byte that the process got.
    last: Option<u8>,
    width: Width,
}

impl ToProcess {
    /// `room`: what its pipe may be made to hold.
    pub(super) fn new(end: End, cancel: Arc<Event>, room: usize) -> Self {
        Self {
            end,
            cancel,
            last: None,
            width: Width::new(room),
        }
    }
}

impl Write for ToProcess {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if self.cancel.happened() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.end.write(bytes) {
                Ok(written) => {
                    self.last = bytes[..written].last().copied().or(self.last);
                    return Ok(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.width.was_full(&self.end);
                    self.end.wait(PollFlags::POLLOUT, &self.cancel)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl InputEnd for ToProcess {
    fn end_of_input(&mut self) -> io::Result<()> {
        let eof = match &self.end {
            End::Pipe(_) => return Ok(()),
            End::Master(master) => master.end_of_file(self.last),
        };
        self.write_all(&eof)
    }
}

/// An open file of the caller's that feeds a terminal. Its blocking mode is shared with others and
/// stays as it is.
pub(super) struct FromFile {
    pub(super) file: File,
    pub(super) cancel: Arc<Event>,
}

impl Read for FromFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            wait(
                self.file.as_fd(),
                PollFlags::POLLIN,
                &[Some(self.cancel.as_fd())],
            )?;
            if self.cancel.happened() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match nix::unistd::read(&self.file, buffer) {
                Err(Errno::EAGAIN) => {}
                result => return Ok(result?),
            }
        }
    }
}

/// An open file of the caller's that a terminal is copied to.
pub(super) struct ToFile {
    pub(super) file: File,
    pub(super) cancel: Arc<Event>,
}

impl Write for ToFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            wait(
                self.file.as_fd(),
                PollFlags::POLLOUT,
                &[Some(self.cancel.as_fd())],
            )?;
            if self.cancel.happened() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // A pipe that is ready takes PIPE_BUF bytes without blocking (pipe(7)).
            let part = &bytes[..bytes.len().min(libc::PIPE_BUF)];
            match nix::unistd::write(&self.file, part) {
                Err(Errno::EAGAIN) => {}
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
