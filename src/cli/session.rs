//! One `run` or `exec` at a terminal: streams, forwarded signals, the exit code.

use crate::failure::{Failure, chain};
use crate::tty::RawMode;
use execdriver::{Driver, ExitReason, ExitStatus, Pipes, Stdio, Target};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The exit code of `--timeout`, as timeout(1) has it.
const TIMED_OUT: u8 = 124;

/// How the process is connected to the caller.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Streams {
    /// Connect standard input
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
}

impl Streams {
    fn pipes(self) -> Pipes {
        let stdin = if self.interactive {
            Stdio::Inherit
        } else {
            Stdio::Null
        };
        Pipes::inherit().stdin(stdin)
    }
}

/// Runs `work` with the caller's streams, forwarding signals to `target` meanwhile.
pub(crate) fn attach(
    driver: &Arc<dyn Driver>,
    target: Target,
    streams: Streams,
    work: impl FnOnce(Pipes) -> execdriver::Result<ExitStatus>,
) -> Result<ExitCode, Failure> {
    let forwarder = forward::start(driver, target, streams.tty)
        .map_err(|error| Failure::message(format!("watch for signals: {error}"), 125))?;
    let raw = if streams.tty && streams.interactive {
        RawMode::enter()
            .map_err(|error| Failure::message(format!("make the terminal raw: {error}"), 125))?
    } else {
        None
    };
    let outcome = work(streams.pipes());
    // The terminal is put back before anything is printed on it.
    drop(raw);
    drop(forwarder);
    report(outcome)
}

fn report(outcome: execdriver::Result<ExitStatus>) -> Result<ExitCode, Failure> {
    let status = outcome.map_err(Failure::not_run)?;
    for error in &status.post_stop_errors {
        eprintln!("execdriver: {}", chain(error));
    }
    if status.reason == ExitReason::TimedOut {
        return Ok(ExitCode::from(TIMED_OUT));
    }
    Ok(ExitCode::from(u8::try_from(status.code).unwrap_or(255)))
}

/// A new id of 12 hexadecimal digits.
pub(crate) fn new_id() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // RandomState is seeded from the system's random source, anew for every process.
    let hash = RandomState::new().hash_one((now, std::process::id()));
    format!("{:012x}", hash & 0xffff_ffff_ffff)
}

/// Where containers keep their state when nobody says it.
pub(crate) fn default_root() -> PathBuf {
    #[cfg(unix)]
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/run/execdriver");
    }
    if let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        return PathBuf::from(runtime).join("execdriver");
    }
    #[cfg(unix)]
    let name = format!("execdriver-{}", nix::unistd::geteuid());
    #[cfg(not(unix))]
    let name = "execdriver";
    std::env::temp_dir().join(name)
}

#[cfg(not(unix))]
mod forward {
    //! No signals are forwarded where there are none.

    use super::{Arc, Driver, Target};

    /// Stands for the thread that is not needed.
    pub(super) struct Forwarder;

    pub(super) fn start(_: &Arc<dyn Driver>, _: Target, _: bool) -> std::io::Result<Forwarder> {
        Ok(Forwarder)
    }
}

#[cfg(unix)]
mod forward {
    //! A thread that hands the signals of this program on to the container.

    use super::{Arc, Driver, Target, chain};
    use crate::tty;
    use execdriver::{Error, Signal};
    use signal_hook::consts::signal as number;
    use signal_hook::iterator::{Handle, Signals};
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    const FORWARDED: [i32; 8] = [
        number::SIGHUP,
        number::SIGINT,
        number::SIGQUIT,
        number::SIGTERM,
        number::SIGUSR1,
        number::SIGUSR2,
        number::SIGCONT,
        number::SIGWINCH,
    ];

    /// How long to wait before a signal is tried again on a container that is not there yet.
    const RETRY: Duration = Duration::from_millis(5);

    /// The thread; it ends when this is dropped.
    pub(super) struct Forwarder {
        handle: Handle,
        done: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    /// Starts to forward. From here on none of these signals ends this program.
    pub(super) fn start(
        driver: &Arc<dyn Driver>,
        target: Target,
        tty: bool,
    ) -> io::Result<Forwarder> {
        let mut signals = Signals::new(FORWARDED)?;
        let handle = signals.handle();
        let done = Arc::new(AtomicBool::new(false));
        let (driver, stop) = (Arc::clone(driver), Arc::clone(&done));
        let thread = thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    hand_on(driver.as_ref(), &target, signal, tty, &stop);
                }
            })?;
        Ok(Forwarder {
            handle,
            done,
            thread: Some(thread),
        })
    }

    fn hand_on(driver: &dyn Driver, target: &Target, signal: i32, tty: bool, done: &AtomicBool) {
        if signal == number::SIGWINCH && tty {
            if let Some(size) = tty::window_size() {
                // A container that is gone has no size.
                let _ = driver.resize(target, size);
            }
            return;
        }
        let Ok(signal) = Signal::new(signal) else {
            return;
        };
        while !done.load(Ordering::Acquire) {
            match driver.kill(target, signal) {
                // Not there yet, or no more: then `done` is set soon.
                Err(Error::NotFound { .. } | Error::NotRunning { .. }) => thread::sleep(RETRY),
                Err(error) => {
                    eprintln!("execdriver: forward {signal}: {}", chain(&error));
                    return;
                }
                Ok(()) => return,
            }
        }
    }

    impl Drop for Forwarder {
        fn drop(&mut self) {
            self.done.store(true, Ordering::Release);
            self.handle.close();
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_a_valid_one_and_differs_from_the_last() {
        let (one, two) = (new_id(), new_id());
        assert!(execdriver::ContainerId::parse(&one).is_ok());
        assert_ne!(one, two);
    }
}
