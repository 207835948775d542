//! The signals of this program, handed on to the container.

#[cfg(unix)]
mod signals;

#[cfg(unix)]
pub(crate) use signals::start;

#[cfg(not(unix))]
mod none {
    //! No signals are forwarded where there are none.

    use execdriver::{Driver, Target};
    use std::sync::Arc;

    /// Stands for the thread that is not needed.
    pub(crate) struct Forwarder;

    impl Forwarder {
        pub(crate) fn end(self) -> Option<u8> {
            None
        }
    }

    pub(crate) fn start(_: &Arc<dyn Driver>, _: Target, _: bool) -> std::io::Result<Forwarder> {
        Ok(Forwarder)
    }
}

#[cfg(not(unix))]
pub(crate) use none::start;
