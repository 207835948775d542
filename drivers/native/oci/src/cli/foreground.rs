//! A process in the foreground: its end is waited for, and signals to us are for it.

use super::failure::{Answer, Failure};
use super::terminal::Joined;
use execdriver_native::oci::Launched;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::AsFd;

/// Signals to this process, which from now on are read and not acted on.
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Takes every signal that can be taken, but those that the kernel sends for our own faults.
    pub(super) fn block() -> Result<Self, Failure> {
        let failed = |errno: Errno| Failure::system("take signals", errno);
        let mut set = SigSet::all();
        let own = [
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGILL,
            Signal::SIGFPE,
            Signal::SIGABRT,
            Signal::SIGTRAP,
            Signal::SIGSYS,
            Signal::SIGPIPE,
        ];
        for signal in own {
            set.remove(signal);
        }
        set.thread_block().map_err(failed)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags).map(Self).map_err(failed)
    }
}

/// Waits for the end of a process, with its terminal joined to ours if it has one; its exit code.
pub(super) fn attend(mut launched: Launched, signals: &Signals) -> Answer {
    let mut terminal = launched.take_terminal().map(Joined::new);
    loop {
        let mut fds = vec![
            PollFd::new(launched.pidfd(), PollFlags::POLLIN),
            PollFd::new(signals.0.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(terminal.iter().flat_map(Joined::poll_fds));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::system("wait for the process", errno)),
        }
        let ready = |index: usize| fds.get(index).is_some_and(|fd| fd.any().unwrap_or(false));
        let (ended, output, input) = (ready(0), ready(2), ready(3));
        drop(fds);
        if let Some(joined) = &mut terminal {
            joined.copy(output && !ended, input);
        }
        if ended {
            break;
        }
        forward(&launched, signals, terminal.as_ref());
    }
    if let Some(joined) = &mut terminal {
        joined.drain();
    }
    let code = launched.wait()?.code();
    Ok(u8::try_from(code).unwrap_or(1))
}

fn forward(launched: &Launched, signals: &Signals, terminal: Option<&Joined>) {
    while let Ok(Some(info)) = signals.0.read_signal() {
        match i32::try_from(info.ssi_signo).unwrap_or(0) {
            // Its own end, and news of a socket.
            libc::SIGCHLD | libc::SIGURG => {}
            libc::SIGWINCH => {
                if let Some(joined) = terminal {
                    joined.resize();
                }
            }
            signal => launched.signal(signal),
        }
    }
}
