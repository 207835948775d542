//! Reads the facts; what cannot be read counts as absent, since nothing may be built on it.

use super::kernel::{Calls, KernelVersion};
use super::users::{CapabilitySets, UserNamespaces};
use super::{CgroupAccess, HostFacts, Security, SubIds, UnifiedAccess};
use crate::at;
use crate::cgroup::devices::programs_refused;
use crate::cgroup::{Hierarchies, Hierarchy, Version, delegation};
use crate::launch::{IdMaps, parse_id_map};
use crate::sys::probe;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, faccessat, getegid, geteuid};
use std::fs::File;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The contract's default nodes (section 5) and where they must point: (path, major, minor).
pub(crate) const DEVICES: [(&str, u32, u32); 7] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/urandom", 1, 9),
    ("/dev/random", 1, 8),
    ("/dev/fuse", 10, 229),
];

/// Far above any of the files that are read here.
const LONGEST: usize = 1 << 20;

/// What cannot change while a process lives, however its user and its cgroup do.
struct Constant {
    kernel: KernelVersion,
    calls: Calls,
    namespaces: Vec<String>,
    lsms: Vec<String>,
    security: Security,
    root_is_initramfs: bool,
}

impl HostFacts {
    /// Reads the facts of this moment, for the opening of a driver and for `doctor`; it costs
    /// 0.2 ms, most of it for the table of mounts. Starts share those that are [`Known`](super::Known).
    ///
    /// They are those of the calling thread, whose namespaces and capabilities a container is
    /// launched from: a host may have unshared what the rest of its threads still share.
    pub(crate) fn read() -> Self {
        static CONSTANT: OnceLock<Constant> = OnceLock::new();
        let constant = CONSTANT.get_or_init(Constant::read);
        let cgroups = Hierarchies::read().unwrap_or_else(|_| Hierarchies::detect("", ""));
        let status = text("/proc/thread-self/status");
        let actions = text("/proc/sys/kernel/seccomp/actions_avail");
        Self {
            kernel: constant.kernel.clone(),
            calls: constant.calls,
            cgroup_access: access(&cgroups),
            device_programs_refused: match cgroups.controller("devices") {
                Some(_) => None,
                None => programs_refused(),
            },
            cgroups,
            namespaces: constant.namespaces.clone(),
            lsms: constant.lsms.clone(),
            security: constant.security.clone(),
            euid: geteuid().as_raw(),
            egid: getegid().as_raw(),
            capabilities: CapabilitySets::parse(&status, &text("/proc/sys/kernel/cap_last_cap")),
            user_namespaces: user_namespaces(),
            sub_ids: SubIds::read(geteuid().as_raw()),
            root_is_initramfs: constant.root_is_initramfs,
            filesystems: filesystems(&text("/proc/filesystems")),
            devices: devices(),
            kcore: std::path::Path::new("/proc/kcore").exists(),
            memfd_noexec: number("/proc/sys/vm/memfd_noexec").unwrap_or(0),
            // EINVAL is a kernel before 6.3, where every memfd is executable.
            executable_memfd: matches!(probe::executable_memfd(), Ok(()) | Err(Errno::EINVAL)),
            // Made by CONFIG_SECCOMP_FILTER: seccomp(2).
            seccomp: !actions.is_empty(),
            seccomp_notify: actions.split_whitespace().any(|name| name == "user_notif"),
            under_seccomp: status.lines().any(|line| line == "Seccomp:\t2"),
        }
    }
}

impl Constant {
    fn read() -> Self {
        let kernel = KernelVersion::parse(text("/proc/sys/kernel/osrelease").trim());
        Self {
            calls: Calls::probe(&kernel),
            kernel,
            namespaces: names("/proc/thread-self/ns"),
            security: Security::read(&filesystems(&text("/proc/filesystems"))),
            lsms: text("/sys/kernel/security/lsm")
                .trim()
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            root_is_initramfs: is_initramfs(&text("/proc/thread-self/mountinfo")),
        }
    }
}

/// Whether we may make directories in our own cgroup of each hierarchy.
fn access(cgroups: &Hierarchies) -> CgroupAccess {
    let mut found = CgroupAccess::default();
    for hierarchy in &cgroups.list {
        let name = match hierarchy.controllers.is_empty() {
            true => "unified".to_owned(),
            false => hierarchy.controllers.text().to_owned(),
        };
        match may_write(hierarchy) {
            Ok(()) => {
                found.writable.push(name);
                if hierarchy.version == Version::V2 {
                    found.unified = unified(hierarchy);
                }
            }
            Err(errno) => {
                found.read_only |= errno == Errno::EROFS;
                found.refused.push(name);
            }
        }
    }
    found
}

