//! The state on disk: what a process that did not start a container needs to act on it.
//!
//! `<driver root>/<id>/` is a directory of mode 0700 with `state.json` and one `exec-<id>.json`
//! for each running exec. A file is replaced by writing a new one and renaming it, so a reader
//! needs no lock and never sees half of it. Transitions (start, exec, terminate, clean) take the
//! directory's lock ([`Entry::lock`]) for the moment of the change and never while they wait.
//!
//! A recorded pid is only believed together with the boot id, the pid namespace that it was
//! recorded in and its start time ([`ProcessId`]): a stale or reused pid is never signalled.

mod dir;
mod entry;
mod error;
mod lists;
mod process;
mod read;
mod record;
mod store;
mod terminal;
#[cfg(test)]
mod tests;
mod unread;
mod words;

pub(crate) use entry::{Entry, Locked, NOTIFY, NOTIFY_SOCKET};
pub(crate) use error::StateError;
pub(crate) use process::{Liveness, ProcessId, boot_id};
pub(crate) use record::{
    BundleRecord, CgroupRecord, ExecRecord, HierarchyRecord, NamespaceRecord, Record, Status,
    TerminalRecord, UnitRecord, now_unix_ms,
};
pub(crate) use store::{LOCK_PATIENCE, Store};
pub(crate) use unread::Unread;
