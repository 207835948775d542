//! Which capabilities a process gets: the profile's, what the command adds, what it drops.

use crate::{Error, Profile, Result};
use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities};

use Capability as C;

/// Every capability by its number, up to the newest: include/uapi/linux/capability.h of 6.18.
const BY_NUMBER: [Capability; 41] = [
    C::Chown,
    C::DacOverride,
    C::DacReadSearch,
    C::Fowner,
    C::Fsetid,
    C::Kill,
    C::Setgid,
    C::Setuid,
    C::Setpcap,
    C::LinuxImmutable,
    C::NetBindService,
    C::NetBroadcast,
    C::NetAdmin,
    C::NetRaw,
    C::IpcLock,
    C::IpcOwner,
    C::SysModule,
    C::SysRawio,
    C::SysChroot,
    C::SysPtrace,
    C::SysPacct,
    C::SysAdmin,
    C::SysBoot,
    C::SysNice,
    C::SysResource,
    C::SysTime,
    C::SysTtyConfig,
    C::Mknod,
    C::Lease,
    C::AuditWrite,
    C::AuditControl,
    C::Setfcap,
    C::MacOverride,
    C::MacAdmin,
    C::Syslog,
    C::WakeAlarm,
    C::BlockSuspend,
    C::AuditRead,
    C::Perfmon,
    C::Bpf,
    C::CheckpointRestore,
];

/// The original's fourteen.
const DOCKER: [Capability; 14] = [
    C::Chown,
    C::DacOverride,
    C::Fsetid,
    C::Fowner,
    C::Mknod,
    C::NetRaw,
    C::Setgid,
    C::Setuid,
    C::Setfcap,
    C::Setpcap,
    C::NetBindService,
    C::SysChroot,
    C::Kill,
    C::AuditWrite,
];

/// The set as the kernel writes it, `1 << number` each: capabilities(7).
///
/// ```
/// use execdriver_core::spec::capability_mask;
/// use oci_spec::runtime::{Capabilities, Capability};
/// assert_eq!(capability_mask(&Capabilities::from([Capability::SysTime])), 1 << 25);
/// ```
pub fn capability_mask(set: &Capabilities) -> u64 {
    (0..)
        .zip(BY_NUMBER)
        .filter(|(_, capability)| set.contains(capability))
        .fold(0, |mask, (number, _): (u32, _)| mask | 1 << number)
}

/// What capabilities(7) calls the capability of this number; `None` for one that is newer.
///
/// ```
/// assert_eq!(execdriver_core::spec::capability_name(24).as_deref(), Some("CAP_SYS_RESOURCE"));
/// ```
pub fn capability_name(number: u8) -> Option<String> {
    BY_NUMBER
        .get(usize::from(number))
        .map(|capability| format!("CAP_{capability}"))
}

/// Every capability that this version knows. A driver leaves out what its host has not.
pub(super) fn all() -> Capabilities {
    BY_NUMBER.into()
}

/// A capability by its name without `CAP_`, in any case.
pub(super) fn parse(name: &str) -> Option<Capability> {
    name.to_ascii_uppercase().parse().ok()
}

pub(super) fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("all")
}

/// The capabilities of a container, and those of them that it asked for by name.
///
/// Drops are checked first. `ALL` added starts from every capability, `ALL` dropped from none;
/// then drops take away and adds put in, so an explicit add beats a drop of the same name.
pub(super) fn tweak(
    profile: Profile,
    add: &[String],
    drop: &[String],
) -> Result<(Capabilities, Capabilities)> {
    let dropped = parse_list("cap_drop", drop)?;
    let added = parse_list("cap_add", add)?;
    let mut set: Capabilities = if drop.iter().any(|name| is_all(name)) {
        Capabilities::new()
    } else if add.iter().any(|name| is_all(name)) {
        all()
    } else {
        match profile {
            Profile::Docker => DOCKER.into(),
            Profile::Strict => Capabilities::new(),
        }
    };
    set.retain(|capability| !dropped.contains(capability));
    set.extend(&added);
    Ok((set, added))
}

