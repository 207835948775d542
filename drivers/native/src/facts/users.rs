//! Who we are to the kernel: capability sets and the right to make user namespaces.

use crate::launch::IdMaps;

/// The capability sets of this process, bit n being capability n of linux/capability.h.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CapabilitySets {
    /// The highest capability that the kernel knows.
    pub(crate) last: u8,
    pub(crate) permitted: u64,
    pub(crate) effective: u64,
    pub(crate) bounding: u64,
}

/// Whether user namespaces can be made without privileges, setting by setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserNamespaces {
    /// `user.max_user_namespaces`; 0 forbids them.
    pub(crate) max: u64,
    /// Debian's `kernel.unprivileged_userns_clone`; true where there is no such setting.
    pub(crate) unprivileged_allowed: bool,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`.
    pub(crate) apparmor_restricted: bool,
    /// A seccomp filter around us, a container engine's say, denies them.
    pub(crate) filtered: bool,
    /// The ids of the user namespace that we are in ourselves; `None` in the machine's first.
    pub(crate) outer: Option<IdMaps>,
}

/// CAP_SYS_ADMIN.
const SYS_ADMIN: u32 = 21;

impl CapabilitySets {
    /// From `/proc/self/status` and `/proc/sys/kernel/cap_last_cap`.
    pub(super) fn parse(status: &str, last: &str) -> Self {
        // 40 since Linux 5.9; the oldest supported kernel has as many.
        Self::of(status, last.trim().parse().unwrap_or(40))
    }

    /// Where the highest one is known.
    pub(super) fn of(status: &str, last: u8) -> Self {
        let field = |key: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(key));
            value.and_then(|value| u64::from_str_radix(value.trim(), 16).ok())
        };
        Self {
            last,
            permitted: field("CapPrm:").unwrap_or(0),
            effective: field("CapEff:").unwrap_or(0),
            bounding: field("CapBnd:").unwrap_or(0),
        }
    }

    /// Whether we may mount and make namespaces without a user namespace.
    pub(crate) fn may_administrate(&self) -> bool {
        self.effective & 1 << SYS_ADMIN != 0
    }

    /// The capabilities that the kernel knows and this process cannot give to anybody.
    pub(crate) fn missing(&self) -> Vec<u8> {
        (0..=self.last.min(63))
            .filter(|number| self.permitted & self.bounding & 1 << number == 0)
            .collect()
    }
}

impl UserNamespaces {
    /// What forbids them to this process, and the mend; `None` when nothing is known to.
    pub(crate) fn forbidden(&self, privileged: bool) -> Option<(&'static str, &'static str)> {
        if self.max == 0 {
            return Some((
                "user.max_user_namespaces is 0",
                "sysctl -w user.max_user_namespaces=15000",
            ));
        }
        if self.filtered {
            return Some((
                "a seccomp filter around the host program denies them",
                "start the outer container with a seccomp profile that allows them: in Docker \
                 `--security-opt seccomp=unconfined`",
            ));
        }
        if privileged {
            return None;
        }
        if !self.unprivileged_allowed {
            return Some((
                "kernel.unprivileged_userns_clone is 0",
                "sysctl -w kernel.unprivileged_userns_clone=1",
            ));
        }
        self.apparmor_restricted.then_some((
            "kernel.apparmor_restrict_unprivileged_userns is 1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile \
             with `userns,` for the host program",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capability_sets_are_read_and_what_root_itself_lacks_is_named() {
        let status = "Name:\tx\nCapPrm:\t000001fffeffffff\nCapEff:\t0000000000200000\n\
                      CapBnd:\t000001ffffffffff\n";
        let sets = CapabilitySets::parse(status, "40\n");
        assert_eq!(sets.missing(), [24], "CAP_SYS_RESOURCE");
        assert!(sets.may_administrate());
        let none = CapabilitySets::parse("", "");
        assert_eq!(none.missing().len(), 41);
    }

    #[test]
    fn each_setting_that_forbids_user_namespaces_has_its_mend() {
        let free = UserNamespaces {
            max: 100,
            unprivileged_allowed: true,
            apparmor_restricted: false,
            filtered: false,
            outer: None,
        };
        assert_eq!(free.forbidden(false), None);
        let none = UserNamespaces {
            max: 0,
            ..free.clone()
        };
        assert!(none.forbidden(true).is_some());
        let inside = UserNamespaces {
            filtered: true,
            ..free.clone()
        };
        assert!(inside.forbidden(true).unwrap().1.contains("seccomp"));
        let debian = UserNamespaces {
            unprivileged_allowed: false,
            ..free.clone()
        };
        assert!(debian.forbidden(false).is_some() && debian.forbidden(true).is_none());
        let ubuntu = UserNamespaces {
            apparmor_restricted: true,
            ..free
        };
        assert!(ubuntu.forbidden(false).unwrap().1.contains("userns,"));
    }
}
