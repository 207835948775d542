//! The mounts of a container, in the order in which init makes them.
//!
//! Sources of the host are opened before anything is mounted, so that no mount of ours can cover
//! them. Then the document's mounts follow one by one, outer ones first. What must stay writable
//! until all mount points below it are made becomes read-only only after the pivot.

use super::options::MountOptions;
use super::steps::{c_string, container_path};
use super::volumes::{bind, check_propagation, host_source, joined_shm};
use super::{Builder, PlanError, cgroupfs, confine, remount};
use crate::plan::encode::PackedParams;
use crate::wire::{MOUNT_COPY_UP, MOUNT_INHERIT_MODE, MOUNT_REAL_DIR, Op};
use execdriver_core::spec::is_bind;
use libc::MOUNT_ATTR_RDONLY;
use nix::errno::Errno;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};
use std::path::{Component, Path};

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

/// One mount of the document, its words understood.
pub(super) struct Planned<'a> {
    /// How errors name it: `mounts["/mnt"]`.
    pub(super) field: String,
    /// Absolute path in the container.
    pub(super) target: &'a Path,
    /// Its words.
    pub(super) options: MountOptions,
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
        let field = format!("mounts[{:?}]", mount.destination());
        let words = mount.options().as_deref().unwrap_or_default();
        let planned = Planned {
            options: MountOptions::parse(&field, words)?,
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
            bind(builder, &planned, &source)?;
        } else {
            new_file_system(builder, &planned, mount)?;
            remount::finish(builder, &planned)?;
        }
    }
    joined_shm(builder)
}

fn check(planned: &Planned<'_>, mount: &Mount) -> Result<(), PlanError> {
    let Planned { field, target, .. } = planned;
    let destination = format!("{field}.destination");
    container_path(&destination, target)?;
    let parts = cleaned(target);
    let Some((first, rest)) = parts.split_first() else {
        return Err(PlanError::invalid(
            destination,
            "mounting into / is prohibited",
        ));
    };
    if first != "proc" {
        return Ok(());
    }
    let allowed = match rest {
        [] => mount.typ().as_deref() == Some("proc") || shows_hosts_proc(mount),
        [file] => is_bind(mount) && PROC_FILES.iter().any(|allowed| file == allowed),
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    let reason = format!("{target:?} cannot be mounted because it is located inside \"/proc\"");
    Err(PlanError::invalid(destination, reason))
}

/// The way in which documents for ordinary users show processes of the host.
fn shows_hosts_proc(mount: &Mount) -> bool {
    is_bind(mount) && mount.source().as_deref() == Some(Path::new("/proc"))
}

/// The components, `.` and `..` resolved by the letters.
pub(super) fn cleaned(path: &Path) -> Vec<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    parts
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
            Err(PlanError::invalid(
                format!("{}.type", planned.field),
                reason,
            ))
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
    match builder.sources.file(Path::new(path)) {
        Ok(source) => {
            let source = source.clone();
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
                field: planned.field.clone(),
                target: planned.target,
                options: standing_in,
                mapped: None,
            };
            bind(builder, &planned, &source)
        }
        // Many hosts have it nowhere; message queues work without being seen.
        Err(Errno::ENOENT) if fstype == "mqueue" => Ok(()),
        Err(errno) => Err(PlanError::Host {
            field: planned.field.clone(),
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
    let words = ["nosuid", "noexec", "ptmxmode=0666", "mode=0620", "gid=5"].map(str::to_owned);
    let field = "process.terminal".to_owned();
    let options = MountOptions::parse(&field, &words)?;
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
    let mut options = planned.options.clone();
    if let Some(maps) = builder.namespaces.ids() {
        let mapped = |map, value: &Option<String>| {
            let id = value.as_deref().and_then(|value| value.parse().ok());
            id.is_none_or(|id| super::idmaps::is_mapped(map, id))
        };
        options.params.retain(|(key, value)| match key.as_str() {
            "gid" => mapped(&maps.gids, value),
            "uid" => mapped(&maps.uids, value),
            _ => true,
        });
    } else if builder.namespaces.in_user_namespace() {
        options
            .params
            .retain(|(key, _)| key != "gid" && key != "uid");
    }
    let planned = Planned {
        field: planned.field.clone(),
        target: planned.target,
        options,
        mapped: None,
    };
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
    let mut params = params(planned, source)?;
    let mut words = format!("mount {fstype} on {}", target.display());
    // Queues that are the host's, too, keep theirs; in a user namespace their directory is the host root's,
    // and nobody there may label it.
    let own = builder.namespaces.creates(Kind::Ipc) && !builder.namespaces.in_user_namespace();
    let foreign = fstype == "mqueue" && !own;
    let label = confine::mount_label(builder.spec, fstype);
    if let Some(label) = label.filter(|_| !foreign) {
        params.string(c"context", &c_string("mount_label", label)?);
        words = format!("{words} with the SELinux label {label}");
    }
    builder.mounted.push(
        &Op::MountFs {
            fstype: &c_string(&format!("{field}.type"), fstype)?,
            target: &container_path(&format!("{field}.destination"), target)?,
            params: params.view(),
            attrs: u32::try_from(set).unwrap_or_default(),
            flags,
        },
        words,
    );
    Ok(())
}

/// The source and the parameters of a new file system.
pub(super) fn params(planned: &Planned<'_>, source: &Path) -> Result<PackedParams, PlanError> {
    let field = &planned.field;
    let mut params = PackedParams::default();
    if !source.as_os_str().is_empty() {
        let source = super::steps::c_path(&format!("{field}.source"), source)?;
        params.string(c"source", &source);
    }
    let options = format!("{field}.options");
    for (key, value) in &planned.options.params {
        let key = c_string(&options, key)?;
        match value {
            Some(value) => params.string(&key, &c_string(&options, value)?),
            None => params.flag(&key),
        }
    }
    Ok(params)
}

/// Whether the document mounts a new file system of `fstype` exactly there.
pub(super) fn has(builder: &Builder<'_>, fstype: Option<&str>, target: &str) -> bool {
    let wanted = cleaned(Path::new(target));
    let mounts = builder.spec.oci.mounts().as_deref().unwrap_or_default();
    mounts.iter().any(|mount| {
        let right = match fstype {
            Some(fstype) => !is_bind(mount) && mount.typ().as_deref() == Some(fstype),
            None => is_bind(mount),
        };
        right && cleaned(mount.destination()) == wanted
    })
}