/// Where containers' are made: below the root for real root, else below what was handed to us.
fn unified(hierarchy: &Hierarchy) -> Option<UnifiedAccess> {
    let top = delegation::top(hierarchy);
    let below = top.or_else(|| hierarchy.own.clone())?;
    let path = hierarchy.mount.join(below.trim_start_matches('/'));
    let read = |file: &str| text(&path.join(file).to_string_lossy());
    Some(UnifiedAccess {
        controllers: read("cgroup.controllers")
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
        // The root alone has no type, and may have processes.
        occupied: !read("cgroup.type").is_empty() && !read("cgroup.procs").is_empty(),
        path,
    })
}

fn may_write(hierarchy: &Hierarchy) -> nix::Result<()> {
    if delegation::top(hierarchy).is_some() {
        return Ok(());
    }
    let directory = hierarchy.own_directory().ok_or(Errno::EACCES)?;
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    faccessat(
        nix::fcntl::AT_FDCWD,
        &directory,
        wanted,
        AtFlags::AT_EACCESS,
    )
}

fn user_namespaces() -> UserNamespaces {
    let setting = |path| number::<u32>(path);
    UserNamespaces {
        max: number("/proc/sys/user/max_user_namespaces").unwrap_or(0),
        unprivileged_allowed: setting("/proc/sys/kernel/unprivileged_userns_clone") != Some(0),
        apparmor_restricted: setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
            == Some(1),
        filtered: probe::denies_user_namespaces(),
        outer: outer(),
    }
}

/// The number that the first user namespace of a machine has always had (`PROC_USER_INIT_INO`):
/// another one may map every id too.
const FIRST_USER_NAMESPACE: u64 = 0xeffffffd;

pub(super) fn outer() -> Option<IdMaps> {
    let first = std::fs::metadata("/proc/thread-self/ns/user")
        .is_ok_and(|namespace| namespace.ino() == FIRST_USER_NAMESPACE);
    if first {
        // Its map has all ids, and nobody writes it.
        return None;
    }
    Some(IdMaps {
        uids: parse_id_map(&text("/proc/thread-self/uid_map")),
        gids: parse_id_map(&text("/proc/thread-self/gid_map")),
        deny_setgroups: text("/proc/thread-self/setgroups").trim() == "deny",
        helpers: None,
    })
}

fn devices() -> Vec<PathBuf> {
    let right = |(path, major, minor): &(&str, u32, u32)| {
        let is = |metadata: std::fs::Metadata| {
            let number = nix::sys::stat::makedev(u64::from(*major), u64::from(*minor));
            metadata.file_type().is_char_device() && metadata.rdev() == number
        };
        std::fs::symlink_metadata(path).is_ok_and(is)
    };
    let present = DEVICES.iter().filter(|device| right(device));
    present.map(|(path, ..)| PathBuf::from(path)).collect()
}

/// The last mount on `/` is the one in sight.
fn is_initramfs(mountinfo: &str) -> bool {
    let fstype = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let root = before.split(' ').nth(4)? == "/";
        root.then(|| after.split(' ').next().map(str::to_owned))?
    };
    let last = mountinfo.lines().filter_map(fstype).next_back();
    last.is_some_and(|fstype| fstype == "rootfs")
}

fn filesystems(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.rsplit('\t').next());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn names(directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    text(path).trim().parse().ok()
}

/// What is found in a file that the kernel makes as one record, as in an empty text where it cannot be read.
pub(super) fn record<T>(path: &str, found: impl FnOnce(&str) -> T) -> T {
    let mut page = [0; 4096];
    let read = File::open(path).map_err(at::errno);
    let read = read.and_then(|file| at::record_in(&file.into(), &mut page, LONGEST));
    let text = read.as_deref().ok();
    found(
        text.and_then(|text| str::from_utf8(text).ok())
            .unwrap_or_default(),
    )
}

pub(super) fn text(path: &str) -> String {
    let read = File::open(path).map_err(at::errno);
    let read = read.and_then(|file| at::read_all(file, LONGEST));
    read.ok()
        .and_then(|text| String::from_utf8(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_what_no_host_can_lack() {
        let facts = HostFacts::read();
        assert!(facts.kernel.at_least(5, 10), "{}", facts.kernel);
        assert!(facts.has_namespace("mnt") && facts.has_filesystem("proc"));
        assert!(facts.devices.contains(&PathBuf::from("/dev/null")));
        assert!(facts.capabilities.last >= 40);
        assert_eq!(facts.euid, geteuid().as_raw());
        assert_eq!(facts.calls, HostFacts::read().calls);
    }

    #[test]
    fn the_initramfs_is_known_by_the_last_mount_on_the_root() {
        let initramfs = "1 1 0:2 / / rw - rootfs rootfs rw\n20 1 0:5 / /proc rw - proc proc rw\n";
        assert!(is_initramfs(initramfs));
        let over = format!("{initramfs}30 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n");
        assert!(!is_initramfs(&over));
        assert!(!is_initramfs(""));
    }

    #[test]
    fn file_systems_are_the_last_word_of_each_line() {
        let found = filesystems("nodev\tproc\n\text4\nnodev\toverlay\n");
        assert_eq!(found, ["proc", "ext4", "overlay"]);
    }
}
