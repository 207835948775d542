//! Mounts made ahead: init makes them in a mount namespace of its own, sends them, and ends.

use core::time::Duration;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

use super::channel::{Channel, ChannelError, Event, Limits, Outgoing};
use super::early::Begun;
use super::ending::end;
use super::error::LaunchError;
use super::executed::step_failed;
use super::process::Process;
use crate::wire::Kind;

/// Far more than they take: nobody waits for them, but a thread must not hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets init walk the plan of a message and gives the `count` trees that it offers, in their order. Init is gone when this returns.
pub(crate) fn offered(
    message: &[u8],
    fds: &[BorrowedFd<'_>],
    count: usize,
) -> Result<Vec<OwnedFd>, LaunchError> {
    let mut outgoing = Outgoing::new(message, fds);
    let begun = Begun::start(libc::CLONE_NEWNS as u64, None, |channel, _| {
        Ok(channel.send_ahead(&mut outgoing).map(drop)?)
    })?;
    let (channel, process) = (&begun.channel, &*begun.process);
    let taken = take(channel, process, outgoing, count);
    let ended = end(process);
    let taken = taken?;
    ended?;
    Ok(taken)
}

fn take(
    channel: &Channel,
    process: &Process,
    outgoing: Outgoing<'_>,
    count: usize,
) -> Result<Vec<OwnedFd>, LaunchError> {
    let limits = Limits {
        deadline: Some(Instant::now() + PATIENCE),
        abort: None,
    };
    channel.send(outgoing, process, limits)?;
    let mut trees = Vec::with_capacity(count);
    while trees.len() < count {
        match channel.next(process, limits)? {
            Event::Report(report, Some(tree)) if report.kind == Kind::Offered => trees.push(tree),
            Event::Report(report, _) if report.kind == Kind::Failed => {
                return Err(step_failed(&|index| format!("step {index}"), &report));
            }
            Event::Report(..) => return Err(ChannelError::Malformed.into()),
            Event::Closed | Event::Ended => return Err(LaunchError::EndedEarly { exit: None }),
        }
    }
    Ok(trees)
}
