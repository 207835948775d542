//! What is in /dev: nodes or their stand-ins, links, the console.
//!
//! Real root makes nodes. In a user namespace nobody can, so the host's own are bound; of the
//! template's those that the host lacks are left out, of the caller's that is an error.

use super::sources::SourceKind;
use super::steps::Part;
use super::text::{c_path, container_path};
use super::{Builder, Host, PlanError, mounts};
use crate::wire::{BIND_CREATE, BIND_DEVICE, Op};
use execdriver_core::Spec;
use nix::sys::stat::{FileStat, SFlag, lstat, major, makedev, minor};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, LinuxNamespaceType as Kind};
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// A device node of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'a> {
    /// Absolute path in the container.
    pub(super) path: Cow<'a, Path>,
    /// `S_IFCHR`, `S_IFBLK` or `S_IFIFO`.
    pub(super) kind: u32,
    /// A block device.
    pub(super) block: bool,
    /// Its number.
    pub(super) major: u32,
    /// Its number.
    pub(super) minor: u32,
    mode: u32,
    uid: u32,
    gid: u32,
}

/// What every container has, whether its document says so or not: OCI's default devices.
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Not every kernel has it, and only the template asks for it.
const FUSE: (&str, u32, u32) = ("/dev/fuse", 10, 229);

const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// The largest numbers that a device has: makedev(3), `MINORBITS` of the kernel.
const MAX_MAJOR: u32 = 0xfff;
const MAX_MINOR: u32 = 0xf_ffff;

impl Node<'_> {
    /// Whether a file of the host is this device.
    pub(super) fn is(&self, kind: SourceKind) -> bool {
        let wanted = SourceKind::Device {
            block: self.block,
            rdev: makedev(self.major.into(), self.minor.into()),
        };
        kind == wanted
    }

    fn is_default(&self) -> bool {
        DEFAULT.iter().chain([&FUSE]).any(|(path, major, minor)| {
            self.path == Path::new(path) && self.major == *major && self.minor == *minor
        })
    }
}

/// Whether devices are bound from the host rather than made.
pub(super) fn are_bound(spec: &Spec, host: &Host) -> bool {
    !host.makes_nodes() || super::namespaces::lists(spec, Kind::User)
}

/// The nodes whose host's files are wanted; a bad one is left for the plan to refuse.
pub(super) fn wanted(spec: &Spec) -> Vec<Node<'_>> {
    let listed = listed(spec).iter().filter_map(|device| node(device).ok());
    let nodes = defaults_beside(spec).chain(listed);
    nodes.filter(|node| node.kind != FIFO).collect()
}

/// Of the host's /dev these are the container's own, or no devices.
const NOT_THE_HOSTS: [&str; 5] = ["pts", "shm", "fd", "mqueue", "console"];

/// Every node of the host's /dev but those that the document lists: what a privileged container
/// gets. Touches the host; what vanishes meanwhile is left out.
pub(super) fn host_nodes(spec: &Spec) -> Vec<Node<'static>> {
    let listed: Vec<&Path> = listed(spec)
        .iter()
        .map(|device| device.path().as_path())
        .collect();
    let mut nodes = Vec::new();
    let mut directories = vec![PathBuf::from("/dev")];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let skipped = NOT_THE_HOSTS
                .iter()
                .any(|name| path == Path::new("/dev").join(name));
            if skipped || listed.contains(&path.as_path()) {
                continue;
            }
            match lstat(&path).map(|stat| {
                (
                    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()),
                    stat,
                )
            }) {
                Ok((SFlag::S_IFDIR, _)) => directories.push(path),
                Ok((kind @ (SFlag::S_IFCHR | SFlag::S_IFBLK), stat)) => {
                    nodes.extend(host_node(path, kind, &stat));
                }
                _ => {}
            }
        }
    }
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}

fn host_node(path: PathBuf, kind: SFlag, stat: &FileStat) -> Option<Node<'static>> {
    Some(Node {
        path: Cow::Owned(path),
        kind: kind.bits(),
        block: kind == SFlag::S_IFBLK,
        major: u32::try_from(major(stat.st_rdev)).ok()?,
        minor: u32::try_from(minor(stat.st_rdev)).ok()?,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
    })
}

const FIFO: u32 = SFlag::S_IFIFO.bits();

/// Plans /dev, unless it is the caller's own.
pub(super) fn plan(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    if !is_ours(builder) {
        return match listed(builder.spec) {
            [] => Ok(()),
            // The template's go with the template's /dev.
            devices
                if devices
                    .iter()
                    .all(|device| node(device).is_ok_and(|n| n.is_default())) =>
            {
                Ok(())
            }
            _ => Err(PlanError::unsupported(
                "linux.devices in a /dev that is bound from the host",
            )),
        };
    }
    let spec = builder.spec;
    for node in defaults_beside(spec) {
        device(builder, &node)?;
    }
    for listed in listed(spec) {
        device(builder, &node(listed)?)?;
    }
    let sources = builder.sources;
    for node in &sources.host_nodes {
        device(builder, node)?;
    }
    for (path, target) in LINKS {
        link(builder, path, target)?;
    }
    if builder.host.kcore {
        link(builder, "/dev/core", "/proc/kcore")?;
    }
    if mounts::has(builder, Some("devpts"), "/dev/pts") {
        link(builder, "/dev/ptmx", "pts/ptmx")?;
    }
    Ok(())
}

