//! Mounts and network.

use super::{absolute, linux::id_maps};
use crate::{ContainerId, Error, Mount, MountIdMap, Network, Result, mount::clean_path};
use std::collections::HashMap;

pub(super) fn network(network: Option<&Network>) -> Result<()> {
    let Some(network) = network else {
        return Ok(());
    };
    joined("network.container_id", &network.container_id)?;
    match network.namespace_path.to_str() {
        Some("") | None => Ok(()),
        Some(path) => absolute("network.namespace_path", path),
    }
}

/// Refuses the id of a container to join, if there is one, when it cannot be an id.
pub(super) fn joined(field: &str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Ok(());
    }
    ContainerId::check(id).map_err(|error| match error {
        Error::InvalidCommand { reason, .. } => Error::invalid(field, reason),
        other => other,
    })
}

pub(super) fn linux_mounts(mounts: &[Mount]) -> Result<()> {
    let mut seen = Destinations::default();
    for (index, mount) in mounts.iter().enumerate() {
        let field = |key: &str| format!("mounts[{index}].{key}");
        absolute(&field("destination"), &mount.destination)?;
        if !mount.is_tmpfs() {
            absolute(&field("source"), &mount.source.to_string_lossy())?;
            if !mount.data.is_empty() {
                let reason = "only a mount whose source is tmpfs has options";
                return Err(Error::invalid(field("data"), reason));
            }
        }
        if let Some(map) = &mount.idmap {
            idmap(&field("idmap"), mount, map)?;
        }
        let destination = clean_path(&mount.destination);
        if destination == "/" {
            let reason = "mounting into / is prohibited";
            return Err(Error::invalid(field("destination"), reason));
        }
        if destination == "/proc" || destination.starts_with("/proc/") {
            let reason = format!("{destination:?} is in /proc, where mounting is prohibited");
            return Err(Error::invalid(field("destination"), reason));
        }
        seen.add(index, destination, &mount.destination)?;
    }
    Ok(())
}

fn idmap(field: &str, mount: &Mount, map: &MountIdMap) -> Result<()> {
    if mount.is_tmpfs() {
        let reason = "a new tmpfs has no owners to map, expected the source to be a path";
        return Err(Error::invalid(field, reason));
    }
    if map.is_own() {
        return Ok(());
    }
    for (name, ranges) in [("uid", &map.uid), ("gid", &map.gid)] {
        let field = format!("{field}.{name}");
        if ranges.is_empty() {
            let reason = "it is empty, expected ranges for users and for groups, or for neither";
            return Err(Error::invalid(field, reason));
        }
        id_maps(&field, ranges)?;
    }
    Ok(())
}

pub(super) fn windows_mounts(mounts: &[Mount]) -> Result<()> {
    let mut seen = Destinations::default();
    for (index, mount) in mounts.iter().enumerate() {
        if mount.source.as_os_str().is_empty() {
            let reason = "it is empty, expected a path of the host";
            return Err(Error::invalid(format!("mounts[{index}].source"), reason));
        }
        // Windows does not tell upper from lower case, nor / from \.
        let destination = mount.destination.replace('/', "\\").to_lowercase();
        let drive = destination
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphabetic)
            && destination.get(1..3) == Some(":\\");
        if !drive && !destination.starts_with("\\\\") {
            let reason = format!(
                "{:?} is not absolute, expected a path like C:\\data",
                mount.destination
            );
            return Err(Error::invalid(
                format!("mounts[{index}].destination"),
                reason,
            ));
        }
        let destination = destination.trim_end_matches('\\').to_owned();
        seen.add(index, destination, &mount.destination)?;
    }
    Ok(())
}

/// The destinations so far, cleaned, with the mount's place.
#[derive(Default)]
struct Destinations(HashMap<String, usize>);

impl Destinations {
    fn add(&mut self, index: usize, destination: String, as_given: &str) -> Result<()> {
        let Some(first) = self.0.insert(destination, index) else {
            return Ok(());
        };
        let reason = format!("{as_given:?} is the destination of mounts[{first}] too");
        Err(Error::invalid(
            format!("mounts[{index}].destination"),
            reason,
        ))
    }
}
