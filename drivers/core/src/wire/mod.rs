//! The JSON of commands and stats, byte for byte the original's.
//!
//! Go's embedding makes one flat object of common and platform keys. It is read into a mirror
//! ([`mirror`]) in which every key is optional, so that the keys that are there decide the
//! platform; the mirror is then turned into the type that callers see. Writing goes the same way
//! back. Types without platform-dependent keys are (de)serialised as they are.

mod command;
pub(crate) mod fields;
mod go;
mod mirror;

mod parts;
mod stats;

use crate::{Command, Error, ResourceStats, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::path::Path;

impl Command {
    /// Reads the JSON of either platform, on any operating system.
    ///
    /// The keys decide the platform; only common keys make a Linux command. An absent key has
    /// its zero value, `null` is an empty list. The content is not judged: see
    /// [`Command::validate`].
    ///
    /// ```
    /// use execdriver_core::Command;
    /// let command = Command::from_json(r#"{"id": "a", "process_config": {"entrypoint": "sh"}}"#)?;
    /// assert_eq!(command.process.entrypoint, "sh");
    /// let error = Command::from_json(r#"{"process_config": {"tty": 1}}"#).unwrap_err();
    /// assert!(error.to_string().starts_with("invalid process_config.tty: "));
    /// # Ok::<(), execdriver_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidCommand` that names the key: not JSON, unknown or twice, of a wrong type, a number
    /// out of range, keys of both platforms.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self> {
        parse(json.as_ref(), "command", command::decode)
    }

    /// Writes the JSON as the original's encoder did, without white space and with `&`, `<` and
    /// `>` escaped. Our additions are absent when they have their default.
    ///
    /// # Errors
    /// `InvalidCommand`: a path is not Unicode, or a field is set that its platform does not have.
    pub fn to_json(&self) -> Result<String> {
        go::to_string(&command::encode(self)?)
    }

    /// Whether a text of the JSON has a NUL byte.
    pub(crate) fn has_nul(&self) -> Result<bool> {
        go::has_nul(&command::encode(self)?)
    }
}

impl ResourceStats {
    /// Reads the JSON of a container's counters.
    ///
    /// # Errors
    /// As for [`Command::from_json`].
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self> {
        parse(json.as_ref(), "stats", stats::decode)
    }

    /// Writes the JSON as the original's encoder did.
    ///
    /// # Errors
    /// None is known.
    pub fn to_json(&self) -> Result<String> {
        go::to_string(&stats::encode(self)?)
    }
}

/// With serde's own writers `&`, `<` and `>` are not escaped; [`Command::to_json`] does that.
impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        command::encode(self)
            .map_err(ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "command", command::decode).map_err(de::Error::custom)
    }
}

impl Serialize for ResourceStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        stats::encode(self)
            .map_err(ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResourceStats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "stats", stats::decode).map_err(de::Error::custom)
    }
}

fn parse<'de, M, T>(json: &'de [u8], whole: &str, decode: fn(M) -> Result<T>) -> Result<T>
where
    M: Deserialize<'de>,
{
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = read(&mut deserializer, whole, decode)?;
    deserializer
        .end()
        .map_err(|error| Error::invalid(whole, error.to_string()))?;
    Ok(value)
}

/// Reads a mirror, and names the key in the error.
fn read<'de, D, M, T>(deserializer: D, whole: &str, decode: fn(M) -> Result<T>) -> Result<T>
where
    D: Deserializer<'de>,
    M: Deserialize<'de>,
{
    let mirror: mirror::Object<M> =
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            let field = match path.as_str() {
                "." | "?" => whole,
                path => path,
            };
            Error::invalid(field, plain_words(&error.inner().to_string()))
        })?;
    decode(mirror.0)
}

/// Says what was expected in JSON's words instead of serde's and Rust's.
fn plain_words(message: &str) -> String {
    let Some((got, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let (expected, at) = match expected.find(" at line ") {
        Some(at) => expected.split_at(at),
        None => (expected, ""),
    };
    let expected = match expected {
        "a sequence" => "a list".to_owned(),
        "u16" => format!("0 to {}", u16::MAX),
        "u32" => format!("0 to {}", u32::MAX),
        "u64" => format!("0 to {}", u64::MAX),
        "i32" => format!("{} to {}", i32::MIN, i32::MAX),
        "i64" => format!("{} to {}", i64::MIN, i64::MAX),
        other => other.to_owned(),
    };
    let got = got
        .replace("invalid type: sequence", "invalid type: list")
        .replace("invalid type: map", "invalid type: object");
    format!("{got}, expected {expected}{at}")
}

/// A path as text; JSON has nothing else.
fn path_text(field: &str, path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid(field, format!("{path:?} is not Unicode, which JSON needs")))
}
