//! A filter's listener on its way to the agent that the document names: `linux.seccomp.listenerPath`.

use super::State;
use crate::launch::CallerError;
use crate::state::{Entry, Record};
use crate::sys::scm;
use oci_spec::runtime::LinuxSeccomp;
use serde_json::json;
use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The name that the specification has for the descriptor.
const NAME: &str = "seccompFd";

/// Whether somebody would take the listener.
pub(super) fn is_named(filter: Option<&LinuxSeccomp>) -> bool {
    filter.is_some_and(|filter| filter.listener_path().is_some())
}

/// As [`hand_over`], for the filter that a record has.
///
/// # Errors
/// The record cannot be read, or as there.
pub(super) fn of_record(
    entry: &Entry,
    record: &Record,
    state: &State,
    pid: i32,
    listener: OwnedFd,
) -> Result<(), CallerError> {
    let defaults = record.defaults.as_ref().map(|part| entry.part(part));
    let defaults = defaults.transpose()?;
    let filter = defaults.and_then(|defaults| defaults.seccomp_filter);
    hand_over(filter.as_ref(), state, pid, listener)
}

/// Sends the container process state with the descriptor: one connection, one state.
///
/// # Errors
/// Nobody listens there, or the sending failed.
pub(super) fn hand_over(
    filter: Option<&LinuxSeccomp>,
    state: &State,
    pid: i32,
    listener: OwnedFd,
) -> Result<(), CallerError> {
    let path = filter.and_then(|filter| filter.listener_path().as_deref());
    let path = path.ok_or("linux.seccomp.listenerPath names no socket")?;
    let metadata = filter.and_then(|filter| filter.listener_metadata().as_deref());
    let text = json!({
        "ociVersion": state.oci_version,
        "fds": [NAME],
        "pid": pid,
        "metadata": metadata.unwrap_or_default(),
        "state": state,
    })
    .to_string();
    let failed = |error: std::io::Error| {
        let path = path.display();
        format!("send the listener to {path} (linux.seccomp.listenerPath): {error}")
    };
    let mut agent = UnixStream::connect(path).map_err(failed)?;
    let bytes = text.as_bytes();
    let first = [IoSlice::new(bytes)];
    let sent = scm::send(agent.as_fd(), &first, &[listener.as_fd()]);
    let sent = sent.map_err(|errno| failed(errno.into()))?;
    agent
        .write_all(bytes.get(sent..).unwrap_or_default())
        .map_err(failed)?;
    Ok(())
}
