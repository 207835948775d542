//! Why the kernel mounts no procfs for a user namespace: what is covered of the one that the host program sees.
//!
//! Who could mount another would see through what covers the first, so the kernel refuses with EPERM alone
//! (`mount_too_revealing` in its fs/namespace.c): the common case is a host program within a container with masked paths.

/// Directories that procfs keeps empty for somebody's mount: those hide nothing (`proc_create_mount_point`).
const FOR_MOUNTS: [&str; 2] = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];

const MEND: &str = "start the container around the host program with nothing masked in /proc, as `docker run \
                    --security-opt systempaths=unconfined` or `podman run --security-opt unmask=ALL` does, or give \
                    this one the host's `pid` namespace";

/// The reason and the mend, if that is why.
pub(super) fn reason() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").ok()?;
    told(&mounts)
}

fn told(mounts: &str) -> Option<String> {
    let mut points: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| point.starts_with("/proc/") && !FOR_MOUNTS.contains(point))
        .collect();
    points.sort_unstable();
    points.dedup();
    let first = points.get(..2).unwrap_or(&points).join(", ");
    let parts = match points.len() {
        0 => return None,
        1 | 2 => first,
        more => format!("{first} and {} more", more - 2),
    };
    Some(format!(
        "in a user namespace the kernel mounts none while parts of the one outside are covered: {parts} ({MEND})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_procfs_is_named_and_what_hides_nothing_is_not() {
        let line = |point: &str| format!("30 20 0:5 / {point} rw - proc proc rw\n");
        let told = |points: &[&str]| told(&points.iter().copied().map(line).collect::<String>());
        let harmless = ["/", "/proc", "/procession/x", "/proc/sys/fs/binfmt_misc"];
        assert_eq!(told(&harmless), None);
        let text = told(&["/proc", "/proc/keys"]).unwrap();
        assert!(text.contains("covered: /proc/keys (start"), "{text}");
        let text = told(&["/proc/sys", "/proc/keys", "/proc/keys", "/proc/acpi"]).unwrap();
        let parts = "covered: /proc/acpi, /proc/keys and 1 more (";
        assert!(text.contains(parts), "{text}");
    }
}
