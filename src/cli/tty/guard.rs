//! A small process that puts the terminal back when the program that made it raw is killed.
//!
//! A program that is killed with 9 cannot restore anything. So `run -t` starts this guard first:
//! it remembers the settings, says so, and waits for the end of its standard input. A letter
//! before the end means that the owner restored the terminal itself.

use nix::sys::signal::SigSet;
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

const READY: &[u8] = b"r";
const DISMISSED: &[u8] = b"d";

/// The guard as its owner sees it.
pub(super) struct Guard {
    child: Child,
}

impl Guard {
    /// Starts it and waits until it knows the settings.
    pub(super) fn start() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        let mut child = Command::new("/proc/self/exe")
            .arg(super::GUARD_VERB)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(terminal))
            .stderr(Stdio::piped())
            .spawn()?;
        let mut ready = [0];
        match child.stderr.take() {
            Some(mut stderr) => stderr.read_exact(&mut ready)?,
            None => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(Self { child })
    }

    /// Tells it that the terminal is in order.
    pub(super) fn dismiss(&mut self) {
        if let Some(mut stdin) = self.child.stdin.take() {
            // If it is gone already, there is nothing to tell.
            let _ = stdin.write_all(DISMISSED);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The guard itself: standard input is the owner's pipe, standard output the terminal.
pub(super) fn main() {
    // Ctrl-C must not end the guard, and a background process may only set the terminal while
    // SIGTTOU is blocked (tcsetattr(3)).
    if SigSet::all().thread_block().is_err() {
        return;
    }
    let terminal = io::stdout();
    let Ok(saved) = tcgetattr(&terminal) else {
        return;
    };
    if io::stderr().write_all(READY).is_err() {
        return;
    }
    let mut said = Vec::new();
    let _ = io::stdin().read_to_end(&mut said);
    if said != DISMISSED {
        let _ = tcsetattr(&terminal, SetArg::TCSADRAIN, &saved);
    }
}
