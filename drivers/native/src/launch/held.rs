//! The rest of a launch that was held: another process, perhaps, lets the program start.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::ListenerCallback;
use super::channel::{Channel, ChannelError, Event, Limits};
use super::error::LaunchError;
use super::executed::{Execution, step_failed};
use super::process::Process;
use super::procfs::ProcessDir;
use crate::wire::Kind;

/// What waits to be started.
pub(crate) struct Held<'a> {
    /// The process that waits, by a descriptor that is surely its own.
    pub(crate) process: &'a Arc<Process>,
    /// A connection to the socket that it listens on.
    pub(crate) socket: OwnedFd,
    /// See [`super::Launch::describe`].
    pub(crate) describe: &'a dyn Fn(u32) -> String,
    /// See [`super::Launch::listener`].
    pub(crate) listener: Option<&'a mut ListenerCallback<'a>>,
    /// See [`super::Launch::init_stays`].
    pub(crate) init_stays: bool,
    /// What ends the wait early; the process then goes on or not, and only its end is sure to stop it.
    pub(crate) limits: Limits<'a>,
}

/// Lets the program start, and returns once it was executed. A failed start leaves the process to end by itself.
pub(crate) fn release(held: Held<'_>) -> Result<(), LaunchError> {
    let channel = Channel::of(held.socket);
    let dir = ProcessDir::open(held.process)?;
    // While it waits it executes nothing else.
    let init = dir.program()?;
    channel.go()?;
    let mut listener = held.listener;
    loop {
        let event = channel.next(held.process, held.limits)?;
        let Event::Report(report, fd) = event else {
            return Err(LaunchError::EndedEarly { exit: None });
        };
        match report.kind {
            Kind::Listener => {
                let (Some(fd), Some(callback)) = (fd, &mut listener) else {
                    return Err(ChannelError::Malformed.into());
                };
                callback(held.process, fd).map_err(LaunchError::Listener)?;
                channel.go()?;
            }
            Kind::Failed => return Err(step_failed(held.describe, &report)),
            Kind::Executing => break,
            _ => return Err(ChannelError::Malformed.into()),
        }
    }
    let execution = Execution {
        channel: &channel,
        process: held.process,
        init,
        init_stays: held.init_stays,
        describe: held.describe,
        limits: held.limits,
        dir: Some(dir),
    };
    execution.see()
}
