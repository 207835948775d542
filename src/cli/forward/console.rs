//! Ctrl-C and Ctrl-Break of this program's console, and its size, handed on to the container.

use crate::failure::{chain, complain};
use crate::tty;
use execdriver::{Driver, Error, Signal, Target, WindowSize};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to wait before a signal is tried again on a container that is not there yet.
const RETRY: Duration = Duration::from_millis(5);

/// Between two looks at the console's size, of which only a program that reads its events is told.
const LOOK: Duration = Duration::from_millis(250);

/// Forwards until it is ended.
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    /// Who looks at the size.
    watcher: Option<JoinHandle<()>>,
}

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
/// The system's refusal of a handler or of a thread.
pub(crate) fn start(driver: &Arc<dyn Driver>, target: Target, tty: bool) -> io::Result<Forwarder> {
    let shared = Arc::new(Shared::default());
    let watcher = match tty {
        true => Some(watch(
            Arc::clone(driver),
            target.clone(),
            Arc::clone(&shared),
        )?),
        false => None,
    };
    let (driver, state) = (Arc::clone(driver), Arc::clone(&shared));
    let forward = move || hand_on(driver.as_ref(), &target, &state);
    let forwarder = Forwarder { shared, watcher };
    match ctrlc::set_handler(forward) {
        Ok(()) => Ok(forwarder),
        Err(error) => {
            forwarder.end();
            Err(io::Error::other(error))
        }
    }
}

fn watch(
    driver: Arc<dyn Driver>,
    target: Target,
    shared: Arc<Shared>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("console".into())
        .spawn(move || {
            let goes_on = || {
                // Ended at once by `unpark`.
                thread::park_timeout(LOOK);
                !shared.done.load(Ordering::Acquire)
            };
            follow(tty::window_size, goes_on, |size| {
                driver.resize(&target, size).is_ok()
            });
        })
}

/// Hands on each size that differs from the last that was taken, as long as `goes_on`.
fn follow(
    size: impl Fn() -> Option<WindowSize>,
    goes_on: impl Fn() -> bool,
    resize: impl Fn(WindowSize) -> bool,
) {
    let mut told = None;
    while goes_on() {
        let now = size();
        // One that is not taken, as the container is not there yet, is tried again.
        if now != told && now.is_some_and(&resize) {
            told = now;
        }
    }
}

impl Forwarder {
    /// Forwards no more, and gives the last signal that the container was sent.
    pub(crate) fn end(self) -> Option<u8> {
        self.shared.done.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher {
            watcher.thread().unpark();
            let _ = watcher.join();
        }
        Some(self.shared.sent.load(Ordering::Acquire)).filter(|signal| *signal != 0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    #[test]
    fn a_new_size_is_handed_on_once_and_again_when_it_was_not_taken() {
        let size = |rows| Some(WindowSize { rows, columns: 80 });
        let sizes = [None, size(24), size(24), size(24), size(50), size(50)];
        let (turn, taken) = (Cell::new(0), RefCell::new(Vec::new()));
        let next = || {
            turn.set(turn.get() + 1);
            turn.get() <= sizes.len()
        };
        let refused = Cell::new(false);
        follow(
            || sizes[turn.get() - 1],
            next,
            |size| {
                // The first time the container is not there yet.
                let first = !refused.replace(true);
                taken.borrow_mut().push(size.rows);
                !first
            },
        );
        assert_eq!(taken.into_inner(), [24, 24, 50]);
    }
}
