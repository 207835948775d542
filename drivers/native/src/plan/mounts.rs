//! The mounts of a container, in the order in which init makes them.
//!
//! Sources of the host are opened before anything is mounted, so that no mount of ours can cover
//! them. Then the document's mounts follow one by one, outer ones first. What must stay writable
//! until all mount points below it are made becomes read-only only after the pivot.

use super::options::{MountOptions, Param};
use super::steps::Part;
use super::text::{c_string, check_container_path, container_path, plain, plain_path};
use super::volumes::{bind, check_propagation, host_source, joined_shm};
use super::{Builder, PlanError, cgroupfs, confine, remount};
use crate::plan::encode::PackedParams;
use crate::wire::{MOUNT_COPY_UP, MOUNT_INHERIT_MODE, MOUNT_REAL_DIR, Op};
use execdriver_core::spec::is_bind;
use libc::MOUNT_ATTR_RDONLY;
use nix::errno::Errno;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Files of /proc that containers are commonly given others for (lxcfs); all else there stays the
/// kernel's (CVE-2019-16884, CVE-2023-27561).
const PROC_FILES: [&str; 8] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
];

/// How errors name a mount.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'a> {
    /// One of the document: `mounts["/mnt"]`.
    Mount(&'a Path),
    /// What asks for one that is not in the document.
    Other(&'static str),
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(target) => write!(f, "mounts[{target:?}]"),
            Self::Other(field) => f.write_str(field),
        }
    }
}

/// One mount of the document, its words understood.
#[derive(Debug, Clone)]
pub(super) struct Planned<'a> {
    /// How errors name it.
    pub(super) field: Field<'a>,
    /// Absolute path in the container.
    pub(super) target: &'a Path,
    /// Its words.
    pub(super) options: MountOptions<'a>,
    /// The slot of its source, when the parent has cloned it.
    pub(super) mapped: Option<u16>,
}

/// Plans every mount of the document.
pub(super) fn plan(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    let spec = builder.spec;
    for demand in &spec.demands {
        check_propagation(builder.sources, demand)?;
    }
    let mounts = spec.oci.mounts().as_deref().unwrap_or_default();
    for (index, mount) in mounts.iter().enumerate() {
        let field = Field::Mount(mount.destination());
        let words = mount.options().as_deref().unwrap_or_default();
        let planned = Planned {
            options: MountOptions::parse(field, words)?,
            target: mount.destination(),
            mapped: builder.mapped.mounts.get(&index).copied(),
            field,
        };
        check(&planned, mount)?;
        remount::check(&planned, mount)?;
        if planned.options.remount {
            remount::plan(builder, &planned, is_bind(mount))?;
        } else if is_bind(mount) {
            let source = host_source(builder, &planned, mount)?;
            bind(builder, &planned, source)?;
        } else {
            new_file_system(builder, &planned, mount)?;
            remount::finish(builder, &planned)?;
        }
    }
    joined_shm(builder)
}

fn check(planned: &Planned<'_>, mount: &Mount) -> Result<(), PlanError> {
    let Planned { field, target, .. } = planned;
    let invalid = |reason: String| {
        let destination = format_args!("{field}.destination");
        Err(PlanError::invalid(destination, reason))
    };
    check_container_path(format_args!("{field}.destination"), target)?;
    let cleaned = cleaned(target);
    let mut parts = names(&cleaned);
    let Some(first) = parts.next() else {
        return invalid("mounting into / is prohibited".to_owned());
    };
    if first != "proc" {
        return Ok(());
    }
    let allowed = match (parts.next(), parts.next()) {
        (None, _) => mount.typ().as_deref() == Some("proc") || shows_hosts_proc(mount),
        (Some(file), None) => is_bind(mount) && PROC_FILES.iter().any(|allowed| file == *allowed),
        (Some(_), Some(_)) => false,
    };
    if allowed {
        return Ok(());
    }
    invalid(format!(
        "{target:?} cannot be mounted because it is located inside \"/proc\""
    ))
}

