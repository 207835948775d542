//! What the container sees at /sys/fs/cgroup.
//!
//! In a cgroup namespace of its own each hierarchy's mount shows the container's cgroup as the
//! root. Without one a mount would show the whole tree: then it is the host's own, read-only.

use super::host::{Host, OwnCgroup, OwnDirectory};
use super::mounts::{Planned, mount_fs, params};
use super::options::{MountOptions, Param};
use super::steps::Part;
use super::text::{c_path, c_string, container_path};
use super::volumes::bind;
use super::{Builder, PlanError};
use crate::controllers::names;
use crate::wire::Op;
use execdriver_core::Spec;
use libc::{MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::path::{Path, PathBuf};

const HOST: &str = "/sys/fs/cgroup";

/// Plans a mount of type `cgroup` or `cgroup2`.
pub(super) fn plan(builder: &mut Builder<'_>, planned: &Planned<'_>) -> Result<(), PlanError> {
    if builder.namespaces.is_host(Kind::Cgroup) {
        return match own(builder.spec, builder.host) {
            [] => hosts(builder, planned),
            own => owns(builder, planned, own),
        };
    }
    let mut set = planned.options.attributes();
    // An ordinary user's container that has no cgroup of its own would own its caller's.
    let ordinary = !builder.host.is_root() || builder.host.outer.is_some();
    if ordinary && builder.host.cgroup.has_none() {
        set |= MOUNT_ATTR_RDONLY;
    }
    if builder.host.cgroup.v1.is_empty() {
        if builder.host.cgroup.v2.is_none() {
            return Ok(()); // No cgroups, nothing to see.
        }
        let mount = builder.host.cgroup.v2.as_deref();
        return mount_own(
            builder,
            &bare(planned, planned.target),
            ("cgroup2", ""),
            mount,
            set,
        );
    }
    hierarchies(builder, planned, set)
}

/// Room for the path of a hierarchy, as most are called.
const LONGEST: usize = 64;

/// Version 1, alone or with version 2 beside it: a small tmpfs with one mount a hierarchy.
fn hierarchies(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    set: u64,
) -> Result<(), PlanError> {
    let host = builder.host;
    cover(builder, planned)?;
    let mut target = PathBuf::with_capacity(LONGEST);
    target.push(planned.target);
    for hierarchy in &host.cgroup.v1 {
        let Some(name) = hierarchy.mount_point.file_name() else {
            continue;
        };
        target.push(name);
        let mount = Some(&*hierarchy.mount_point);
        let controllers = &*hierarchy.controllers;
        let kind = ("cgroup", controllers);
        mount_own(builder, &bare(planned, &target), kind, mount, set)?;
        target.pop();
        if controllers.contains(',') {
            links(builder, planned, controllers, name.as_ref())?;
        }
    }
    let v2 = host.cgroup.v2.as_deref();
    if let Some(name) = v2.and_then(Path::file_name) {
        target.push(name);
        mount_own(builder, &bare(planned, &target), ("cgroup2", ""), v2, set)?;
    }
    // A writable directory here would be taken for a hierarchy, whatever the mounts below are.
    builder.remount_readonly(planned.target)
}

/// One hierarchy, which in the cgroup namespace shows the container's own cgroup as its root: the directory that was made in
/// the host's mount of it, or, where there is none or the namespace is another's, whatever a new mount shows.
fn mount_own(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    (fstype, controllers): (&str, &str),
    mount: Option<&Path>,
    set: u64,
) -> Result<(), PlanError> {
    let named = names(controllers).map(param);
    let own = match &builder.host.cgroup.own {
        OwnCgroup::Made { directories, .. } if builder.namespaces.creates(Kind::Cgroup) => {
            let below = |own: &&OwnDirectory| mount.is_some_and(|at| own.path.starts_with(at));
            directories.iter().find(below)
        }
        _ => None,
    };
    let Some(own) = own else {
        let mut planned = planned.clone();
        planned.options.params = named.collect();
        return mount_fs(builder, &planned, fstype, Path::new(fstype), set, 0);
    };
    let Planned { field, target, .. } = planned;
    params(&mut builder.params, *field, Path::new(fstype), named)?;
    builder.steps.at(Part::Tree).push(
        &Op::CgroupFs {
            path: &c_path("cgroup", &own.path)?,
            dev: own.dev,
            ino: own.ino,
            fstype: &c_string(format_args!("{field}.type"), fstype)?,
            target: &container_path(format_args!("{field}.destination"), target)?,
            params: builder.params.view(),
            attrs: u32::try_from(set).unwrap_or_default(),
        },
        format_args!("mount {fstype} on {}", target.display()),
    );
    Ok(())
}

/// The directory of the hierarchies.
fn cover(builder: &mut Builder<'_>, planned: &Planned<'_>) -> Result<(), PlanError> {
    let outer = MountOptions {
        params: vec![
            ("mode", Some("755")),
            // Directories and links only.
            ("size", Some("64k")),
        ],
        ..MountOptions::default()
    };
    let outer = Planned {
        options: outer,
        mapped: None,
        ..*planned
    };
    let attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    mount_fs(builder, &outer, "tmpfs", Path::new("cgroup"), attrs, 0)
}

/// `cpu` and `cpuacct` for a hierarchy that is mounted as `cpu,cpuacct`.
fn links(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    controllers: &str,
    mounted: &Path,
) -> Result<(), PlanError> {
    let to = c_path(planned.field, mounted)?;
    let mut path = planned.target.to_path_buf();
    for controller in names(controllers) {
        path.push(controller);
        if path.file_name() != mounted.file_name() {
            builder.steps.at(Part::Tree).push(
                &Op::Symlink {
                    target: &to,
                    path: &container_path(planned.field, &path)?,
                },
                format_args!("link {} to {}", path.display(), mounted.display()),
            );
        }
        path.pop();
    }
    Ok(())
}

/// The directories that a bundle's container is shown in place of the host's tree: on version 1 the cgroups of its own, where
/// programs look for their limits whatever the namespace, as every OCI runtime has it.
pub(super) fn own<'a>(spec: &Spec, host: &'a Host<'_>) -> &'a [OwnDirectory<'a>] {
    match &host.cgroup.own {
        OwnCgroup::Made { directories, .. }
            if spec.bundle.is_some() && !host.cgroup.v1.is_empty() =>
        {
            directories
        }
        _ => &[],
    }
}

/// A small tmpfs with the container's own cgroups in it.
fn owns(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    own: &[OwnDirectory<'_>],
) -> Result<(), PlanError> {
    let (host, sources) = (builder.host, builder.sources);
    cover(builder, planned)?;
    let mut options = MountOptions {
        recursive: true,
        ..MountOptions::default()
    };
    options.deep.set = planned.options.attributes();
    if builder.namespaces.is_confined() {
        options.deep.set |= MOUNT_ATTR_RDONLY;
    }
    let v1 = host.cgroup.v1.iter();
    let all = v1.map(|one| (&one.mount_point, &*one.controllers));
    for (mount, controllers) in all.chain(host.cgroup.v2.iter().map(|mount| (mount, ""))) {
        let below = own.iter().find(|own| own.path.starts_with(mount));
        let (Some(name), Some(below)) = (mount.file_name(), below) else {
            continue;
        };
        let Ok(source) = sources.file(&below.path) else {
            continue;
        };
        let target = planned.target.join(name);
        let inner = Planned {
            target: &target,
            options: options.clone(),
            mapped: None,
            ..*planned
        };
        bind(builder, &inner, source)?;
        if controllers.contains(',') {
            links(builder, planned, controllers, name.as_ref())?;
        }
    }
    builder.remount_readonly(planned.target)
}

/// The host's own tree, for a container in the host's cgroup namespace. Read-only for whoever is
/// not root on the host (CVE-2023-25809), and for root unless asked otherwise.
fn hosts(builder: &mut Builder<'_>, planned: &Planned<'_>) -> Result<(), PlanError> {
    let sources = builder.sources;
    let Ok(source) = sources.file(Path::new(HOST)) else {
        return Ok(()); // No cgroups, nothing to see.
    };
    let mut options = MountOptions {
        recursive: true,
        ..MountOptions::default()
    };
    options.deep.set = planned.options.attributes();
    if builder.namespaces.is_confined() {
        options.deep.set |= MOUNT_ATTR_RDONLY;
    }
    let planned = Planned {
        options,
        mapped: None,
        ..*planned
    };
    bind(builder, &planned, source)
}

/// The same mount elsewhere, without parameters.
fn bare<'a>(planned: &Planned<'a>, target: &'a Path) -> Planned<'a> {
    Planned {
        field: planned.field,
        target,
        options: MountOptions::default(),
        mapped: None,
    }
}

fn param(controller: &str) -> Param<'_> {
    match controller.strip_prefix("name=") {
        Some(name) => ("name", Some(name)),
        None => (controller, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_hierarchy_is_mounted_by_its_name() {
        assert_eq!(param("name=systemd"), ("name", Some("systemd")));
        assert_eq!(param("cpu"), ("cpu", None));
    }
}
