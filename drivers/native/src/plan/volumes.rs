//! What of the host, or of another container, is seen in the container: binds.

use super::mounts::Planned;
use super::options::{Attributes, MountOptions};
use super::sources::{Source, Sources};
use super::steps::Part;
use super::text::container_path;
use super::{Builder, PlanError};
use crate::wire::{BIND_CREATE, BIND_RECURSIVE, Op};
use execdriver_core::spec::{PropagationDemand, SourcePropagation};
use libc::MOUNT_ATTR_RDONLY;
use oci_spec::runtime::Mount;
use std::path::Path;

/// What a mount is unless its words say otherwise.
pub(super) const PRIVATE: u64 = libc::MS_PRIVATE | libc::MS_REC;

/// Attaches the host's `source`.
pub(super) fn bind(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    source: &Source,
) -> Result<(), PlanError> {
    let Planned { field, options, .. } = planned;
    let target = container_path(format_args!("{field}.destination"), planned.target)?;
    let foreign = builder.namespaces.is_confined();
    let propagation = options.propagation.unwrap_or(PRIVATE);
    if foreign && propagation & libc::MS_SHARED != 0 {
        // A mount namespace of another user namespace only ever receives: mount_namespaces(7).
        let what = format!("shared propagation in a user namespace ({field}.options)");
        return Err(PlanError::unsupported(what));
    }
    // In a user namespace the kernel refuses to show what a mount below the source covers.
    let recursive = options.recursive || foreign;
    let slot = match planned.mapped {
        Some(slot) => slot,
        None => builder.open(*field, source, recursive)?,
    };
    let (own, deep) = reach(builder, options);
    let only_own = deep.is_empty() && !own.is_empty();
    let first = if only_own { own } else { deep };
    builder.steps.at(Part::Tree).push(
        &Op::Bind {
            slot,
            target: &target,
            attr_set: first.set,
            // `rw` leaves a mount that is read-only on the host as it is.
            attr_clr: first.clear & !MOUNT_ATTR_RDONLY,
            propagation,
            flags: BIND_CREATE | if only_own { 0 } else { BIND_RECURSIVE },
        },
        format_args!(
            "bind {} on {}",
            source.path.display(),
            planned.target.display()
        ),
    );
    if !only_own && !own.is_empty() {
        builder.steps.at(Part::Tree).push(
            &Op::MountAttrs {
                set: own.set,
                clear: own.clear & !MOUNT_ATTR_RDONLY,
                propagation: 0,
            },
            format_args!("set the options of {}", planned.target.display()),
        );
    }
    Ok(())
}

/// What is for the mount itself, and what for those below it too. In a command a read-only volume with a writable mount in
/// it is not read-only; a document has words for both.
fn reach(builder: &Builder<'_>, options: &MountOptions) -> (Attributes, Attributes) {
    if builder.spec.is_document() {
        return (options.own, options.deep);
    }
    let both = Attributes {
        set: options.attributes(),
        clear: options.own.clear | options.deep.clear,
    };
    (Attributes::default(), both)
}

/// What was found at the source of a bind.
pub(super) fn host_source<'a>(
    builder: &Builder<'a>,
    planned: &Planned<'_>,
    mount: &Mount,
) -> Result<&'a Source, PlanError> {
    if let Some((key, _)) = planned.options.params.first() {
        let what = format!("mount option {key:?} of a bind ({}.options)", planned.field);
        return Err(PlanError::unsupported(what));
    }
    let path = mount.source().as_deref().unwrap_or(Path::new(""));
    if !path.is_absolute() {
        let reason = format!("got {path:?}, expected an absolute path of the host");
        let field = format_args!("{}.source", planned.field);
        return Err(PlanError::invalid(field, reason));
    }
    let found = builder.sources.file(path);
    found.map_err(|errno| PlanError::Host {
        field: format!("{}.source", planned.field),
        path: path.to_owned(),
        errno,
    })
}

/// Shared memory is files in a tmpfs: who joins an IPC namespace for it needs the same tmpfs.
pub(super) fn joined_shm(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    let (Some(from), Some(id)) = (builder.shm_from, &builder.spec.shm_of) else {
        return Ok(());
    };
    let slot = builder.take_slot()?;
    let path = c"/dev/shm";
    builder.steps.at(Part::Open).push(
        &Op::Borrow { from, slot, path },
        format_args!("open /dev/shm of {id}"),
    );
    builder.steps.at(Part::Tree).push(
        &Op::Bind {
            slot,
            target: path,
            attr_set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC,
            attr_clr: 0,
            propagation: PRIVATE,
            flags: BIND_CREATE | BIND_RECURSIVE,
        },
        format_args!("bind /dev/shm of {id} on /dev/shm"),
    );
    Ok(())
}

/// Propagation through a mount that does not propagate itself would be silently nothing.
pub(super) fn check_propagation(
    sources: &Sources,
    demand: &PropagationDemand,
) -> Result<(), PlanError> {
    let source = sources
        .file(&demand.source)
        .map_err(|errno| PlanError::Host {
            field: demand.field.clone(),
            path: demand.source.clone(),
            errno,
        })?;
    let Some(mount) = &source.mount else {
        let reason = format!("the mount of {} is not known", demand.source.display());
        return Err(PlanError::invalid(&demand.field, reason));
    };
    let (fits, wanted) = match demand.needs {
        SourcePropagation::Shared => (mount.shared, "a shared mount"),
        SourcePropagation::SharedOrSlave => {
            (mount.shared || mount.slave, "a shared or slave mount")
        }
    };
    if fits {
        return Ok(());
    }
    let (path, point) = (demand.source.display(), mount.point.display());
    let reason = format!("path {path} is mounted on {point} but it is not {wanted}");
    Err(PlanError::invalid(&demand.field, reason))
}
