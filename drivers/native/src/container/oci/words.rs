//! Errors in the words of `config.json`: its author knows nothing of a command's.

use execdriver_core::Error;

/// Fields of a command, and what they are in a document. The longer ones of those that begin alike come first.
const FIELDS: [(&str, &str); 40] = [
    ("process_config.user", "process.user"),
    ("seccomp_profile", "linux.seccomp"),
    ("apparmor_profile", "process.apparmorProfile"),
    ("process_label", "process.selinuxLabel"),
    ("mount_label", "linux.mountLabel"),
    ("time_offsets", "linux.timeOffsets"),
    ("attributes.scheduler", "process.scheduler"),
    ("attributes.io_priority", "process.ioPriority"),
    ("attributes.cpus", "process.execCPUAffinity.final"),
    ("attributes.memory_policy", "linux.memoryPolicy"),
    ("attributes.personality", "linux.personality"),
    (
        "resources.memory_reservation",
        "linux.resources.memory.reservation",
    ),
    (
        "resources.memory_swappiness",
        "linux.resources.memory.swappiness",
    ),
    ("resources.memory_swap", "linux.resources.memory.swap"),
    ("resources.memory.", "linux.resources.memory."),
    ("resources.memory", "linux.resources.memory.limit"),
    ("resources.kernel_memory", "linux.resources.memory.kernel"),
    (
        "resources.oom_kill_disable",
        "linux.resources.memory.disableOOMKiller",
    ),
    ("resources.cpu_shares", "linux.resources.cpu.shares"),
    ("resources.cpu_quota", "linux.resources.cpu.quota"),
    ("resources.cpu_period", "linux.resources.cpu.period"),
    ("resources.cpuset_cpus", "linux.resources.cpu.cpus"),
    ("resources.cpuset_mems", "linux.resources.cpu.mems"),
    ("resources.cpu.", "linux.resources.cpu."),
    (
        "resources.blkio_weight_device",
        "linux.resources.blockIO.weightDevice",
    ),
    ("resources.blkio_weight", "linux.resources.blockIO.weight"),
    (
        "resources.blkio_throttle_read_bps_device",
        "linux.resources.blockIO.throttleReadBpsDevice",
    ),
    (
        "resources.blkio_throttle_write_bps_device",
        "linux.resources.blockIO.throttleWriteBpsDevice",
    ),
    (
        "resources.blkio_throttle_read_iops_device",
        "linux.resources.blockIO.throttleReadIOPSDevice",
    ),
    (
        "resources.blkio_throttle_write_iops_device",
        "linux.resources.blockIO.throttleWriteIOPSDevice",
    ),
    ("resources.blockIO", "linux.resources.blockIO"),
    ("resources.pids_limit", "linux.resources.pids.limit"),
    (
        "resources.hugepage_limits",
        "linux.resources.hugepageLimits",
    ),
    ("resources.network", "linux.resources.network"),
    ("resources.rdma", "linux.resources.rdma"),
    ("resources.unified", "linux.resources.unified"),
    ("cgroup_parent", "linux.cgroupsPath"),
    ("Hooks::on_seccomp_listener", "linux.seccomp.listenerPath"),
    ("allowed_devices", "linux.resources.devices"),
    ("autocreated_devices", "linux.devices"),
];

/// Those that are a field of a document only where nothing but a field is meant.
const ALONE: [(&str, &str); 2] = [("rootfs", "root.path"), ("sysctl", "linux.sysctl")];

/// The same error about a document.
pub(super) fn of_document(error: Error) -> Error {
    match error {
        Error::InvalidCommand { field, reason } => {
            Error::invalid(self::field(&field), text(&reason))
        }
        Error::Unsupported { driver, operation } => Error::unsupported(&driver, text(&operation)),
        Error::Setup { step, source } => Error::Setup {
            step: text(&step),
            source,
        },
        other => other,
    }
}

fn field(name: &str) -> String {
    for (command, document) in ALONE {
        if let Some(rest) = name.strip_prefix(command)
            && (rest.is_empty() || rest.starts_with('['))
        {
            return format!("{document}{rest}");
        }
    }
    // A command has each kind of namespace by itself.
    if let Some(kind) = name.strip_suffix(".path")
        && [
            "network", "ipc", "uts", "pid", "user", "cgroup", "time", "mount",
        ]
        .contains(&kind)
    {
        return format!("linux.namespaces.path of type {kind}");
    }
    text(name)
}

/// Replaces whole words. What the document itself says is quoted and stays: no word of ours is in quotes.
fn text(given: &str) -> String {
    let part = |(index, part): (usize, &str)| match index % 2 {
        0 => words(part),
        _ => part.to_owned(),
    };
    let parts: Vec<String> = given.split('"').enumerate().map(part).collect();
    parts.join("\"")
}

fn words(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    let mut rest = given;
    while !rest.is_empty() {
        let begins = !out.ends_with(|c: char| c.is_alphanumeric() || "_./".contains(c));
        let known = FIELDS.iter().find(|(command, _)| {
            let after = rest.strip_prefix(command);
            let open = command.ends_with('.');
            let ends = |after: &str| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            begins && after.is_some_and(|after| open || ends(after))
        });
        let step = match known {
            Some((command, document)) => {
                out.push_str(document);
                command.len()
            }
            None => {
                let first = rest.chars().next();
                out.extend(first);
                first.map_or(rest.len(), char::len_utf8)
            }
        };
        rest = rest.get(step..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_command_is_told_as_that_of_the_document() {
        for (given, expected) in [
            ("rootfs", "root.path"),
            ("sysctl[\"a.b\"]", "linux.sysctl[\"a.b\"]"),
            ("resources.memory", "linux.resources.memory.limit"),
            ("resources.memory_swap", "linux.resources.memory.swap"),
            (
                "resources.memory.useHierarchy",
                "linux.resources.memory.useHierarchy",
            ),
            ("resources.cpu.idle", "linux.resources.cpu.idle"),
            ("process.rlimits[0]", "process.rlimits[0]"),
            (
                "resources.unified[\"resources.memory\"]",
                "linux.resources.unified[\"resources.memory\"]",
            ),
        ] {
            assert_eq!(field(given), expected);
        }
    }

    #[test]
    fn words_in_paths_and_in_other_words_stay() {
        let given = "got 1, above the 2 of resources.memory: see /x/resources.memory and my_seccomp_profile";
        let expected = "got 1, above the 2 of linux.resources.memory.limit: see /x/resources.memory and my_seccomp_profile";
        assert_eq!(text(given), expected);
        assert_eq!(
            text("schedule it (attributes.scheduler)"),
            "schedule it (process.scheduler)"
        );
    }
}
