//! Calls that may block for ever, on threads of their own, waited for up to a bound.

use super::HcsError;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What a call is about, for its error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The call's name.
    pub(crate) call: &'static str,
    /// Whose it is: `container "web-1"`.
    pub(crate) object: &'a str,
    /// How long it may take.
    pub(crate) bound: Duration,
}

impl About<'_> {
    /// The error of a call that took longer.
    pub(crate) fn timeout(&self) -> HcsError {
        HcsError::Timeout {
            call: self.call,
            object: self.object.to_owned(),
            bound: self.bound,
        }
    }
}

/// Runs `work` on a thread of its own and returns what it gives. When it takes longer than the bound the thread is left
/// to it, and `late` gets what it gives in the end.
///
/// # Errors
/// [`HcsError::Timeout`]; [`HcsError::Thread`] when no thread can be had.
pub(crate) fn bounded<T: Send + 'static>(
    about: About<'_>,
    work: impl FnOnce() -> T + Send + 'static,
    late: impl FnOnce(T) + Send + 'static,
) -> Result<T, HcsError> {
    let (give, get) = mpsc::sync_channel(0);
    let thread = thread::Builder::new().name(about.call.to_owned());
    // A rendezvous: either it was received, or whoever waited has gone.
    let worker = thread.spawn(move || {
        if let Err(mpsc::SendError(value)) = give.send(work()) {
            late(value);
        }
    });
    let worker = worker.map_err(|source| HcsError::Thread {
        call: about.call,
        object: about.object.to_owned(),
        source,
    })?;
    match get.recv_timeout(about.bound) {
        Ok(value) => {
            // It has nothing left to do, and is gone when this returns.
            let _ = worker.join();
            Ok(value)
        }
        // The call has panicked, which none of ours does: as good as no answer.
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(about.timeout()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(bound: Duration) -> About<'static> {
        About {
            call: "HcsTest",
            object: "container \"x\"",
            bound,
        }
    }

    #[test]
    fn what_answers_in_time_is_returned() {
        let about = about(Duration::from_secs(60));
        let value = bounded(about, || 7, |_| unreachable!("it was in time"));
        assert_eq!(value.unwrap(), 7);
    }

    #[test]
    fn what_does_not_is_named_with_its_bound_and_its_late_value_is_disposed_of() {
        let (answer, wait) = mpsc::channel::<u8>();
        let (late, seen) = mpsc::channel();
        let work = move || wait.recv().unwrap_or_default();
        let error = bounded(about(Duration::from_millis(10)), work, move |value| {
            late.send(value).unwrap();
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "HcsTest of container \"x\" was not finished after 10ms"
        );
        answer.send(9).unwrap();
        assert_eq!(seen.recv(), Ok(9));
    }
}
