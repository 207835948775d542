//! The text of the default profile, in the language of apparmor.d(5), from data.
//!
//! Everything that the original's profile allows: files, network, capabilities, umount, signals and
//! ptrace among the container's own. Denied are mounts, and the files of /proc and /sys through
//! which a process would act on the whole machine.

/// Files that nobody may touch, whatever root mounts over the masks.
const UNTOUCHABLE: [&str; 7] = [
    "/proc/kcore",
    "/proc/kmem",
    "/proc/mem",
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/sys/firmware/**",
    "/sys/kernel/security/**",
];

/// The profile called `name`.
pub(super) fn text(name: &str) -> String {
    let mut lines = vec![
        format!("profile {name} flags=(attach_disconnected,mediate_deleted) {{"),
        "  network,".to_owned(),
        "  capability,".to_owned(),
        "  file,".to_owned(),
        "  umount,".to_owned(),
        // Kills from the host program, which is not confined, and among the container's own.
        "  signal (receive) peer=unconfined,".to_owned(),
        format!("  signal (send,receive) peer={name},"),
        format!("  ptrace (trace,read,tracedby,readby) peer={name},"),
        "  deny mount,".to_owned(),
    ];
    let mut deny = |path: &str, access: &str| lines.push(format!("  deny {path} {access},"));
    // Digits are processes, whose files belong to them; shm parameters are those of the IPC
    // namespace. All other files of /proc are the machine's.
    for path in all_but("/proc/", "sys/kernel/shm", "1-9") {
        deny(&path, "w");
    }
    for path in all_but("/sys/", "fs/cgroup/", "") {
        deny(&path, "wklx");
    }
    for path in UNTOUCHABLE {
        deny(path, "rwklx");
    }
    lines.push("}\n".to_owned());
    lines.join("\n")
}

/// Patterns for every name below `base` that does not begin with `kept`, nor with one of the
/// characters `also`: patterns have no other negation than that of one character.
fn all_but(base: &str, kept: &str, also: &str) -> Vec<String> {
    let split = |(index, next): (usize, char)| {
        let also = if index == 0 { also } else { "" };
        format!("{base}{}[^{next}{also}]**", &kept[..index])
    };
    kept.char_indices().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_a_prefix_is_said_by_one_pattern_for_each_of_its_characters() {
        assert_eq!(all_but("/p/", "ab", "1-9"), ["/p/[^a1-9]**", "/p/a[^b]**"]);
    }

    #[test]
    fn the_profile_denies_what_reaches_the_machine_and_nothing_of_a_process() {
        let text = text("x");
        for line in [
            "profile x flags=(attach_disconnected,mediate_deleted) {",
            "  deny mount,",
            "  signal (send,receive) peer=x,",
            "  deny /proc/[^s1-9]** w,",
            "  deny /proc/sys/kernel/s[^h]** w,",
            "  deny /sys/fs/c[^g]** wklx,",
            "  deny /proc/sysrq-trigger rwklx,",
        ] {
            assert!(text.lines().any(|one| one == line), "{line:?} in {text}");
        }
        assert!(text.ends_with("}\n"));
        // Fits into a pipe, as its reader relies on.
        assert!(text.len() < 16 << 10);
    }
}
