//! The ids of a new user namespace: which of them the caller may give, and who writes the maps.

use super::{Host, PlanError};
use crate::facts::{SubIds, SubRange};
#[cfg(test)]
use crate::launch::outside;
use crate::launch::{IdHelpers, IdMaps, IdRange, one_line as text};
use execdriver_core::Spec;
use execdriver_core::UserNamespace;
use execdriver_core::spec::User;
use oci_spec::runtime::LinuxIdMapping;

/// What the kernel takes (user_namespaces(7)).
const MAX_RANGES: usize = 340;
/// `(uid_t)-1` is nobody's.
const NO_ID: u64 = u32::MAX as u64;

/// Whether the plan for `spec` depends on /etc/subuid and /etc/subgid: they are read for it only.
pub(crate) fn asks_sub_ids(spec: &Spec, host: &Host) -> bool {
    let choice = spec.user_namespace;
    let chosen = matches!(choice, UserNamespace::Auto | UserNamespace::KeepId);
    let (uids, gids) = asked(spec);
    let explicit = !uids.is_empty() || !gids.is_empty();
    chosen || (!host.is_root() && (explicit || gains_by_a_range(spec)))
}

/// The maps of a container that makes a user namespace.
pub(super) fn decide(spec: &Spec, host: &Host) -> Result<IdMaps, PlanError> {
    let (uids, gids) = asked(spec);
    if !uids.is_empty() || !gids.is_empty() {
        return explicit(uids, gids, host);
    }
    match spec.user_namespace {
        UserNamespace::Auto => ranges_of(host, None),
        UserNamespace::KeepId => ranges_of(host, Some((host.uid, host.gid))),
        // Their ids are the caller's own affair, and only root may leave them to be written later.
        UserNamespace::Unset | UserNamespace::Host if host.is_root() => Err(PlanError::invalid(
            "linux.uidMappings",
            "got none, expected ranges for a new user namespace",
        )),
        UserNamespace::Unset | UserNamespace::Host => Ok(match gains_by_a_range(spec) {
            true => ranges_of(host, None).unwrap_or_else(|_| own(host)),
            false => own(host),
        }),
    }
}

/// Whether the container runs as somebody whom the caller's own id alone cannot stand for.
fn gains_by_a_range(spec: &Spec) -> bool {
    match &spec.user {
        User::Names { user, groups } => {
            let name = user.as_str();
            !matches!(
                name,
                "" | "0" | "root" | "0:0" | "root:root" | "0:root" | "root:0"
            ) || !groups.is_empty()
        }
        User::Ids => spec.oci.process().as_ref().is_some_and(|process| {
            let user = process.user();
            let more = user.additional_gids().as_ref();
            user.uid() != 0 || user.gid() != 0 || more.is_some_and(|more| !more.is_empty())
        }),
        _ => false,
    }
}

fn asked(spec: &Spec) -> (Vec<IdRange>, Vec<IdRange>) {
    let linux = spec.oci.linux().as_ref();
    let read = |map: Option<&Option<Vec<LinuxIdMapping>>>| ranges(map.and_then(Option::as_deref));
    (
        read(linux.map(|linux| linux.uid_mappings())),
        read(linux.map(|linux| linux.gid_mappings())),
    )
}

/// The document's ranges in our words.
pub(super) fn ranges(map: Option<&[LinuxIdMapping]>) -> Vec<IdRange> {
    let range = |mapping: &LinuxIdMapping| IdRange {
        inside: mapping.container_id(),
        outside: mapping.host_id(),
        size: mapping.size(),
    };
    map.unwrap_or_default().iter().map(range).collect()
}

/// The maps of the document, as far as the caller may write them.
fn explicit(uids: Vec<IdRange>, gids: Vec<IdRange>, host: &Host) -> Result<IdMaps, PlanError> {
    for (field, map) in [("linux.uidMappings", &uids), ("linux.gidMappings", &gids)] {
        check(field, map)?;
        if !is_mapped(map, 0) {
            let reason = "got no range with containerID 0, expected one: set-up runs as root";
            return Err(PlanError::invalid(field, reason));
        }
    }
    if host.is_root() {
        return Ok(IdMaps {
            uids,
            gids,
            deny_setgroups: host.denies_setgroups(),
            helpers: None,
        });
    }
    let own = own(host);
    if uids == own.uids && gids == own.gids {
        return Ok(own);
    }
    let (ids, helpers) = sub_ids(host)?;
    for (what, map, allowed, own) in [
        ("user", &uids, &ids.uids, host.uid),
        ("group", &gids, &ids.gids, host.gid),
    ] {
        let may = |range: &IdRange| {
            (range.size == 1 && range.outside == own)
                || SubIds::contain(allowed, range.outside, range.size)
        };
        if let Some(range) = map.iter().find(|range| !may(range)) {
            let have: Vec<String> = allowed.iter().map(text_of).collect();
            return Err(PlanError::unsupported(format!(
                "id mappings of an ordinary user to {what} {} to {} of the host: {} has {own} and {}",
                range.outside,
                u64::from(range.outside) + u64::from(range.size) - 1,
                ids.user,
                have.join(", "),
            )));
        }
    }
    Ok(IdMaps {
        uids,
        gids,
        deny_setgroups: false,
        helpers: Some(helpers),
    })
}

