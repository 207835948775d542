//! NUL bytes: C strings end at them, so what follows would silently be lost.

use crate::{Error, Result};
use serde_json::Value;

/// Refuses a NUL byte in any text of `json`, keys included. Looking at the JSON finds every
/// field, also one that is added later.
pub(super) fn refuse(json: &str) -> Result<()> {
    if !json.contains("\\u0000") {
        return Ok(());
    }
    let value: Value =
        serde_json::from_str(json).map_err(|error| Error::invalid("command", error.to_string()))?;
    find("", &value).map_or(Ok(()), |field| Err(error(&field)))
}

/// Refuses a NUL byte in one text.
pub(super) fn refuse_in(field: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(error(field));
    }
    Ok(())
}

fn error(field: &str) -> Error {
    Error::invalid(field, "it has a NUL byte")
}

/// The path of the first text with a NUL byte.
fn find(path: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| path.to_owned()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find(&format!("{path}[{index}]"), item)),
        Value::Object(entries) => entries.iter().find_map(|(key, entry)| {
            if key.contains('\0') {
                return Some(path.to_owned());
            }
            let dot = if path.is_empty() { "" } else { "." };
            find(&format!("{path}{dot}{key}"), entry)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
