//! `--console-socket`: the terminal's master goes to whoever listens there.

use super::failure::Failure;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A terminal has to go somewhere, and a socket has to get one.
pub(super) fn check(socket: Option<&Path>, terminal: bool, attended: bool) -> Result<(), Failure> {
    match (socket, terminal) {
        (None, true) if !attended => Err(Failure::usage(
            "process.terminal: cannot allocate tty if detached without --console-socket",
        )),
        (Some(_), false) => Err(Failure::usage(
            "--console-socket: cannot use console socket if process.terminal is false",
        )),
        _ => Ok(()),
    }
}

/// Sends the master of a terminal as the kernel makes it, ONLCR and all: the far end is one that is raw, where a bare newline
/// leaves the cursor in its column.
pub(super) fn send(path: &Path, master: &OwnedFd) -> Result<(), Failure> {
    send_descriptor(path, "console socket", master.as_fd())
}

/// Sends one descriptor to whoever listens.
pub(super) fn send_descriptor(
    path: &Path,
    what: &str,
    descriptor: BorrowedFd<'_>,
) -> Result<(), Failure> {
    let failed = |error| Failure::system(format!("{what} {}", path.display()), error);
    let socket = UnixStream::connect(path).map_err(failed)?;
    let fds = [descriptor.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    // The text is for people: the descriptor is what is taken.
    let name = [IoSlice::new(what.as_bytes())];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &name,
        &rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .map_err(|errno| failed(errno.into()))?;
    Ok(())
}
