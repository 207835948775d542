//! Records as they are read: of our version, and of the container that they are found with.

use super::dir::{self, Named};
use super::entry::{STATE, exec_name, not_found};
use super::error::StateError;
use super::record::{ExecRecord, Record, VERSION};
use crate::shared_text::SharedText;
use serde::de::DeserializeOwned;
use std::os::fd::AsFd;
use std::path::Path;

/// Far above any real state (argument lists are bounded by the kernel) and far below what hurts.
const MAX_BYTES: usize = 16 << 20;

/// Reads the record of a container.
pub(super) fn read_record(
    dir: impl AsFd,
    root: &Path,
    id: &SharedText,
) -> Result<Record, StateError> {
    let path = Named::entry(root, id).file(STATE);
    let mut record: Record = read(dir, STATE, path, root, id, |record: &Record| record.version)?;
    if record.id != *id {
        return Err(StateError::Corrupt {
            path: path.into(),
            reason: format!("it is the record of {:?}", record.id),
        });
    }
    // The same text, once.
    record.id = id.clone();
    Ok(record)
}

/// Reads the record of an exec.
pub(super) fn read_exec(
    dir: impl AsFd,
    root: &Path,
    id: &str,
    exec: &str,
) -> Result<ExecRecord<'static>, StateError> {
    let name = exec_name(exec)?;
    let path = Named::entry(root, id).file(&name);
    read(dir, &name, path, root, exec, |record: &ExecRecord<'_>| {
        record.version
    })
}

fn read<T: DeserializeOwned>(
    dir: impl AsFd,
    name: &str,
    path: Named<'_>,
    root: &Path,
    id: &str,
    version: impl Fn(&T) -> u32,
) -> Result<T, StateError> {
    let text = dir::read(dir.as_fd(), name, path, MAX_BYTES)?.ok_or_else(|| not_found(root, id))?;
    let corrupt = |error: serde_json::Error| StateError::Corrupt {
        path: path.into(),
        reason: error.to_string(),
    };
    let other = |found: u64| StateError::Version {
        path: path.into(),
        found,
        expected: VERSION,
    };
    match serde_json::from_slice(&text) {
        Ok(record) if version(&record) == VERSION => Ok(record),
        Ok(record) => Err(other(u64::from(version(&record)))),
        // Another version may well have other fields: then its number is the reason.
        Err(error) => match serde_json::from_slice::<Header>(&text) {
            Ok(header) if header.version != u64::from(VERSION) => Err(other(header.version)),
            _ => Err(corrupt(error)),
        },
    }
}

#[derive(serde::Deserialize)]
struct Header {
    version: u64,
}