/// The named capabilities of a list of names; `ALL` is left out.
pub(super) fn parse_list(field: &str, names: &[String]) -> Result<Capabilities> {
    (0..)
        .zip(names)
        .filter(|(_, name)| !is_all(name))
        .map(|(index, name)| parse(name).ok_or_else(|| unknown(field, index, name)))
        .collect()
}

/// The sets of a process. Inheritable and ambient stay empty: with inheritable ones every file
/// with inheritable capabilities would hand them out (CVE-2022-24769, CVE-2022-29162).
pub(super) fn sets(set: &Capabilities) -> LinuxCapabilities {
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(set.clone()))
        .set_effective(Some(set.clone()))
        .set_permitted(Some(set.clone()))
        .set_inheritable(Some(Capabilities::new()))
        .set_ambient(Some(Capabilities::new()));
    sets
}

fn unknown(field: &str, index: usize, name: &str) -> Error {
    let hint = match name.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("CAP_") => "a name without CAP_",
        _ => "a name of capabilities(7) without CAP_, or ALL",
    };
    Error::invalid(
        format!("{field}[{index}]"),
        format!("unknown capability {name:?}, expected {hint}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(profile: Profile, add: &[&str], drop: &[&str]) -> u64 {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        capability_mask(&tweak(profile, &own(add), &own(drop)).unwrap().0)
    }

    fn error(add: &[&str], drop: &[&str]) -> String {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        tweak(Profile::Docker, &own(add), &own(drop))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn caps_default() {
        assert_eq!(mask(Profile::Docker, &[], &[]), 0xa804_25fb);
        assert_eq!(mask(Profile::Strict, &[], &[]), 0);
    }

    #[test]
    fn cap_drop_takes_away_in_any_case() {
        let without_mknod = 0xa804_25fb & !(1 << 27);
        assert_eq!(mask(Profile::Docker, &[], &["mkNod"]), without_mknod);
        assert_eq!(mask(Profile::Docker, &[], &["NET_ADMIN"]), 0xa804_25fb);
    }

    #[test]
    fn cap_drop_all_add() {
        assert_eq!(mask(Profile::Docker, &["SYS_TIME"], &["ALL"]), 0x0200_0000);
        assert_eq!(mask(Profile::Docker, &["chown"], &["all"]), 1);
        assert_eq!(mask(Profile::Docker, &["all", "chown"], &["all"]), 1);
    }

    #[test]
    fn cap_add_all_drop() {
        let without_net_admin = ((1 << 41) - 1) & !(1 << 12);
        assert_eq!(
            mask(Profile::Docker, &["ALL"], &["NET_ADMIN"]),
            without_net_admin
        );
    }

    #[test]
    fn an_explicit_add_beats_a_drop_of_the_same_name_and_doubles_do_not_matter() {
        assert_eq!(
            mask(Profile::Docker, &["KILL", "kill"], &["KILL"]),
            0xa804_25fb
        );
    }

    #[test]
    fn unknown_capabilities_name_their_field_and_drops_are_checked_first() {
        assert_eq!(
            error(&["CHPASS"], &[]),
            "invalid cap_add[0]: unknown capability \"CHPASS\", expected a name of \
             capabilities(7) without CAP_, or ALL"
        );
        assert!(error(&["X"], &["ALL", "Y"]).starts_with("invalid cap_drop[1]"));
        assert!(error(&["KILL", "CAP_KILL"], &[]).ends_with("expected a name without CAP_"));
        assert!(error(&[""], &[]).starts_with("invalid cap_add[0]"));
    }

    #[test]
    fn every_number_has_its_own_capability() {
        assert_eq!(all().len(), BY_NUMBER.len());
        assert_eq!(capability_mask(&all()), (1 << 41) - 1);
    }

    #[test]
    fn inheritable_and_ambient_sets_are_empty() {
        let sets = sets(&all());
        assert_eq!(sets.inheritable(), &Some(Capabilities::new()));
        assert_eq!(sets.ambient(), &Some(Capabilities::new()));
    }
}
