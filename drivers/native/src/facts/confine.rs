//! Filters of system calls, security modules and attributes of processes as controls, for `doctor`.

use super::HostFacts;
use super::doctor::control;
use execdriver_core::Control;

/// Landlock's ABIs that bring something: what, and the kernel that has it.
const LANDLOCK: [(u32, &str, &str); 4] = [
    (1, "landlock", "5.13"),
    (3, "landlock of truncation", "6.2"),
    (4, "landlock of TCP ports", "6.7"),
    (6, "landlock of signals and abstract sockets", "6.12"),
];

pub(super) fn controls(facts: &HostFacts) -> Vec<Control> {
    let group = "security modules";
    let security = &facts.security;
    let abi = security.landlock_abi;
    let landlock = LANDLOCK.map(|(needed, name, linux)| match abi {
        0 => Control::unavailable(
            group,
            name,
            "the kernel has no Landlock in force",
            "boot a kernel with CONFIG_SECURITY_LANDLOCK and landlock among its lsm=",
        ),
        _ => control(
            abi >= needed,
            (group, name),
            &format!("the kernel has Landlock ABI {abi}, it takes {needed}"),
            &format!("boot Linux {linux} or newer"),
        ),
    });
    let mut all = seccomp(facts).to_vec();
    all.extend(landlock);
    if facts.root_is_initramfs {
        all.push(Control::unavailable(
            "root file system",
            "containers with CAP_SYS_ADMIN",
            "the root is an initramfs, which pivot_root(2) refuses to leave and CAP_SYS_ADMIN uncovers",
            "switch_root to another file system",
        ));
    }
    all.push(control(
        security.apparmor,
        (group, "AppArmor profiles"),
        "AppArmor is not active in this kernel",
        "boot a kernel that has it with apparmor=1 security=apparmor",
    ));
    all.push(control(
        security.selinux,
        (group, "SELinux labels"),
        "SELinux is not active in this kernel",
        "boot a kernel that has it with selinux=1 security=selinux, and a policy",
    ));
    let group = "scheduling";
    all.push(match &security.core_scheduling {
        Ok(()) => Control::enforced(group, "core scheduling"),
        Err(reason) => {
            let mend = "boot a kernel with CONFIG_SCHED_CORE on a machine with SMT";
            Control::unavailable(group, "core scheduling", reason, mend)
        }
    });
    let rest = ["scheduler", "I/O priority", "processors", "memory policy"];
    all.extend(rest.map(|name| Control::enforced(group, name)));
    all
}

fn seccomp(facts: &HostFacts) -> [Control; 2] {
    let group = "seccomp";
    let built = "boot a kernel with CONFIG_SECCOMP_FILTER";
    let filter = control(
        facts.seccomp,
        (group, "filter"),
        "the kernel takes no filters of system calls",
        built,
    );
    let notify = control(
        facts.seccomp_notify,
        (group, "notify"),
        "the kernel knows no filter that asks a listener (SCMP_ACT_NOTIFY)",
        match facts.seccomp {
            true => "boot Linux 5.0 or newer",
            false => built,
        },
    );
    [filter, notify]
}