/// Whether /dev is the container's to fill: not the caller's, not that of the host's own root.
pub(super) fn is_ours(builder: &Builder<'_>) -> bool {
    if !builder.spec.fill_dev {
        return false;
    }
    let root = builder.spec.oci.root().as_ref();
    root.is_none_or(|root| root.path() != Path::new("/"))
        || mounts::has(builder, Some("tmpfs"), "/dev")
}

/// How errors name a device.
#[derive(Clone, Copy)]
struct Field<'a>(&'a Path);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux.devices[{:?}]", self.0)
    }
}

fn device(builder: &mut Builder<'_>, node: &Node<'_>) -> Result<(), PlanError> {
    let field = Field(&node.path);
    let path = container_path(field, &node.path)?;
    if node.path.file_name().is_none() {
        let reason = format!("got {:?}, expected the path of a file", node.path);
        return Err(PlanError::invalid(field, reason));
    }
    if let Some(parent) = node
        .path
        .parent()
        .filter(|parent| *parent != Path::new("/dev"))
    {
        builder.steps.at(Part::Tree).push(
            &Op::Mkdir {
                path: &c_path(field, parent)?,
                mode: 0o755,
            },
            format_args!("make {}", parent.display()),
        );
    }
    if node.kind != FIFO && are_bound(builder.spec, builder.host) {
        return stand_in(builder, node, field);
    }
    builder.steps.at(Part::Tree).push(
        &Op::Device {
            path: &path,
            kind: node.kind,
            major: node.major,
            minor: node.minor,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
        },
        format_args!("make device {}", node.path.display()),
    );
    Ok(())
}

fn stand_in(builder: &mut Builder<'_>, node: &Node<'_>, field: Field<'_>) -> Result<(), PlanError> {
    let sources = builder.sources;
    let source = match sources.node(&node.path) {
        Ok(source) if node.is(source.kind) => source,
        _ if node.is_default() => return Ok(()),
        Ok(_) => {
            let reason = format!("the host has no device {}:{}", node.major, node.minor);
            return Err(PlanError::invalid(field, reason));
        }
        Err(errno) => {
            return Err(PlanError::Host {
                field: field.to_string(),
                path: node.path.to_path_buf(),
                errno,
            });
        }
    };
    let foreign = builder.namespaces.is_confined();
    let slot = builder.open(field, source, foreign)?;
    builder.steps.at(Part::Tree).push(
        &Op::Bind {
            slot,
            target: &container_path(field, &node.path)?,
            attr_set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
            attr_clr: 0,
            propagation: libc::MS_PRIVATE,
            // An image that an ordinary user unpacked has plain files where the default ones belong.
            flags: BIND_CREATE | if node.is_default() { 0 } else { BIND_DEVICE },
        },
        format_args!("bind {} on {}", source.path.display(), node.path.display()),
    );
    Ok(())
}

fn link(builder: &mut Builder<'_>, path: &str, target: &str) -> Result<(), PlanError> {
    builder.steps.at(Part::Tree).push(
        &Op::Symlink {
            target: &c_path("/dev", Path::new(target))?,
            path: &c_path("/dev", Path::new(path))?,
        },
        format_args!("link {path} to {target}"),
    );
    Ok(())
}

fn listed(spec: &Spec) -> &[LinuxDevice] {
    let linux = spec.oci.linux().as_ref();
    linux
        .and_then(|linux| linux.devices().as_deref())
        .unwrap_or_default()
}

/// OCI's default devices, but those that the document lists itself.
fn defaults_beside(spec: &Spec) -> impl Iterator<Item = Node<'_>> {
    let listed = listed(spec);
    DEFAULT
        .iter()
        .filter(|(path, ..)| !listed.iter().any(|device| device.path() == Path::new(path)))
        .map(|(path, major, minor)| Node {
            path: Cow::Borrowed(Path::new(path)),
            kind: SFlag::S_IFCHR.bits(),
            block: false,
            major: *major,
            minor: *minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        })
}

fn node(device: &LinuxDevice) -> Result<Node<'_>, PlanError> {
    let field = Field(device.path());
    let (kind, block) = match device.typ() {
        LinuxDeviceType::C | LinuxDeviceType::U => (SFlag::S_IFCHR, false),
        LinuxDeviceType::B => (SFlag::S_IFBLK, true),
        LinuxDeviceType::P => (SFlag::S_IFIFO, false),
        LinuxDeviceType::A => {
            let reason = "got type a, expected c, b, u or p";
            return Err(PlanError::invalid(format_args!("{field}.type"), reason));
        }
    };
    let number = |name: &str, value: i64, max: u32| {
        let value = if kind == SFlag::S_IFIFO { 0 } else { value };
        u32::try_from(value)
            .ok()
            .filter(|value| *value <= max)
            .ok_or_else(|| {
                let reason = format!("got {value}, expected 0 to {max}");
                PlanError::invalid(format_args!("{field}.{name}"), reason)
            })
    };
    Ok(Node {
        path: Cow::Borrowed(device.path()),
        kind: kind.bits(),
        block,
        major: number("major", device.major(), MAX_MAJOR)?,
        minor: number("minor", device.minor(), MAX_MINOR)?,
        // OCI allows the type bits in the mode.
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
    })
}