/// The way in which documents for ordinary users show processes of the host.
fn shows_hosts_proc(mount: &Mount) -> bool {
    is_bind(mount) && mount.source().as_deref() == Some(Path::new("/proc"))
}

/// The path with `..` resolved by the letters.
fn cleaned(path: &Path) -> Cow<'_, Path> {
    if !path.components().any(|part| part == Component::ParentDir) {
        return Cow::Borrowed(path);
    }
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Cow::Owned(clean)
}

/// The names in a path, without `.` and `/`.
fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

fn new_file_system(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    mount: &Mount,
) -> Result<(), PlanError> {
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    match mount.typ().as_deref().unwrap_or_default() {
        "" => {
            let reason = "got none, expected the type of a file system or bind";
            let field = format_args!("{}.type", planned.field);
            Err(PlanError::invalid(field, reason))
        }
        "cgroup" | "cgroup2" => cgroupfs::plan(builder, planned),
        "proc" => of_namespace(builder, planned, "proc", Kind::Pid),
        "sysfs" => of_namespace(builder, planned, "sysfs", Kind::Network),
        "mqueue" => of_namespace(builder, planned, "mqueue", Kind::Ipc),
        "devpts" => devpts(builder, planned, source),
        "tmpfs" => tmpfs(builder, planned, source),
        fstype => {
            let set = planned.options.attributes();
            mount_fs(builder, planned, fstype, source, set, 0)
        }
    }
}

/// A file system that shows a namespace. The kernel mounts it only for whom that namespace belongs
/// to, so a user namespace that stays in the host's gets the host's own mount instead: tried on
/// Linux 6.18, EPERM for proc, sysfs and mqueue alike.
fn of_namespace(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    fstype: &str,
    kind: Kind,
) -> Result<(), PlanError> {
    let ours = builder.namespaces.may_mount(kind);
    if ours {
        let real = match fstype {
            "mqueue" => 0,
            _ => MOUNT_REAL_DIR,
        };
        let set = planned.options.attributes();
        return mount_fs(builder, planned, fstype, Path::new(fstype), set, real);
    }
    let path = match fstype {
        "proc" => "/proc",
        "sysfs" => "/sys",
        _ => "/dev/mqueue",
    };
    let sources = builder.sources;
    match sources.file(Path::new(path)) {
        Ok(source) => {
            let mut standing_in = MountOptions {
                recursive: true,
                ..MountOptions::default()
            };
            standing_in.deep.set = planned.options.attributes();
            if fstype == "sysfs" {
                // It brings the host's cgroups along (CVE-2023-25809).
                standing_in.deep.set |= MOUNT_ATTR_RDONLY;
            }
            let planned = Planned {
                options: standing_in,
                mapped: None,
                ..*planned
            };
            bind(builder, &planned, source)
        }
        // Many hosts have it nowhere; message queues work without being seen.
        Err(Errno::ENOENT) if fstype == "mqueue" => Ok(()),
        Err(errno) => Err(PlanError::Host {
            field: planned.field.to_string(),
            path: path.into(),
            errno,
        }),
    }
}

/// Makes sure that there is a devpts for the terminal. In a /dev that the caller brought it covers
/// theirs: a terminal is never one of the host's.
pub(super) fn terminals(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    let target = Path::new("/dev/pts");
    if has(builder, Some("devpts"), "/dev/pts") {
        return Ok(());
    }
    if builder.spec.fill_dev {
        let reason = "a terminal needs a new devpts on /dev/pts";
        return Err(PlanError::invalid("process.terminal", reason));
    }
    let words = ["nosuid", "noexec", "ptmxmode=0666", "mode=0620", "gid=5"];
    let field = Field::Other("process.terminal");
    let options = MountOptions::parse(field, &words)?;
    let planned = Planned {
        field,
        target,
        options,
        mapped: None,
    };
    devpts(builder, &planned, Path::new("devpts"))
}

