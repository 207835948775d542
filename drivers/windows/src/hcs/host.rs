//! The way to the service: every call bounded, every answer judged.

use super::bounded::{About, bounded};
use super::service::{NO_FUNCTION, Reply, Service};
use super::{Code, HcsError};
use std::sync::Arc;
use std::time::Duration;

/// The service and how long it may take for one call or operation.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) bound: Duration,
}

impl Host {
    /// Calls the service on a thread of its own. `late` gets what a call gives that nobody waits for any more.
    ///
    /// # Errors
    /// The call's failure; `Missing`; `Timeout`.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        call: &'static str,
        object: &str,
        work: impl FnOnce(&dyn Service) -> Reply<T> + Send + 'static,
        late: impl FnOnce(&dyn Service, T) + Send + 'static,
    ) -> Result<Reply<T>, HcsError> {
        let (service, of_late) = (Arc::clone(&self.service), Arc::clone(&self.service));
        let reply = bounded(
            self.about(call, object),
            move || work(service.as_ref()),
            move |reply: Reply<T>| {
                if !reply.code.failed() {
                    late(of_late.as_ref(), reply.value);
                }
            },
        )?;
        judge(call, object, reply)
    }

    /// A call that makes nothing which would have to be taken away again.
    ///
    /// # Errors
    /// As [`Host::call`].
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        call: &'static str,
        object: &str,
        work: impl FnOnce(&dyn Service) -> Reply<T> + Send + 'static,
    ) -> Result<Reply<T>, HcsError> {
        self.call(call, object, work, |_, _| ())
    }

    /// Gives handles back. Nobody could do anything about a failure.
    pub(crate) fn release(
        &self,
        call: &'static str,
        work: impl FnOnce(&dyn Service) + Send + 'static,
    ) {
        let service = Arc::clone(&self.service);
        let _ = bounded(
            self.about(call, "a handle"),
            move || work(service.as_ref()),
            |()| (),
        );
    }

    pub(crate) fn about<'a>(&self, call: &'static str, object: &'a str) -> About<'a> {
        About {
            call,
            object,
            bound: self.bound,
        }
    }
}

/// The reply, if it is none of a failure.
///
/// # Errors
/// `Missing`, `Call`.
fn judge<T>(call: &'static str, object: &str, reply: Reply<T>) -> Result<Reply<T>, HcsError> {
    if reply.code == NO_FUNCTION {
        return Err(HcsError::Missing { call });
    }
    if reply.code.failed() {
        return Err(failed(call, object, reply.code, reply.answer));
    }
    Ok(reply)
}

/// The error of a failed call.
pub(crate) fn failed(call: &'static str, object: &str, code: Code, answer: String) -> HcsError {
    HcsError::Call {
        call,
        object: object.to_owned(),
        code,
        answer,
    }
}
