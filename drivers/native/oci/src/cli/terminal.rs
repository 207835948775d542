//! The terminal of a process in the foreground, joined to ours.

use execdriver_native::oci::set_window_size;
use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, write};
use std::io::{Stdin, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most that is copied at once.
const CHUNK: usize = 16 << 10;

/// A terminal's master and our own streams.
pub(super) struct Joined {
    master: OwnedFd,
    input: Option<Stdin>,
    /// The modes to put back.
    before: Option<Termios>,
}

impl Joined {
    /// Joins them. Our own terminal, if there is one, hands every key on.
    pub(super) fn new(master: OwnedFd) -> Self {
        let input = stdin();
        let before = tcgetattr(&input).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            // Without it keys arrive a line at a time, which is no reason to end.
            let _ = tcsetattr(&input, SetArg::TCSANOW, &raw);
        }
        let joined = Self {
            master,
            input: Some(input),
            before,
        };
        joined.resize();
        joined
    }

    /// Makes the window as large as ours.
    pub(super) fn resize(&self) {
        if let Some((columns, rows)) = terminal_size::terminal_size_of(stdout()) {
            // A window that went away has no size.
            let _ = set_window_size(self.master.as_fd(), rows.0, columns.0);
        }
    }

    /// What to wait for.
    pub(super) fn poll_fds(&self) -> Vec<PollFd<'_>> {
        let master = PollFd::new(self.master.as_fd(), PollFlags::POLLIN);
        let input = self.input.as_ref();
        let input = input.map(|input| PollFd::new(input.as_fd(), PollFlags::POLLIN));
        [master].into_iter().chain(input).collect()
    }

    /// Copies what there is; `output` and `input` as [`Joined::poll_fds`] tells.
    pub(super) fn copy(&mut self, output: bool, input: bool) {
        if output {
            let _ = hand_on(self.master.as_fd(), stdout().as_fd());
        }
        if input && let Some(from) = &self.input {
            match hand_on(from.as_fd(), self.master.as_fd()) {
                Ok(0) | Err(_) => self.input = None,
                Ok(_) => {}
            }
        }
    }

    /// Copies the rest of the output: nobody writes any more, or those who do are not waited for.
    pub(super) fn drain(&mut self) {
        let ready = |fd: BorrowedFd<'_>| {
            let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
            let polled = nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO);
            let readable = |fd: &PollFd<'_>| {
                fd.revents()
                    .is_some_and(|events| events.contains(PollFlags::POLLIN))
            };
            polled.is_ok() && readable(&fds[0])
        };
        while ready(self.master.as_fd()) {
            match hand_on(self.master.as_fd(), stdout().as_fd()) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, before);
        }
    }
}

fn hand_on(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<usize, Errno> {
    let mut buffer = [0; CHUNK];
    let got = read(from, &mut buffer)?;
    let mut rest = &buffer[..got];
    while !rest.is_empty() {
        match write(to, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(got)
}
