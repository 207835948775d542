//! The bundle of other runtimes: an OCI document for the container that our template makes.

use crate::Result;
use execdriver::{Command, Spec};
use std::path::Path;

/// The docker profile's document for libseccomp, which a test of the driver writes.
#[cfg(target_arch = "x86_64")]
const SECCOMP: &str = include_str!("../../../../fixtures/seccomp/docker-x86_64.json");
#[cfg(target_arch = "aarch64")]
const SECCOMP: &str = include_str!("../../../../fixtures/seccomp/docker-aarch64.json");

/// The docker profile's.
pub(crate) const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];
/// Paths that the docker profile covers.
pub(crate) struct Covered {
    pub(crate) masked: Vec<String>,
    /// What is there to be read.
    pub(crate) read_only: Vec<String>,
}

/// Those of our own containers.
pub(crate) fn covered() -> Result<Covered> {
    let spec = Spec::from_command(&Command::linux("bundle", "/", "true"), "bench")?;
    let linux = spec.oci.linux().as_ref().ok_or("no container of Linux")?;
    Ok(Covered {
        masked: linux.masked_paths().clone().unwrap_or_default(),
        read_only: linux.readonly_paths().clone().unwrap_or_default(),
    })
}

/// The mounts, nodes, rules, masks, capabilities and filter of the docker profile.
pub(crate) fn config(rootfs: &Path, program: &str) -> Result<String> {
    let rootfs = rootfs.display();
    let capabilities = list(&CAPABILITIES);
    let restricted = ["nosuid", "noexec", "nodev"];
    let readonly = ["nosuid", "noexec", "nodev", "ro"];
    let mounts = [
        mount("/proc", "proc", "proc", &restricted),
        mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount("/sys", "sysfs", "sysfs", &readonly),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        mount("/dev/mqueue", "mqueue", "mqueue", &restricted),
        mount(
            "/dev/shm",
            "tmpfs",
            "shm",
            &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        ),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &readonly),
    ]
    .join(",");
    let namespaces: Vec<String> = ["mount", "uts", "ipc", "pid", "network", "cgroup"]
        .iter()
        .map(|kind| format!(r#"{{"type":"{kind}"}}"#))
        .collect();
    let covered = covered()?;
    let masked = list(&covered.masked);
    let read_only = list(&covered.read_only);
    Ok(format!(
        r#"{{"ociVersion":"1.0.2","hostname":"execdriver-bench","root":{{"path":"{rootfs}"}},
"process":{{"user":{{"uid":0,"gid":0}},"cwd":"/","args":["/bin/{program}"],
 "env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","HOME=/root"],
 "capabilities":{{"bounding":{capabilities},"effective":{capabilities},"permitted":{capabilities}}}}},
"mounts":[{mounts}],
"linux":{{"seccomp":{SECCOMP},"namespaces":[{}],"maskedPaths":{masked},"readonlyPaths":{read_only},
 "devices":[{{"path":"/dev/fuse","type":"c","major":10,"minor":229,"fileMode":438,"uid":0,"gid":0}}],
 "resources":{{"devices":[{}]}}}}}}
"#,
        namespaces.join(","),
        device_rules(),
    ))
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> String {
    format!(
        r#"{{"destination":"{destination}","type":"{kind}","source":"{source}","options":{}}}"#,
        list(options)
    )
}

fn list<S: AsRef<str>>(words: &[S]) -> String {
    let quoted = words.iter().map(|word| format!("{:?}", word.as_ref()));
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}

fn device_rules() -> String {
    let mut rules = vec![r#"{"allow":false,"access":"rwm"}"#.to_owned()];
    rules
        .extend(["c", "b"].map(|kind| format!(r#"{{"allow":true,"type":"{kind}","access":"m"}}"#)));
    rules.push(r#"{"allow":true,"type":"c","major":136,"access":"rwm"}"#.to_owned());
    let numbers = [
        (5, 1),
        (4, 0),
        (4, 1),
        (5, 2),
        (10, 200),
        (1, 3),
        (1, 5),
        (1, 7),
        (5, 0),
        (1, 9),
        (1, 8),
    ];
    rules.extend(numbers.map(|(major, minor)| {
        format!(r#"{{"allow":true,"type":"c","major":{major},"minor":{minor},"access":"rwm"}}"#)
    }));
    rules.join(",")
}
