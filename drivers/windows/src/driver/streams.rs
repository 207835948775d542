//! What each stream of a process becomes: nothing, a file of the caller's, or a pipe that is copied.

use super::inherit::{self, Inherited, Which};
use crate::backend::{ChildStream, Traits};
use execdriver_core::{Error, Pipes, Result, Stdio};

/// The process's side and the caller's.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) stdin: ChildStream,
    pub(super) stdout: ChildStream,
    pub(super) stderr: ChildStream,
    /// What is copied; null for the rest.
    pub(super) copied: Pipes,
}

impl Plan {
    /// Decides for `pipes`. With a terminal everything is copied from and to it, and nothing goes to `stderr`.
    ///
    /// # Errors
    /// `Setup` when a stream of the host's own cannot be had.
    pub(super) fn new(pipes: Pipes, tty: bool, traits: Traits) -> Result<Self> {
        let passes = traits.passes_files && !tty;
        let (stdin, copied_in) = one(pipes.stdin, Which::Input, passes)?;
        let (stdout, copied_out) = one(pipes.stdout, Which::Output, passes)?;
        let (stderr, copied_err) = match tty {
            true => (ChildStream::Null, Stdio::Null),
            false => one(pipes.stderr, Which::Error, passes)?,
        };
        let copied = Pipes::null()
            .stdin(copied_in)
            .stdout(copied_out)
            .stderr(copied_err);
        Ok(Self {
            stdin,
            stdout,
            stderr,
            copied,
        })
    }
}

fn one(stdio: Stdio, which: Which, passes: bool) -> Result<(ChildStream, Stdio)> {
    Ok(match stdio {
        Stdio::Null => (ChildStream::Null, Stdio::Null),
        Stdio::Fd(file) if passes => (ChildStream::File(file), Stdio::Null),
        Stdio::Inherit if passes => {
            let own = inherit::own(which).map_err(|error| Error::Setup {
                step: format!("pass the host's own stream on ({which:?})"),
                source: Some(Box::new(error)),
            })?;
            match own {
                Inherited::Nothing => (ChildStream::Null, Stdio::Null),
                Inherited::File(file) => (ChildStream::File(file), Stdio::Null),
                Inherited::Copied(stdio) => (ChildStream::Pipe, stdio),
            }
        }
        copied => (ChildStream::Pipe, copied),
    })
}