/// The rules of user_namespaces(7), which the kernel answers with a bare EINVAL.
pub(super) fn check(field: &str, map: &[IdRange]) -> Result<(), PlanError> {
    let invalid = |reason: String| Err(PlanError::invalid(field, reason));
    if map.is_empty() || map.len() > MAX_RANGES {
        return invalid(format!(
            "got {} ranges, expected 1 to {MAX_RANGES}",
            map.len()
        ));
    }
    let meet = |a: u32, b: u32, a_size: u32, b_size: u32| {
        u64::from(a) < u64::from(b) + u64::from(b_size)
            && u64::from(b) < u64::from(a) + u64::from(a_size)
    };
    for (index, range) in map.iter().enumerate() {
        let end = u64::from(range.inside.max(range.outside)) + u64::from(range.size);
        if range.size == 0 || end > NO_ID {
            let got = text(std::slice::from_ref(range));
            return invalid(format!(
                "got the range \"{got}\", expected 1 id or more below {NO_ID}"
            ));
        }
        let clash = |other: &&IdRange| {
            meet(range.inside, other.inside, range.size, other.size)
                || meet(range.outside, other.outside, range.size, other.size)
        };
        if let Some(other) = map.iter().take(index).find(clash) {
            let (one, two) = (text(&[*other]), text(&[*range]));
            return invalid(format!("the ranges \"{one}\" and \"{two}\" overlap"));
        }
    }
    Ok(())
}

/// The one map that an ordinary user may write: root of the container is the user itself.
fn own(host: &Host) -> IdMaps {
    let single = |outside| {
        vec![IdRange {
            inside: 0,
            outside,
            size: 1,
        }]
    };
    IdMaps {
        uids: single(host.uid),
        gids: single(host.gid),
        // Else it could leave a group that a file denies access to (CVE-2014-8989).
        deny_setgroups: true,
        helpers: None,
    }
}

/// Every id that the host gives to the caller. An ordinary user's own id is the container's root,
/// or `kept` as it is.
fn ranges_of(host: &Host, kept: Option<(u32, u32)>) -> Result<IdMaps, PlanError> {
    let root = host.is_root();
    let (ids, helpers) = match root {
        true => (root_ids(host)?, None),
        false => {
            let (ids, helpers) = sub_ids(host)?;
            (ids, Some(helpers))
        }
    };
    let map = |own: u32, kept: Option<u32>, given: &[SubRange]| match (root, kept) {
        (true, _) => consecutive(0, given),
        (false, None) => keep(0, own, given),
        (false, Some(kept)) => keep(kept, own, given),
    };
    Ok(IdMaps {
        uids: map(host.uid, kept.map(|ids| ids.0), &ids.uids),
        gids: map(host.gid, kept.map(|ids| ids.1), &ids.gids),
        deny_setgroups: root && host.denies_setgroups(),
        helpers,
    })
}

/// The given ranges one behind the other from `inside` on.
fn consecutive(inside: u32, given: &[SubRange]) -> Vec<IdRange> {
    let mut next = inside;
    let mut map = Vec::new();
    for range in given.iter().take(MAX_RANGES - 2) {
        // Ids end below (uid_t)-1, inside as well as outside.
        let size = range.count.min(u32::MAX - next);
        let size = size.min(u32::MAX - range.first);
        if size == 0 {
            break;
        }
        map.push(IdRange {
            inside: next,
            outside: range.first,
            size,
        });
        next += size;
    }
    map
}

