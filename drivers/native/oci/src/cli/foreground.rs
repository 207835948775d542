//! A process in the foreground: its end is waited for, and signals to us are for it.

use super::failure::{Answer, Failure};
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

/// Waits for the end of a process; its exit code.
pub(super) fn attend(launched: Launched, signals: &Signals) -> Answer {
    loop {
        let mut fds = [
            PollFd::new(launched.pidfd(), PollFlags::POLLIN),
            PollFd::new(signals.0.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::system("wait for the process", errno)),
        }
        if fds[0].any().unwrap_or(false) {
            break;
        }
        forward(&launched, signals);
    }
    let code = launched.wait()?.code();
    Ok(u8::try_from(code).unwrap_or(1))
}

fn forward(launched: &Launched, signals: &Signals) {
    while let Ok(Some(info)) = signals.0.read_signal() {
        let signal = i32::try_from(info.ssi_signo).unwrap_or(0);
        // Its own end; and changes of a terminal that it does not have.
        if signal != libc::SIGCHLD && signal != libc::SIGURG {
            launched.signal(signal);
        }
    }
}
