//! What this runtime enforces on this host, in the form of the specification's features document.

use super::SPEC_VERSION;
use crate::facts::HostFacts;
use crate::plan::mount_words;
use crate::resctrl::Resctrl;
use execdriver_core::spec::capability_name;
use serde_json::{Value, json};

const HOOKS: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// The kernel's names of namespaces, and the specification's.
const NAMESPACES: [(&str, &str); 8] = [
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mnt", "mount"),
    ("net", "network"),
    ("pid", "pid"),
    ("time", "time"),
    ("user", "user"),
    ("uts", "uts"),
];

const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

const MODES: [&str; 7] = [
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];

const MODE_FLAGS: [&str; 3] = [
    "MPOL_F_NUMA_BALANCING",
    "MPOL_F_RELATIVE_NODES",
    "MPOL_F_STATIC_NODES",
];

/// The features document of this runtime, here and for this user.
pub fn features() -> Value {
    of(&HostFacts::read())
}

fn of(facts: &HostFacts) -> Value {
    let known = NAMESPACES
        .iter()
        .filter(|(kernel, _)| facts.has_namespace(kernel));
    let namespaces: Vec<&str> = known.map(|(_, name)| *name).collect();
    let capabilities: Vec<String> = (0..=facts.capabilities.last)
        .filter_map(capability_name)
        .collect();
    let mut mount_options = mount_words();
    mount_options.sort_unstable();
    let resctrl = Resctrl::find();
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": HOOKS,
        "mountOptions": mount_options,
        "linux": {
            "namespaces": namespaces,
            "capabilities": capabilities,
            "cgroup": cgroup(facts),
            "seccomp": seccomp(facts),
            "apparmor": {"enabled": facts.security.apparmor},
            "selinux": {"enabled": facts.security.selinux},
            "intelRdt": {
                "enabled": resctrl.is_some(),
                "schemata": resctrl.is_some(),
                "monitoring": resctrl.is_some_and(|resctrl| resctrl.monitors()),
            },
            "memoryPolicy": {"modes": MODES, "flags": MODE_FLAGS},
            "mountExtensions": {"idmap": {"enabled": facts.is_root() && facts.calls.mount_setattr}},
            "netDevices": {"enabled": facts.is_root() && facts.user_namespaces.outer.is_none()},
        },
        "annotations": {"execdriver.version": env!("CARGO_PKG_VERSION")},
        "potentiallyUnsafeConfigAnnotations": [],
    })
}

fn cgroup(facts: &HostFacts) -> Value {
    use crate::cgroup::Version;
    let list = &facts.cgroups.list;
    let has = |version| list.iter().any(|one| one.version == version);
    let rdma = list.iter().any(|one| one.controllers.has("rdma"));
    json!({
        "v1": has(Version::V1),
        "v2": has(Version::V2),
        "systemd": true,
        "systemdUser": true,
        "rdma": rdma,
    })
}

fn seccomp(facts: &HostFacts) -> Value {
    if !facts.seccomp {
        return json!({"enabled": false});
    }
    let archs: &[&str] = match cfg!(target_arch = "aarch64") {
        true => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        false => &["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
    };
    let actions = ACTIONS
        .iter()
        .filter(|action| facts.seccomp_notify || **action != "SCMP_ACT_NOTIFY");
    let actions: Vec<&&str> = actions.collect();
    let mut flags = vec![
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_TSYNC",
    ];
    let known = [
        flags.as_slice(),
        &["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
    ]
    .concat();
    if (facts.kernel.major, facts.kernel.minor) >= (5, 19) {
        flags = known.clone();
    }
    json!({
        "enabled": true,
        "actions": actions,
        "operators": OPERATORS,
        "archs": archs,
        "knownFlags": known,
        "supportedFlags": flags,
    })
}