/// `own` of the host as `kept` of the container, the given ranges around it.
fn keep(kept: u32, own: u32, given: &[SubRange]) -> Vec<IdRange> {
    let mut before = Vec::new();
    let mut after = Vec::new();
    let mut room = kept;
    for range in given {
        let here = range.count.min(room);
        if here > 0 {
            before.push(SubRange {
                first: range.first,
                count: here,
            });
        }
        if range.count > here {
            after.push(SubRange {
                first: range.first + here,
                count: range.count - here,
            });
        }
        room -= here;
    }
    let mut map = consecutive(0, &before);
    map.push(IdRange {
        inside: kept,
        outside: own,
        size: 1,
    });
    map.extend(consecutive(kept.saturating_add(1), &after));
    map.truncate(MAX_RANGES);
    map
}

fn sub_ids<'a>(host: &'a Host<'_>) -> Result<(&'a SubIds, IdHelpers), PlanError> {
    let lacking = |reason: &str, mend: &str| {
        PlanError::unsupported(format!(
            "id mappings of an ordinary user beyond its own {}:{}: {reason} ({mend})",
            host.uid, host.gid
        ))
    };
    let Some(ids) = &host.sub_ids else {
        return Err(lacking("/etc/subuid was not read", "ask again"));
    };
    match (ids.missing(false), &ids.helpers) {
        (None, Some(helpers)) => Ok((ids, helpers.clone())),
        (Some((reason, mend)), _) => Err(lacking(&reason, &mend)),
        (None, None) => Err(lacking("newuidmap is missing", "install it")),
    }
}

fn root_ids<'a>(host: &'a Host<'_>) -> Result<&'a SubIds, PlanError> {
    let missing = |reason: &str, mend: &str| {
        PlanError::unsupported(format!(
            "automatic ids (user_namespace auto, keep-id): {reason} ({mend})"
        ))
    };
    let Some(ids) = &host.sub_ids else {
        return Err(missing("/etc/subuid was not read", "ask again"));
    };
    match ids.missing(true) {
        None => Ok(ids),
        Some((reason, mend)) => Err(missing(&reason, &mend)),
    }
}

/// Whether the container's `id` is in the map.
pub(crate) fn is_mapped(map: &[IdRange], id: u32) -> bool {
    map.iter().any(|range| {
        id.checked_sub(range.inside)
            .is_some_and(|offset| offset < range.size)
    })
}

fn text_of(range: &SubRange) -> String {
    let last = u64::from(range.first) + u64::from(range.count) - 1;
    format!("{} to {last}", range.first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sub(first: u32, count: u32) -> SubRange {
        SubRange { first, count }
    }

    #[test]
    fn an_id_is_kept_with_the_others_around_it() {
        let map = |kept, given: &[SubRange]| text(&keep(kept, 1000, given));
        assert_eq!(map(0, &[sub(100_000, 10)]), "0 1000 1, 1 100000 10");
        assert_eq!(
            map(1000, &[sub(100_000, 65536)]),
            "0 100000 1000, 1000 1000 1, 1001 101000 64536"
        );
        // Fewer than would be needed to fill all below it.
        assert_eq!(map(1000, &[sub(100_000, 5)]), "0 100000 5, 1000 1000 1");
    }

    #[test]
    fn ranges_that_the_kernel_would_refuse_are_named() {
        let range = |inside, outside, size| IdRange {
            inside,
            outside,
            size,
        };
        for (map, expected) in [
            (vec![], "got 0 ranges"),
            (vec![range(0, 0, 1); 341], "got 341 ranges"),
            (vec![range(0, 5, 0)], "the range \"0 5 0\""),
            (vec![range(0, u32::MAX, 1)], "expected 1 id or more below"),
            (
                vec![range(0, 10, 5), range(4, 90, 1)],
                "\"0 10 5\" and \"4 90 1\" overlap",
            ),
            (vec![range(0, 10, 5), range(9, 14, 1)], "overlap"),
        ] {
            let error = check("linux.uidMappings", &map).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(check("f", &[range(0, 10, 5), range(5, 15, 1)]).is_ok());
    }

    proptest! {
        #[test]
        fn kept_maps_are_ones_that_the_kernel_takes(
            kept in 0..70_000_u32,
            counts in proptest::collection::vec(1..70_000_u32, 1..6),
        ) {
            let mut first = 100_000;
            let mut given = Vec::new();
            for count in counts {
                given.push(sub(first, count));
                first += count;
            }
            let map = keep(kept, 1000, &given);
            prop_assert!(check("f", &map).is_ok(), "{}", text(&map));
            prop_assert_eq!(outside(&map, kept), Some(1000));
            prop_assert!(is_mapped(&map, 0));
        }
    }
}
