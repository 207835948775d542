//! The security modules, and what the kernel offers to keep processes apart.

use super::read::text;
use crate::sys::probe;

/// What confines processes on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Security {
    /// The version of Landlock's interface; 0: the kernel has none, or it is switched off.
    pub(crate) landlock_abi: u32,
    /// AppArmor is in force.
    pub(crate) apparmor: bool,
    /// SELinux is in force.
    pub(crate) selinux: bool,
    /// Core scheduling; or why there is none.
    pub(crate) core_scheduling: Result<(), String>,
}

impl Security {
    /// Asks the kernel; none of it changes while it runs.
    pub(super) fn read(filesystems: &[String]) -> Self {
        Self {
            landlock_abi: probe::landlock_abi(),
            apparmor: text("/sys/module/apparmor/parameters/enabled").starts_with('Y'),
            // Registered by an enabled SELinux alone.
            selinux: filesystems.iter().any(|name| name == "selinuxfs"),
            core_scheduling: probe::core_scheduling().map_err(str::to_owned),
        }
    }
}
