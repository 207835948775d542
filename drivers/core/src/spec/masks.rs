//! Which files of the kernel a container does not see, and which it cannot write.

/// Read as empty. The first three are the original's.
///
/// The others came to Docker later, each after a report: `/proc/keys` and `/proc/timer_list` show
/// other containers, `/proc/sched_debug` every task of the host, `/proc/scsi` and `/proc/acpi`
/// let root in the container remove disks and drive hardware, `/proc/interrupts` and the powercap
/// counters (CVE-2020-8694) are side channels, `/sys/firmware` shows ACPI tables.
/// `/proc/asound` is not among them: the contract has it read-only.
const MASKED: [&str; 11] = [
    "/proc/kcore",
    "/proc/latency_stats",
    "/proc/timer_stats",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/keys",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Readable, never writable.
const READ_ONLY: [&str; 6] = [
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The masked paths. A privileged container sees everything.
pub(super) fn masked(privileged: bool) -> Vec<String> {
    listed(!privileged, &MASKED)
}

/// The read-only paths. A privileged container has none, unless it asked for a read-only root.
pub(super) fn read_only(privileged: bool, readonly_rootfs: bool) -> Vec<String> {
    listed(!privileged || readonly_rootfs, &READ_ONLY)
}

fn listed(wanted: bool, paths: &[&str]) -> Vec<String> {
    let paths = if wanted { paths } else { &[] };
    paths.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_sys_protect() {
        let masked = masked(false);
        for path in ["/proc/kcore", "/proc/latency_stats", "/proc/timer_stats"] {
            assert!(masked.iter().any(|masked| masked == path), "{path}");
        }
        let read_only = read_only(false, false);
        for path in ["/proc/sysrq-trigger", "/proc/asound", "/proc/sys"] {
            assert!(read_only.iter().any(|listed| listed == path), "{path}");
            assert!(!masked.iter().any(|masked| masked == path), "{path}");
        }
    }

    #[test]
    fn privileged_containers_see_and_write_everything_unless_their_root_is_read_only() {
        assert!(masked(true).is_empty());
        assert!(read_only(true, false).is_empty());
        assert_eq!(read_only(true, true).len(), 6);
    }
}
