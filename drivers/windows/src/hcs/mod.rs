//! Containers of the Host Compute Service.
//!
//! ```text
//!  backend    the two traits of a back-end
//!  system,    one compute system or process that is held: calls, and waits for their ends
//!  process,
//!  ends
//!  freeze     what the service does not pause, suspended process by process
//!  host       the way to the service: every call on a thread of its own, bounded
//!  board      where notices arrive
//!  service    the functions: the library's, or a service in memory
//!  document   what is asked for, and properties and answers: what is told
//! ```

mod answer;
mod backend;
pub(crate) mod board;
mod bounded;
mod code;
mod controls;
pub(crate) mod document;
mod ends;
mod error;
mod folders;
mod freeze;
mod guid;
mod hns;
mod host;
#[cfg(test)]
#[cfg(windows)]
mod leaks;
#[cfg(test)]
mod memory;
mod network;
mod process;
mod properties;
pub(crate) mod service;
mod system;
#[cfg(test)]
mod tests;

pub(crate) use answer::answer_text;
#[cfg(any(windows, test))]
pub(crate) use backend::{HcsBackend, HcsSettings};
pub(crate) use board::Board;
pub(crate) use code::{Code, Meaning};
pub(crate) use error::HcsError;
pub(crate) use guid::guid_text;
pub(crate) use service::{Operation, Service};

/// Whose the compute systems are.
pub(crate) const OWNER: &str = "execdriver";

/// The back-end over this host's compute service.
///
/// # Errors
/// `Unsupported` when the host has none, `InvalidOption` for what today's services know nothing of.
#[cfg(windows)]
pub(crate) fn open(settings: &crate::settings::Settings) -> execdriver_core::Result<HcsBackend> {
    use execdriver_core::Error;
    if settings.dummy {
        return Err(Error::InvalidOption {
            driver: crate::NAME.to_owned(),
            key: "dummy".to_owned(),
            value: "1".to_owned(),
            reason: "no compute service since Docker 1.10's makes dummies".to_owned(),
        });
    }
    let library = crate::sys::hcs::Library::load(settings.hcs_library.as_deref());
    let library = library.map_err(|error| {
        let reason = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Error::unsupported(crate::NAME, format!("windows.backend=hcs here ({reason})"))
    })?;
    let settings = HcsSettings {
        schema: settings.schema,
        isolation: settings.isolation,
        bound: settings.hcs_timeout.unwrap_or(backend::BOUND),
        machine_memory: crate::sys::memory::total().unwrap_or(0),
        ..HcsSettings::default()
    };
    Ok(HcsBackend::new(std::sync::Arc::new(library), settings))
}
