//! The id ranges of a user namespace: user_namespaces(7).

use super::oci;
use crate::validate::MAX_RANGES;
use crate::{Error, IdMap, LinuxCommand, Result, UserNamespace};
use oci_spec::runtime::LinuxIdMapping;

/// Whether the command asks for a user namespace: by its name, by a remapped root, or by any
/// range.
pub(super) fn wants_user_namespace(linux: &LinuxCommand) -> bool {
    is_drivers_choice(linux) || has_maps(linux)
}

/// Whether the ids are those that the host gives to the caller, which only a driver finds out.
fn is_drivers_choice(linux: &LinuxCommand) -> bool {
    let choice = linux.user_namespace;
    matches!(choice, UserNamespace::Auto | UserNamespace::KeepId)
}

fn has_maps(linux: &LinuxCommand) -> bool {
    let remapped = linux
        .remapped_root
        .is_some_and(|root| root.uid != 0 || root.gid != 0);
    remapped || !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty()
}

/// The checked maps of user and group ids; empty without a user namespace, and where the driver
/// chooses.
pub(super) fn translate(
    linux: &LinuxCommand,
) -> Result<(Vec<LinuxIdMapping>, Vec<LinuxIdMapping>)> {
    if !has_maps(linux) {
        return Ok((Vec::new(), Vec::new()));
    }
    let root = linux.remapped_root;
    let uids = map("uidmapping", &linux.uid_mappings, root.map(|root| root.uid))?;
    let gids = map("gidmapping", &linux.gid_mappings, root.map(|root| root.gid))?;
    Ok((uids, gids))
}

/// Whether the container's `id` exists in the checked `map`; without a map every id does.
pub(super) fn maps(map: &[LinuxIdMapping], id: u32) -> bool {
    map.is_empty()
        || map.iter().any(|range| {
            id.checked_sub(range.container_id())
                .is_some_and(|offset| offset < range.size())
        })
}

fn map(field: &str, ranges: &[IdMap], root: Option<u32>) -> Result<Vec<LinuxIdMapping>> {
    if ranges.is_empty() || ranges.len() > MAX_RANGES {
        return Err(Error::invalid(
            field,
            format!("got {} ranges, expected 1 to {MAX_RANGES}", ranges.len()),
        ));
    }
    let host_root = ranges
        .iter()
        .find(|range| range.container_id == 0)
        .map(|range| range.host_id);
    match (host_root, root) {
        (None, _) => Err(Error::invalid(
            field,
            "got no range with container_id 0, expected one: set-up runs as the container's root",
        )),
        (Some(mapped), Some(asked)) if mapped != asked => Err(Error::invalid(
            "remap_root",
            format!("got {asked}, but {field} maps the container's root to {mapped}"),
        )),
        _ => ranges.iter().map(oci::id_mapping).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RemappedRoot;

    fn range(container_id: u32, host_id: u32, size: u32) -> IdMap {
        IdMap {
            container_id,
            host_id,
            size,
        }
    }

    fn with(uid: &[IdMap], gid: &[IdMap], root: Option<(u32, u32)>) -> LinuxCommand {
        LinuxCommand {
            uid_mappings: uid.to_vec(),
            gid_mappings: gid.to_vec(),
            remapped_root: root.map(|(uid, gid)| RemappedRoot { uid, gid }),
            ..LinuxCommand::default()
        }
    }

    #[test]
    fn userns_maps_are_taken_over() {
        let ranges = [range(0, 100_000, 65536)];
        let (uids, gids) = translate(&with(&ranges, &ranges, Some((100_000, 100_000)))).unwrap();
        assert_eq!(uids, gids);
        assert!(maps(&uids, 5) && maps(&uids, 65535) && !maps(&uids, 65536));
    }

    #[test]
    fn without_a_remapped_root_and_ranges_there_is_no_user_namespace() {
        assert!(!wants_user_namespace(&with(&[], &[], Some((0, 0)))));
        assert!(wants_user_namespace(&with(&[], &[], Some((0, 1)))));
        assert!(wants_user_namespace(&with(&[range(0, 0, 1)], &[], None)));
    }

    #[test]
    fn maps_without_the_containers_root_or_with_another_are_refused() {
        let good = [range(0, 1000, 10)];
        for (ranges, root, expected) in [
            (vec![], Some((1, 1)), "invalid uidmapping: got 0 ranges"),
            (
                vec![range(1, 1000, 5)],
                None,
                "invalid uidmapping: got no range",
            ),
            (good.to_vec(), Some((7, 1000)), "invalid remap_root: got 7"),
        ] {
            let error = translate(&with(&ranges, &good, root))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = translate(&with(&good, &[], None)).unwrap_err().to_string();
        assert!(
            error.starts_with("invalid gidmapping: got 0 ranges"),
            "{error}"
        );
    }
}
