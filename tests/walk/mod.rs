//! Walks through every system call that a host program and its init make in one act, and fails one, or kills the host.
//!
//! The host program is this test binary again, in a role. A thread of it acts in rounds: it raises SIGUSR1, acts,
//! makes a call that means nothing else, looks at what is left, and begins the next round. ptrace(2) stops it, and all
//! that it clones, at every call of the act. What init executes is let go at once.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part of this"
)]

mod calls;
mod tracer;

pub(crate) use calls::{Call, Who};
pub(crate) use tracer::Session;

use nix::errno::Errno;
use nix::sys::signal::{Signal, raise};
use nix::unistd::{Pid, getpgid, gettid};
use std::path::{Path, PathBuf};

/// `getpgid` of this process that cannot be: the act is over.
const ACT_ENDS: i32 = 0x7e57_0001;
/// In the host program: the directory through which it and the tracer speak.
const DIRECTORY: &str = "EXECDRIVER_TEST_WALK";

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// It is not made and answers this (a close is made all the same: the kernel's has an effect even when it fails).
    Fail(Errno),
    /// The host program is killed before it.
    KillHost,
}

/// How a round went.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// Calls that were seen.
    pub(crate) calls: usize,
    /// What the host program said of it, or `None` when it died.
    pub(crate) said: Option<String>,
}

/// Whether this process is a host program that is walked through, and where the two speak.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// The host program: acts until it is killed. `after` sees what `act` said and gives the report of the round.
pub(crate) fn act_in_rounds(
    directory: &Path,
    mut act: impl FnMut() -> String,
    mut after: impl FnMut(String) -> String,
) -> ! {
    let temporary = directory.join("tid.tmp");
    std::fs::write(&temporary, gettid().to_string()).expect("our own directory");
    std::fs::rename(temporary, directory.join("tid")).expect("our own directory");
    let is_traced = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        status
            .lines()
            .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    };
    while !is_traced() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    loop {
        raise(Signal::SIGUSR1).expect("a signal to ourselves");
        let said = act();
        // No process has this number; the tracer knows it.
        let _ = getpgid(Some(Pid::from_raw(ACT_ENDS)));
        let report = after(said);
        std::fs::write(directory.join("said"), report).expect("our own directory");
    }
}
