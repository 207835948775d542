//! A small D-Bus client: calls of one connection, each bounded in time, and the signals between them.
//!
//! It speaks as much of the protocol (dbus.freedesktop.org/doc/dbus-specification.html) as a manager of
//! cgroups needs: unix sockets, EXTERNAL authentication, no descriptors, no services of our own. The
//! libraries at hand bring an asynchronous runtime, a C library, or second versions of a dozen packages
//! that are in the tree already; whoever embeds this driver would carry them for five calls.

mod address;
mod connection;
mod error;
mod message;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub(crate) use connection::Connection;
pub(crate) use error::BusError;
pub(crate) use message::{Call, Message};
pub(crate) use write::{Value, Writer};
