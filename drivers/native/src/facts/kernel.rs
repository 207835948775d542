//! The kernel: its version, and the calls that not all of them have.

use crate::sys::probe::{Call, exists};
use std::fmt;

/// `uname -r`, as far as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) release: String,
}

/// Facilities newer than the oldest supported kernel (5.10), or withheld by a sandbox around us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) clone3: bool,
    /// Linux 5.7. Not probed: the only probe would be to start a process.
    pub(crate) clone_into_cgroup: bool,
    pub(crate) openat2: bool,
    pub(crate) open_tree: bool,
    pub(crate) fsopen: bool,
    pub(crate) move_mount: bool,
    /// Linux 5.12.
    pub(crate) mount_setattr: bool,
    pub(crate) pidfd_open: bool,
    pub(crate) close_range: bool,
    /// `cgroup.kill`, Linux 5.14. A kernel that has it may still mount no version 2 hierarchy.
    pub(crate) cgroup_kill: bool,
    /// The exit status of a process that somebody else reaped, Linux 6.15.
    pub(crate) pidfd_exit_status: bool,
}

impl KernelVersion {
    /// From `uname -r`: `6.18.44-fc`; what cannot be read counts as 0.
    pub(crate) fn parse(release: &str) -> Self {
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map(|number| number.parse().unwrap_or(0));
        Self {
            major: numbers.next().unwrap_or(0),
            minor: numbers.next().unwrap_or(0),
            release: release.to_owned(),
        }
    }

    /// Whether it is this version or a later one.
    pub(crate) fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.release)
    }
}

impl Calls {
    /// Asks the kernel.
    pub(super) fn probe(version: &KernelVersion) -> Self {
        let clone3 = exists(Call::Clone3);
        Self {
            clone3,
            clone_into_cgroup: clone3 && version.at_least(5, 7),
            openat2: exists(Call::Openat2),
            open_tree: exists(Call::OpenTree),
            fsopen: exists(Call::Fsopen),
            move_mount: exists(Call::MoveMount),
            mount_setattr: exists(Call::MountSetattr),
            pidfd_open: exists(Call::PidfdOpen),
            close_range: exists(Call::CloseRange),
            cgroup_kill: version.at_least(5, 14),
            pidfd_exit_status: version.at_least(6, 15),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_distributions_are_compared_by_their_first_two_numbers() {
        let version = KernelVersion::parse("6.1.0-37-amd64");
        assert!(version.at_least(6, 1) && version.at_least(5, 14));
        assert!(!version.at_least(6, 2) && !version.at_least(7, 0));
        assert!(KernelVersion::parse("5.10-rc1").at_least(5, 10));
        assert!(!KernelVersion::parse("?").at_least(5, 10));
    }
}
