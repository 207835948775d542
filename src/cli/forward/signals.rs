//! A thread that hands the signals of this program on to the container.

use crate::failure::{chain, complain};
use crate::tty;
use execdriver::{ContainerInfo, ContainerState, Driver, Error, Signal, Target};
use signal_hook::consts::signal as number;
use signal_hook::iterator::{Handle, Signals};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

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

/// How long a start may take before a signal gives it up.
const START: Duration = Duration::from_millis(500);

/// The thread; it ends when this is dropped.
pub(crate) struct Forwarder {
    handle: Handle,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    done: AtomicBool,
    /// The last signal that was sent, 0 for none.
    sent: AtomicU8,
}

/// Starts to forward. From here on none of these signals ends this program.
///
/// # Errors
/// The system's refusal of a handler or of the thread.
pub(crate) fn start(driver: &Arc<dyn Driver>, target: Target, tty: bool) -> io::Result<Forwarder> {
    // What the caller had us ignore, as nohup(1) does, stays ignored.
    let ignored = ignored();
    let wanted = FORWARDED
        .into_iter()
        .filter(|n| ignored >> (n - 1) & 1 == 0);
    let mut signals = Signals::new(wanted)?;
    let handle = signals.handle();
    let shared = Arc::new(Shared::default());
    let (driver, state) = (Arc::clone(driver), Arc::clone(&shared));
    let thread = thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                match signal {
                    number::SIGWINCH if tty => resize(driver.as_ref(), &target, &state),
                    _ => hand_on(driver.as_ref(), &target, signal, &state),
                }
            }
        })?;
    Ok(Forwarder {
        handle,
        shared,
        thread: Some(thread),
    })
}

impl Forwarder {
    /// Ends the thread, and gives the last signal that the container was sent.
    pub(crate) fn end(self) -> Option<u8> {
        let shared = Arc::clone(&self.shared);
        drop(self);
        Some(shared.sent.load(Ordering::Acquire)).filter(|signal| *signal != 0)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.done.store(true, Ordering::Release);
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The ignored signals, signal n as bit n - 1; none where /proc does not tell (proc_pid_status(5)).
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(0)
}

fn hand_on(driver: &dyn Driver, target: &Target, signal: i32, shared: &Shared) {
    let Ok(signal) = Signal::new(signal) else {
        return;
    };
    await_start(driver, target.container(), shared);
    while !shared.done.load(Ordering::Acquire) {
        match driver.kill(target, signal) {
            // Not there yet, or no more: then `done` is set soon.
            Err(Error::NotFound { .. } | Error::NotRunning { .. }) => thread::sleep(RETRY),
            Err(error) => return complain(&format!("forward {signal}: {}", chain(&error))),
            Ok(()) => {
                let number = u8::try_from(signal.number()).unwrap_or(0);
                return shared.sent.store(number, Ordering::Release);
            }
        }
    }
}

/// Waits until the program runs. A signal that comes earlier gives the start up, also when the
/// program has just said that it is ready for signals, and its start is not written down yet.
fn await_start(driver: &dyn Driver, id: &str, shared: &Shared) {
    let end = Instant::now() + START;
    while !shared.done.load(Ordering::Acquire) && Instant::now() < end {
        let starting = |container: &ContainerInfo| {
            container.id == id && container.state == ContainerState::Starting
        };
        match driver.list() {
            Ok(list) if list.iter().any(starting) => thread::sleep(RETRY),
            _ => return,
        }
    }
}

/// Makes the container's window as large as ours.
fn resize(driver: &dyn Driver, target: &Target, shared: &Shared) {
    // A container that starts has no terminal yet. One that never gets one must not hold up the
    // next signal.
    for _ in 0..100 {
        let Some(size) = tty::window_size() else {
            return;
        };
        if shared.done.load(Ordering::Acquire) || driver.resize(target, size).is_ok() {
            return;
        }
        thread::sleep(RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_ignored_is_known() {
        // Every Rust program ignores SIGPIPE.
        assert_eq!(ignored() >> (number::SIGPIPE - 1) & 1, 1);
        assert_eq!(ignored() >> (number::SIGTERM - 1) & 1, 0);
    }
}
