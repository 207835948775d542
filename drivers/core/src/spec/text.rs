//! What every text of a command must satisfy before it can become a C string of the kernel.

use crate::{Error, Result};
use std::fmt;

/// Refuses a NUL byte, which would silently cut the text.
pub(super) fn no_nul(field: fmt::Arguments<'_>, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(invalid(field, format!("got a NUL byte in {text:?}")));
    }
    Ok(())
}

/// An [`Error::InvalidCommand`] whose field is only put together when it is needed.
pub(super) fn invalid(field: fmt::Arguments<'_>, reason: impl Into<String>) -> Error {
    Error::invalid(field.to_string(), reason)
}
