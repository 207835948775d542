//! `config.json` and the process of an exec: from text to the document, or one line that names the field.
//!
//! ```text
//! text -> strict (no key twice) -> fields (what has to be there) -> lenient (capabilities) -> the crate's types -> judge
//! ```
//! Unknown properties are ignored (config.md, extensibility); values that are not understood are errors.

mod fields;
mod judge;
mod lenient;
mod strict;

use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A document that was understood.
#[derive(Debug)]
pub(crate) struct Document<T> {
    pub(crate) content: T,
    /// A sentence for each thing that is left out.
    pub(crate) warnings: Vec<String>,
}

/// Reads `config.json`.
///
/// # Errors
/// One line that names the field, or the place in the text.
pub(crate) fn config(text: &[u8]) -> Result<Document<Spec>, String> {
    let mut value = strict::parse(text)?;
    fields::config(&value)?;
    let warnings = lenient::config(&mut value);
    let content: Spec = typed(value)?;
    judge::config(&content)?;
    Ok(Document { content, warnings })
}

/// Reads the process of an exec.
///
/// # Errors
/// As for [`config`].
pub(crate) fn process(text: &[u8]) -> Result<Document<Process>, String> {
    let mut value = strict::parse(text)?;
    fields::process(&value)?;
    let warnings = lenient::process(&mut value, "process");
    let content: Process = typed(value)?;
    judge::process(&content)?;
    Ok(Document { content, warnings })
}

/// Reads the limits of an update.
///
/// # Errors
/// As for [`config`].
pub(crate) fn resources(text: &[u8]) -> Result<LinuxResources, String> {
    let content: LinuxResources = typed(strict::parse(text)?)?;
    limits(&content)?;
    Ok(content)
}

/// Judges limits however they were said.
///
/// # Errors
/// As for [`config`].
pub(crate) fn limits(asked: &LinuxResources) -> Result<(), String> {
    judge::resources(asked)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        format!("{path}: {}", error.into_inner())
    })
}

#[cfg(test)]
mod tests;