/// Terminals of the container's own. An owner that the user namespace has not is left out: the
/// kernel answers EINVAL.
fn devpts(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    source: &Path,
) -> Result<(), PlanError> {
    let mut planned = planned.clone();
    let params = &mut planned.options.params;
    if let Some(maps) = builder.namespaces.ids() {
        let mapped = |map, value: &Option<&str>| {
            let id = value.and_then(|value| value.parse().ok());
            id.is_none_or(|id| super::idmaps::is_mapped(map, id))
        };
        params.retain(|(key, value)| match *key {
            "gid" => mapped(&maps.gids, value),
            "uid" => mapped(&maps.uids, value),
            _ => true,
        });
    } else if builder.namespaces.in_user_namespace() {
        params.retain(|(key, _)| *key != "gid" && *key != "uid");
    }
    let set = planned.options.attributes();
    mount_fs(builder, &planned, "devpts", source, set, 0)
}

/// A tmpfs. A read-only one is filled with mount points first.
fn tmpfs(builder: &mut Builder<'_>, planned: &Planned<'_>, source: &Path) -> Result<(), PlanError> {
    let readonly = planned.options.attributes() & MOUNT_ATTR_RDONLY != 0;
    let set = planned.options.attributes() & !MOUNT_ATTR_RDONLY;
    let mut flags = match planned.options.value("mode") {
        Some(_) => 0,
        None => MOUNT_INHERIT_MODE,
    };
    if planned.options.copy_up {
        flags |= MOUNT_COPY_UP;
    }
    mount_fs(builder, planned, "tmpfs", source, set, flags)?;
    if readonly {
        builder.remount_readonly(planned.target)?;
    }
    Ok(())
}

/// Mounts a new file system.
pub(super) fn mount_fs(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    fstype: &str,
    source: &Path,
    set: u64,
    flags: u32,
) -> Result<(), PlanError> {
    let Planned { field, target, .. } = planned;
    let given = planned.options.params.iter().copied();
    params(&mut builder.params, *field, source, given)?;
    // Queues that are the host's, too, keep theirs; in a user namespace their directory is the host root's,
    // and nobody there may label it.
    let own = builder.namespaces.creates(Kind::Ipc) && !builder.namespaces.in_user_namespace();
    let foreign = fstype == "mqueue" && !own;
    let label = confine::mount_label(builder.spec, fstype).filter(|_| !foreign);
    if let Some(label) = label {
        let label = plain("mount_label", label)?;
        builder.params.string(c"context", label);
    }
    let labelled = label.map_or("", |_| " with the SELinux label ");
    let label = label.unwrap_or_default();
    builder.steps.at(Part::Tree).push(
        &Op::MountFs {
            fstype: &c_string(format_args!("{field}.type"), fstype)?,
            target: &container_path(format_args!("{field}.destination"), target)?,
            params: builder.params.view(),
            attrs: u32::try_from(set).unwrap_or_default(),
            flags,
        },
        format_args!("mount {fstype} on {}{labelled}{label}", target.display()),
    );
    Ok(())
}

/// Packs the source and the parameters of a new file system.
pub(super) fn params<'a>(
    packed: &mut PackedParams,
    field: Field<'_>,
    source: &Path,
    params: impl Iterator<Item = Param<'a>>,
) -> Result<(), PlanError> {
    packed.clear();
    if !source.as_os_str().is_empty() {
        let source = plain_path(format_args!("{field}.source"), source)?;
        packed.string(c"source", source);
    }
    for (key, value) in params {
        let key = plain(format_args!("{field}.options"), key)?;
        match value {
            Some(value) => packed.string(key, plain(format_args!("{field}.options"), value)?),
            None => packed.flag(key),
        }
    }
    Ok(())
}

/// Whether the document mounts a new file system of `fstype` exactly there.
pub(super) fn has(builder: &Builder<'_>, fstype: Option<&str>, target: &str) -> bool {
    let mounts = builder.spec.oci.mounts().as_deref().unwrap_or_default();
    mounts.iter().any(|mount| {
        let right = match fstype {
            Some(fstype) => !is_bind(mount) && mount.typ().as_deref() == Some(fstype),
            None => is_bind(mount),
        };
        right && names(&cleaned(mount.destination())).eq(names(Path::new(target)))
    })
}
