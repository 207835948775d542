//! The id ranges of a user namespace: user_namespaces(7).

use super::oci;
use super::text::invalid;
use crate::{IdMap, LinuxCommand, Result};
use oci_spec::runtime::LinuxIdMapping;

/// The kernel takes no more ranges a map (since Linux 4.15).
const MAX_RANGES: usize = 340;

/// Whether the command asks for a user namespace: by a remapped root, or by any range.
pub(super) fn wants_user_namespace(linux: &LinuxCommand) -> bool {
    let remapped = linux
        .remapped_root
        .is_some_and(|root| root.uid != 0 || root.gid != 0);
    remapped || !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty()
}

/// The checked maps of user and group ids; empty without a user namespace.
pub(super) fn translate(
    linux: &LinuxCommand,
) -> Result<(Vec<LinuxIdMapping>, Vec<LinuxIdMapping>)> {
    if !wants_user_namespace(linux) {
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
        return Err(invalid(
            format_args!("{field}"),
            format!("got {} ranges, expected 1 to {MAX_RANGES}", ranges.len()),
        ));
    }
    for (index, range) in ranges.iter().enumerate() {
        check(field, index, range, &ranges[..index])?;
    }
    let host_root = ranges
        .iter()
        .find(|range| range.container_id == 0)
        .map(|range| range.host_id);
    match (host_root, root) {
        (None, _) => Err(invalid(
            format_args!("{field}"),
            "got no range with container_id 0, expected one: set-up runs as the container's root",
        )),
        (Some(mapped), Some(asked)) if mapped != asked => Err(invalid(
            format_args!("remap_root"),
            format!("got {asked}, but {field} maps the container's root to {mapped}"),
        )),
        _ => ranges.iter().map(oci::id_mapping).collect(),
    }
}

fn check(field: &str, index: usize, range: &IdMap, earlier: &[IdMap]) -> Result<()> {
    let problem = if range.size == 0 {
        "got size 0, expected at least 1".to_owned()
    } else if overflows(range.container_id, range.size) || overflows(range.host_id, range.size) {
        format!("got size {}, expected no id above 4294967294", range.size)
    } else if let Some(other) = earlier.iter().position(|other| overlap(range, other)) {
        format!("it overlaps {field}[{other}]")
    } else {
        return Ok(());
    };
    Err(invalid(format_args!("{field}[{index}]"), problem))
}

/// 4294967295 is "no id" to the kernel, so the range may end just before it.
fn overflows(first: u32, size: u32) -> bool {
    first.checked_add(size).is_none()
}

fn overlap(a: &IdMap, b: &IdMap) -> bool {
    let cross = |a: u32, a_size: u32, b: u32, b_size: u32| {
        let (a, b) = (u64::from(a), u64::from(b));
        a < b + u64::from(b_size) && b < a + u64::from(a_size)
    };
    cross(a.container_id, a.size, b.container_id, b.size)
        || cross(a.host_id, a.size, b.host_id, b.size)
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
    fn bad_ranges_name_their_place() {
        let good = [range(0, 1000, 10)];
        for (ranges, root, expected) in [
            (vec![], Some((1, 1)), "invalid uidmapping: got 0 ranges"),
            (
                vec![range(0, 1, 0)],
                None,
                "invalid uidmapping[0]: got size 0",
            ),
            (
                vec![range(0, u32::MAX, 2)],
                None,
                "invalid uidmapping[0]: got size 2",
            ),
            (
                vec![range(1, 1000, 5)],
                None,
                "invalid uidmapping: got no range",
            ),
            (
                vec![range(0, 1000, 10), range(9, 5000, 1)],
                None,
                "invalid uidmapping[1]: it overlaps uidmapping[0]",
            ),
            (
                vec![range(0, 1000, 10), range(10, 1009, 1)],
                None,
                "invalid uidmapping[1]: it overlaps uidmapping[0]",
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
