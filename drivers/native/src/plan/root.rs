//! The root file system: which tree it is, what covers it, how mounts travel into it.

use super::sources::{Source, SourceKind};
use super::steps::Part;
use super::text::c_path;
use super::{Builder, PlanError, hooks};
use crate::wire::{Op, ROOT_IN_PLACE, ROOT_READONLY, ROOT_READONLY_BELOW};
use execdriver_core::{Ephemeral, Spec};
use nix::errno::Errno;
use std::path::Path;

/// The bounds of an ephemeral layer that does not say its own.
const EPHEMERAL_BYTES: u64 = 256 << 20;
const EPHEMERAL_INODES: u64 = 65536;

/// Plans the steps that come before the mounts, and what the root needs after them.
pub(super) fn plan(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    let root = builder.spec.oci.root().as_ref();
    let Some(root) = root else {
        return Err(PlanError::invalid(
            "root",
            "got none, expected the root file system",
        ));
    };
    let readonly = root.readonly().unwrap_or(false);
    let wanted = propagation(builder)?;
    // First of all: whatever we mount must not travel to the host. Slave where the document wants
    // the host's mounts to arrive, else private.
    let (flags, words) = match wanted {
        0 | libc::MS_PRIVATE | libc::MS_UNBINDABLE => (libc::MS_PRIVATE, "make all mounts private"),
        _ => (libc::MS_SLAVE, "make all mounts slaves of the host's"),
    };
    builder.steps.at(Part::Tree).push(
        &Op::Propagation {
            flags: flags | libc::MS_REC,
        },
        words,
    );
    let source = directory(builder, root.path())?;
    if let Some(slot) = builder.mapped.root {
        builder.steps.at(Part::Tree).push(
            &Op::TakeTree { slot },
            "take the root that has its owners mapped",
        );
    }
    match &builder.spec.ephemeral {
        Some(ephemeral) => overlay(builder, source, ephemeral)?,
        None => builder.steps.at(Part::Tree).push(
            &Op::Root {
                path: &c_path("rootfs", &source.path)?,
                dev: source.dev,
                ino: source.ino,
                flags: flags_of(source, readonly) | place(builder.spec, source),
            },
            format_args!("use {} as the root", source.path.display()),
        ),
    }
    // The whole of the host's root is read-only at once: nothing may be made there, not even a
    // mount point. Another root becomes so when its mount points are there.
    if readonly && !(is_hosts(source) && builder.spec.ephemeral.is_none()) {
        builder.remount_readonly(Path::new("/"))?;
    }
    if matches!(wanted, libc::MS_SHARED | libc::MS_UNBINDABLE) {
        let words = "set the root's propagation";
        let steps = builder.steps.at(Part::Within);
        steps.push(&Op::Propagation { flags: wanted }, words);
    }
    Ok(())
}

fn is_hosts(source: &Source) -> bool {
    source.path == Path::new("/")
}

/// Hooks of a document look for the container's files at the path that the document says.
fn place(spec: &Spec, source: &Source) -> u32 {
    match hooks::before_pivot(spec) && !is_hosts(source) {
        true => ROOT_IN_PLACE,
        false => 0,
    }
}

fn flags_of(source: &Source, readonly: bool) -> u32 {
    match (readonly, is_hosts(source)) {
        (false, _) => 0,
        (true, true) => ROOT_READONLY,
        (true, false) => ROOT_READONLY_BELOW,
    }
}

fn overlay(
    builder: &mut Builder<'_>,
    lower: &Source,
    ephemeral: &Ephemeral,
) -> Result<(), PlanError> {
    let or = |asked: u64, default| if asked == 0 { default } else { asked };
    builder.steps.at(Part::Tree).push(
        &Op::Overlay {
            lower: &c_path("rootfs", &lower.path)?,
            dev: lower.dev,
            ino: lower.ino,
            size: or(ephemeral.size_bytes, EPHEMERAL_BYTES),
            inodes: or(ephemeral.inodes, EPHEMERAL_INODES),
            // trusted.* belongs to the first user namespace alone.
            userxattr: builder.namespaces.is_confined(),
        },
        format_args!(
            "use an ephemeral layer over {} as the root",
            lower.path.display()
        ),
    );
    Ok(())
}

fn directory<'a>(builder: &Builder<'a>, path: &Path) -> Result<&'a Source, PlanError> {
    let invalid = |reason: String| Err(PlanError::invalid("rootfs", reason));
    if !path.is_absolute() {
        return invalid(format!("got {path:?}, expected an absolute path"));
    }
    let source = builder
        .sources
        .file(path)
        .map_err(|errno| PlanError::Host {
            field: "rootfs".to_owned(),
            path: path.to_owned(),
            errno,
        })?;
    if source.link {
        // Who can change the link could choose the root between the look and the start.
        return invalid(format!("{path:?} is a symbolic link, expected a directory"));
    }
    if source.kind != SourceKind::Directory {
        return Err(PlanError::Host {
            field: "rootfs".to_owned(),
            path: path.to_owned(),
            errno: Errno::ENOTDIR,
        });
    }
    Ok(source)
}

/// `MS_*` of `rootfsPropagation`; its recursive words are the plain ones, since mounts below say
/// their own.
fn propagation(builder: &Builder<'_>) -> Result<u64, PlanError> {
    let linux = builder.spec.oci.linux().as_ref();
    let word = linux.and_then(|linux| linux.rootfs_propagation().as_deref());
    match word.unwrap_or_default() {
        "" => Ok(0),
        "private" | "rprivate" => Ok(libc::MS_PRIVATE),
        "slave" | "rslave" => Ok(libc::MS_SLAVE),
        "shared" | "rshared" => Ok(libc::MS_SHARED),
        "unbindable" | "runbindable" => Ok(libc::MS_UNBINDABLE),
        word => Err(PlanError::invalid(
            "linux.rootfsPropagation",
            format!("got {word:?}, expected private, slave, shared or unbindable"),
        )),
    }
}
