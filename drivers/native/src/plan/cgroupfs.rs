//! What the container sees at /sys/fs/cgroup.
//!
//! In a cgroup namespace of its own each hierarchy's mount shows the container's cgroup as the
//! root. Without one a mount would show the whole tree: then it is the host's own, read-only.

use super::host::{Host, OwnCgroup};
use super::mounts::{Planned, mount_fs};
use super::options::MountOptions;
use super::steps::container_path;
use super::volumes::bind;
use super::{Builder, PlanError};
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
        return mount_fs(
            builder,
            &bare(planned, planned.target),
            "cgroup2",
            Path::new("cgroup2"),
            set,
            0,
        );
    }
    hierarchies(builder, planned, set)
}

/// Version 1, alone or with version 2 beside it: a small tmpfs with one mount a hierarchy.
fn hierarchies(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    set: u64,
) -> Result<(), PlanError> {
    let host = builder.host;
    cover(builder, planned)?;
    for hierarchy in &host.cgroup.v1 {
        let Some(name) = hierarchy.mount_point.file_name() else {
            continue;
        };
        let target = planned.target.join(name);
        let mut inner = bare(planned, &target);
        inner.options.params = hierarchy
            .controllers
            .iter()
            .map(|name| param(name))
            .collect();
        mount_fs(builder, &inner, "cgroup", Path::new("cgroup"), set, 0)?;
        if hierarchy.controllers.len() > 1 {
            links(builder, planned, &hierarchy.controllers, name.as_ref())?;
        }
    }
    if let Some(name) = host.cgroup.v2.as_deref().and_then(Path::file_name) {
        let target = planned.target.join(name);
        mount_fs(
            builder,
            &bare(planned, &target),
            "cgroup2",
            Path::new("cgroup2"),
            set,
            0,
        )?;
    }
    // A writable directory here would be taken for a hierarchy, whatever the mounts below are.
    builder.remount_readonly(planned.target)
}

/// The directory of the hierarchies.
fn cover(builder: &mut Builder<'_>, planned: &Planned<'_>) -> Result<(), PlanError> {
    let outer = MountOptions {
        params: vec![
            ("mode".to_owned(), Some("755".to_owned())),
            // Directories and links only.
            ("size".to_owned(), Some("64k".to_owned())),
        ],
        ..MountOptions::default()
    };
    let outer = Planned {
        field: planned.field.clone(),
        target: planned.target,
        options: outer,
        mapped: None,
    };
    let attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    mount_fs(builder, &outer, "tmpfs", Path::new("cgroup"), attrs, 0)
}

/// `cpu` and `cpuacct` for a hierarchy that is mounted as `cpu,cpuacct`.
fn links(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    controllers: &[String],
    mounted: &Path,
) -> Result<(), PlanError> {
    let to = super::steps::c_path(&planned.field, mounted)?;
    for controller in controllers {
        let path = planned.target.join(controller);
        if path.file_name() == mounted.file_name() {
            continue;
        }
        builder.mounted.push(
            &Op::Symlink {
                target: &to,
                path: &container_path(&planned.field, &path)?,
            },
            format!("link {} to {}", path.display(), mounted.display()),
        );
    }
    Ok(())
}

/// The directories that a bundle's container is shown in place of the host's tree: on version 1 the cgroups of its own, where
/// programs look for their limits whatever the namespace, as every OCI runtime has it.
pub(super) fn own<'a>(spec: &Spec, host: &'a Host) -> &'a [PathBuf] {
    match &host.cgroup.own {
        OwnCgroup::Made { paths, .. } if spec.bundle.is_some() && !host.cgroup.v1.is_empty() => {
            paths
        }
        _ => &[],
    }
}

/// A small tmpfs with the container's own cgroups in it.
fn owns(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    own: &[PathBuf],
) -> Result<(), PlanError> {
    let host = builder.host;
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
    let all = v1.map(|one| (&one.mount_point, one.controllers.as_slice()));
    for (mount, controllers) in all.chain(host.cgroup.v2.iter().map(|mount| (mount, &[][..]))) {
        let below = own.iter().find(|path| path.starts_with(mount));
        let (Some(name), Some(path)) = (mount.file_name(), below) else {
            continue;
        };
        let Ok(source) = builder.sources.file(path) else {
            continue;
        };
        let source = source.clone();
        let target = planned.target.join(name);
        let inner = Planned {
            field: planned.field.clone(),
            target: &target,
            options: options.clone(),
            mapped: None,
        };
        bind(builder, &inner, &source)?;
        if controllers.len() > 1 {
            links(builder, planned, controllers, name.as_ref())?;
        }
    }
    builder.remount_readonly(planned.target)
}

/// The host's own tree, for a container in the host's cgroup namespace. Read-only for whoever is
/// not root on the host (CVE-2023-25809), and for root unless asked otherwise.
fn hosts(builder: &mut Builder<'_>, planned: &Planned<'_>) -> Result<(), PlanError> {
    let path = PathBuf::from(HOST);
    let Ok(source) = builder.sources.file(&path) else {
        return Ok(()); // No cgroups, nothing to see.
    };
    let source = source.clone();
    let mut options = MountOptions {
        recursive: true,
        ..MountOptions::default()
    };
    options.deep.set = planned.options.attributes();
    if builder.namespaces.is_confined() {
        options.deep.set |= MOUNT_ATTR_RDONLY;
    }
    let planned = Planned {
        field: planned.field.clone(),
        target: planned.target,
        options,
        mapped: None,
    };
    bind(builder, &planned, &source)
}

/// The same mount elsewhere, without parameters.
fn bare<'a>(planned: &Planned<'_>, target: &'a Path) -> Planned<'a> {
    Planned {
        field: planned.field.clone(),
        target,
        options: MountOptions::default(),
        mapped: None,
    }
}

fn param(controller: &str) -> (String, Option<String>) {
    match controller.strip_prefix("name=") {
        Some(name) => ("name".to_owned(), Some(name.to_owned())),
        None => (controller.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_hierarchy_is_mounted_by_its_name() {
        assert_eq!(
            param("name=systemd"),
            ("name".into(), Some("systemd".into()))
        );
        assert_eq!(param("cpu"), ("cpu".into(), None));
    }
}
