//! What every container gets before its command says anything: mounts and device nodes.

use super::mounts::mount;
use crate::{Device, DeviceKind};
use oci_spec::runtime::Mount;

/// What of the command the template depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) privileged: bool,
    pub(super) readonly_rootfs: bool,
    /// Whether the user namespace, if there is one, has the group of terminals.
    pub(super) maps_tty_group: bool,
    pub(super) shm: Shm,
}

/// Whose POSIX shared memory the container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shm {
    Own,
    Host,
    /// That of the joined container, which only the driver can find.
    Joined,
}

/// Group `tty` in every distribution that has one.
pub(super) const TTY_GROUP: u32 = 5;

const RESTRICTED: [&str; 3] = ["nosuid", "noexec", "nodev"];

/// The mounts, the outer ones first.
pub(super) fn mounts(facts: Facts) -> Vec<Mount> {
    let Facts {
        privileged,
        readonly_rootfs,
        ..
    } = facts;
    let pts = [
        "nosuid",
        "noexec",
        "newinstance",
        "ptmxmode=0666",
        "mode=0620",
    ];
    // Bounded, where the original's could take half of the host's memory.
    let dev = ["nosuid", "strictatime", "mode=755", "size=65536k"];
    let kernel = if privileged && !readonly_rootfs {
        "rw"
    } else {
        "ro"
    };
    let mut mounts = vec![
        mount("/proc", "proc", "proc", RESTRICTED),
        // OCI's word for a read-only /dev; drivers apply it last, when /dev is filled.
        mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            dev.into_iter().chain(readonly_rootfs.then_some("ro")),
        ),
        mount(
            "/sys",
            "sysfs",
            "sysfs",
            RESTRICTED.into_iter().chain([kernel]),
        ),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            // A gid that the user namespace has not makes the mount fail with EINVAL.
            pts.into_iter()
                .chain(facts.maps_tty_group.then_some("gid=5")),
        ),
        mount("/dev/mqueue", "mqueue", "mqueue", RESTRICTED),
    ];
    mounts.extend(shm(facts.shm));
    mounts.push(mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        RESTRICTED.into_iter().chain([kernel]),
    ));
    mounts
}

/// The nodes of `/dev`: path, major, minor. `fuse` is made and, without a rule for it, cannot be opened.
pub(super) const DEVICES: [(&str, i64, i64); 7] = [
    ("/dev/fuse", 10, 229),
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/urandom", 1, 9),
    ("/dev/random", 1, 8),
];

/// What may be done with some devices. -1 is any number.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeviceRule<'a> {
    pub(super) kind: DeviceKind,
    pub(super) major: i64,
    pub(super) minor: i64,
    pub(super) access: &'a str,
}

/// What may be used of devices: any may be made, few opened.
pub(super) const DEVICE_RULES: [DeviceRule<'_>; 14] = [
    any(DeviceKind::Char),
    any(DeviceKind::Block),
    // console, tty0, tty1, pts, ptmx, net/tun; null, zero, full, tty, urandom, random.
    used(5, 1),
    used(4, 0),
    used(4, 1),
    used(136, -1),
    used(5, 2),
    used(10, 200),
    used(1, 3),
    used(1, 5),
    used(1, 7),
    used(5, 0),
    used(1, 9),
    used(1, 8),
];

const fn any(kind: DeviceKind) -> DeviceRule<'static> {
    DeviceRule {
        kind,
        major: -1,
        minor: -1,
        access: "m",
    }
}

const fn used(major: i64, minor: i64) -> DeviceRule<'static> {
    DeviceRule {
        kind: DeviceKind::Char,
        major,
        minor,
        access: "rwm",
    }
}

/// What OCI gives to every container: any node may be made, its default devices and terminals be used.
pub(super) fn default_device_rules() -> impl Iterator<Item = DeviceRule<'static>> {
    const BESIDE: [(i64, i64); 4] = [(5, 1), (4, 0), (4, 1), (10, 200)];
    let beside = |rule: &DeviceRule<'_>| BESIDE.contains(&(rule.major, rule.minor));
    DEVICE_RULES.into_iter().filter(move |rule| !beside(rule))
}

impl DeviceRule<'_> {
    /// Whether a command's rule is this one.
    pub(super) fn is(&self, device: &Device) -> bool {
        let Device {
            kind,
            major,
            minor,
            permissions,
            ..
        } = device;
        (*kind, *major, *minor) == (self.kind, self.major, self.minor) && permissions == self.access
    }
}

impl<'a> From<&'a Device> for DeviceRule<'a> {
    fn from(device: &'a Device) -> Self {
        Self {
            kind: device.kind,
            major: device.major,
            minor: device.minor,
            access: &device.permissions,
        }
    }
}

/// The original left `/dev/shm` to the daemon. Here there is none, so the template has it.
fn shm(shm: Shm) -> Option<Mount> {
    match shm {
        Shm::Own => Some(mount(
            "/dev/shm",
            "tmpfs",
            "shm",
            RESTRICTED.into_iter().chain(["mode=1777", "size=65536k"]),
        )),
        Shm::Host => Some(mount(
            "/dev/shm",
            "bind",
            "/dev/shm",
            ["rbind"].into_iter().chain(RESTRICTED),
        )),
        Shm::Joined => None,
    }
}
