//! Ctrl-C and Ctrl-Break of this program's console, handed on to the container.

use crate::failure::{chain, complain};
use execdriver::{Driver, Error, Signal, Target};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

/// How long to wait before a signal is tried again on a container that is not there yet.
const RETRY: Duration = Duration::from_millis(5);

/// Forwards until it is ended.
pub(crate) struct Forwarder(Arc<Shared>);

#[derive(Default)]
struct Shared {
    done: AtomicBool,
    /// Whether a Ctrl-C was handed on already.
    asked: AtomicBool,
    /// The last signal that was sent, 0 for none.
    sent: AtomicU8,
}

/// Starts to forward. From here on Ctrl-C does not end this program: the first is handed on, and a second one, which the
/// program inside has not heard, kills it.
///
/// # Errors
/// The system's refusal of a handler.
pub(crate) fn start(driver: &Arc<dyn Driver>, target: Target, _: bool) -> io::Result<Forwarder> {
    let shared = Arc::new(Shared::default());
    let (driver, state) = (Arc::clone(driver), Arc::clone(&shared));
    let forward = move || hand_on(driver.as_ref(), &target, &state);
    ctrlc::set_handler(forward).map_err(io::Error::other)?;
    Ok(Forwarder(shared))
}

impl Forwarder {
    /// Forwards no more, and gives the last signal that the container was sent.
    pub(crate) fn end(self) -> Option<u8> {
        self.0.done.store(true, Ordering::Release);
        Some(self.0.sent.load(Ordering::Acquire)).filter(|signal| *signal != 0)
    }
}

fn hand_on(driver: &dyn Driver, target: &Target, shared: &Shared) {
    let signal = match shared.asked.swap(true, Ordering::AcqRel) {
        false => Signal::INT,
        true => Signal::KILL,
    };
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
