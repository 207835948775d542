//! Which controls a caller asked for explicitly: each is enforced, or an error that names it.

use crate::{Command, LinuxResources, Resources};

/// A control that was asked for, by its field.
///
/// ```
/// use execdriver_core::spec::requested_limits;
/// use execdriver_core::Resources;
/// let limits = requested_limits(&Resources { memory: 32 << 20, ..Resources::default() });
/// assert_eq!(limits[0].to_string(), "resources.memory = 33554432");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RequestedControl {
    /// The field in the words of the JSON: `resources.memory`.
    pub field: &'static str,
    /// What it was set to; a count for a list, nothing for a text that may be long.
    pub value: String,
}

impl std::fmt::Display for RequestedControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.value.as_str() {
            "" => f.write_str(self.field),
            value => write!(f, "{} = {value}", self.field),
        }
    }
}

/// The limits and confinements that `command` asks for beyond what the template has.
///
/// Namespaces, mounts, devices, capabilities, users and rlimits are not among them: every driver
/// that runs the command has those.
pub fn requested_controls(command: &Command) -> Vec<RequestedControl> {
    let mut controls = Vec::new();
    let mut ask = |field, value: String, asked| {
        if asked {
            controls.push(RequestedControl { field, value });
        }
    };
    let labelled = |text: &str| (text.to_owned(), !text.is_empty());
    let (value, asked) = labelled(&command.mount_label);
    ask("mount_label", value, asked);
    let (value, asked) = labelled(&command.process_label);
    ask("process_label", value, asked);
    if let Some(network) = &command.network {
        ask("network.mtu", network.mtu.to_string(), network.mtu != 0);
    }
    if let Some(linux) = command.as_linux() {
        let (value, asked) = labelled(&linux.apparmor_profile);
        ask(
            "apparmor_profile",
            value,
            asked && linux.apparmor_profile != "unconfined",
        );
        let profile = linux.seccomp_profile.as_str();
        let asked = !profile.is_empty() && profile != "unconfined";
        ask("seccomp_profile", String::new(), asked);
        ask("landlock", String::new(), linux.landlock.is_some());
        ask("time_offsets", String::new(), linux.time_offsets.is_some());
        let attributes = &linux.attributes;
        for (field, asked) in [
            ("attributes.scheduler", attributes.scheduler.is_some()),
            ("attributes.io_priority", attributes.io_priority.is_some()),
            ("attributes.cpus", !attributes.cpus.is_empty()),
            (
                "attributes.memory_policy",
                attributes.memory_policy.is_some(),
            ),
            ("attributes.core_scheduling", attributes.core_scheduling),
            ("attributes.personality", attributes.personality.is_some()),
            ("attributes.securebits", !attributes.securebits.is_empty()),
        ] {
            ask(field, String::new(), asked);
        }
        let keys: Vec<&str> = linux.sysctl.keys().map(String::as_str).collect();
        ask("sysctl", keys.join(" "), !keys.is_empty());
    }
    if let Some(resources) = &command.resources {
        controls.extend(requested_limits(resources));
    }
    controls
}

/// The limits that `resources` sets. Rlimits are not among them, and neither is a limit that is
/// explicitly unlimited.
pub fn requested_limits(resources: &Resources) -> Vec<RequestedControl> {
    let default = LinuxResources::default();
    let linux = resources.linux.as_ref().unwrap_or(&default);
    // The last is the value that asks for nothing beside 0.
    let numbers = [
        ("resources.memory", resources.memory, -1),
        (
            "resources.memory_reservation",
            resources.memory_reservation,
            -1,
        ),
        ("resources.memory_swap", linux.memory_swap, -1),
        ("resources.kernel_memory", linux.kernel_memory, -1),
        ("resources.cpu_shares", resources.cpu_shares, 0),
        ("resources.cpu_quota", linux.cpu_quota, -1),
        ("resources.cpu_period", linux.cpu_period, 0),
        (
            "resources.blkio_weight",
            i64::from(resources.blkio_weight),
            0,
        ),
        ("resources.pids_limit", linux.pids_limit, -1),
    ];
    let huge_pages = linux.hugepage_limits.iter();
    let huge_pages = huge_pages.filter(|one| one.limit >= 0).count();
    let lists = [
        (
            "resources.blkio_weight_device",
            linux.blkio_weight_device.len(),
        ),
        (
            "resources.blkio_throttle_read_bps_device",
            linux.blkio_throttle_read_bps_device.len(),
        ),
        (
            "resources.blkio_throttle_write_bps_device",
            linux.blkio_throttle_write_bps_device.len(),
        ),
        (
            "resources.blkio_throttle_read_iops_device",
            linux.blkio_throttle_read_iops_device.len(),
        ),
        (
            "resources.blkio_throttle_write_iops_device",
            linux.blkio_throttle_write_iops_device.len(),
        ),
        ("resources.hugepage_limits", huge_pages),
    ];
    let swappiness = linux.memory_swappiness;
    let rest = [
        (
            "resources.cpuset_cpus",
            linux.cpuset_cpus.clone(),
            !linux.cpuset_cpus.is_empty(),
        ),
        (
            "resources.cpuset_mems",
            linux.cpuset_mems.clone(),
            !linux.cpuset_mems.is_empty(),
        ),
        (
            "resources.memory_swappiness",
            swappiness.to_string(),
            swappiness != -1,
        ),
        (
            "resources.oom_kill_disable",
            "true".to_owned(),
            linux.oom_kill_disable,
        ),
    ];
    (numbers.into_iter())
        .map(|(field, value, none)| (field, value.to_string(), value != 0 && value != none))
        .chain(
            lists
                .into_iter()
                .map(|(field, count)| (field, count.to_string(), count != 0)),
        )
        .chain(rest)
        .filter_map(|(field, value, asked)| asked.then_some(RequestedControl { field, value }))
        .collect()
}
