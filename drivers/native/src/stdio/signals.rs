//! Keeping the host's signals away from threads of ours.

use super::{Result, StdioError};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// While this lives, threads that this one starts have every signal blocked: the host's handlers
/// never run on them, and a write to a broken pipe is an error even where the host lets SIGPIPE
/// kill (a blocked SIGPIPE is pending on the thread that wrote and goes with it; pipe(7)).
pub(crate) struct SignalsBlocked {
    before: SigSet,
}

impl SignalsBlocked {
    pub(crate) fn new() -> Result<Self> {
        let mut blocked = SigSet::all();
        // Faults of the thread itself: the host's handlers are to report them.
        for fault in [
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGILL,
            Signal::SIGFPE,
            Signal::SIGTRAP,
            Signal::SIGSYS,
            Signal::SIGABRT,
        ] {
            blocked.remove(fault);
        }
        let before = blocked
            .thread_swap_mask(SigmaskHow::SIG_SETMASK)
            .map_err(|e| StdioError::new("block signals for copier threads", e.into()))?;
        Ok(Self { before })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // It cannot fail with a set that came from the kernel (pthread_sigmask(3)).
        let _ = self.before.thread_set_mask();
    }
}
