//! Mounts that are changed after they were made: `remount`, and what only mount(2) or a mount that is attached takes.

use super::mounts::Planned;
use super::options::MountOptions;
use super::steps::Part;
use super::text::{c_string, container_path};
use super::volumes::PRIVATE;
use super::{Builder, PlanError};
use crate::wire::Op;
use libc::{
    MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY, MOUNT_ATTR_STRICTATIME,
};
use oci_spec::runtime::Mount;

/// `MS_NOSYMFOLLOW`, which the crate has not.
const NOSYMFOLLOW: u64 = 256;

/// The bits of mount(2) for those of mount_setattr(2).
const ATTRIBUTES: [(u64, u64); 8] = [
    (MOUNT_ATTR_RDONLY, libc::MS_RDONLY),
    (MOUNT_ATTR_NOSUID, libc::MS_NOSUID),
    (MOUNT_ATTR_NODEV, libc::MS_NODEV),
    (MOUNT_ATTR_NOEXEC, libc::MS_NOEXEC),
    (MOUNT_ATTR_NOATIME, libc::MS_NOATIME),
    (MOUNT_ATTR_STRICTATIME, libc::MS_STRICTATIME),
    (MOUNT_ATTR_NODIRATIME, libc::MS_NODIRATIME),
    (MOUNT_ATTR_NOSYMFOLLOW, NOSYMFOLLOW),
];

/// Flags of file systems that mount(2) has beside its text.
const SUPERBLOCK: [(&str, u64); 4] = [
    ("sync", libc::MS_SYNCHRONOUS),
    ("dirsync", libc::MS_DIRSYNC),
    ("lazytime", libc::MS_LAZYTIME),
    ("mand", libc::MS_MANDLOCK),
];

/// Refuses what this mount would not do.
pub(super) fn check(planned: &Planned<'_>, mount: &Mount) -> Result<(), PlanError> {
    let options = &planned.options;
    let field = format_args!("{}.options", planned.field);
    let tmpfs = mount.typ().as_deref() == Some("tmpfs") && !options.bind;
    if options.copy_up && (!tmpfs || options.remount) {
        let reason = "got tmpcopyup, which only a new tmpfs has";
        return Err(PlanError::invalid(field, reason));
    }
    if options.iversion && options.bind {
        let what = format!("mount option \"iversion\" of a bind ({field})");
        return Err(PlanError::unsupported(what));
    }
    if options.remount && !options.deep.is_empty() {
        let what = format!("recursive mount options of a remount ({field})");
        return Err(PlanError::unsupported(what));
    }
    Ok(())
}

/// Changes a mount that is there, as `mount -o remount` does: what is not named is reset.
pub(super) fn plan(
    builder: &mut Builder<'_>,
    planned: &Planned<'_>,
    bind: bool,
) -> Result<(), PlanError> {
    let kind = if bind { libc::MS_BIND } else { 0 };
    push(builder, planned, kind)?;
    spread(builder, planned);
    Ok(())
}

/// What a new file system gets once it is attached.
pub(super) fn finish(builder: &mut Builder<'_>, planned: &Planned<'_>) -> Result<(), PlanError> {
    spread(builder, planned);
    if planned.options.iversion {
        push(builder, planned, libc::MS_I_VERSION)?;
    }
    Ok(())
}

fn push(builder: &mut Builder<'_>, planned: &Planned<'_>, flags: u64) -> Result<(), PlanError> {
    let (named, data) = words(&planned.options);
    let Planned { field, target, .. } = planned;
    builder.steps.at(Part::Tree).push(
        &Op::Remount {
            target: &container_path(format_args!("{field}.destination"), target)?,
            flags: flags | named,
            data: &c_string(format_args!("{field}.options"), &data)?,
        },
        format_args!("remount {}", target.display()),
    );
    Ok(())
}

/// Everything but private, which it is already.
fn spread(builder: &mut Builder<'_>, planned: &Planned<'_>) {
    if let Some(propagation) = planned.options.propagation.filter(|kind| *kind != PRIVATE) {
        builder.steps.at(Part::Tree).push(
            &Op::MountAttrs {
                set: 0,
                clear: 0,
                propagation,
            },
            format_args!("set the propagation of {}", planned.target.display()),
        );
    }
}

/// The flags and the text of mount(2).
fn words(options: &MountOptions<'_>) -> (u64, String) {
    let set = options.attributes();
    let own = ATTRIBUTES.iter().filter(|(attr, _)| set & attr != 0);
    let mut flags = own.fold(0, |flags, (_, flag)| flags | flag);
    let mut data = String::new();
    for (key, value) in &options.params {
        let known = SUPERBLOCK.iter().find(|(word, _)| word == key);
        if let (Some((_, flag)), None) = (known, value) {
            flags |= flag;
            continue;
        }
        let (comma, equals) = (!data.is_empty(), value.is_some());
        data.push_str(if comma { "," } else { "" });
        data.push_str(key);
        data.push_str(if equals { "=" } else { "" });
        data.push_str(value.unwrap_or_default());
    }
    (flags, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_remount_are_those_of_mount_2() {
        let given = ["remount", "ro", "noatime", "sync", "size=4k", "inode64"].map(str::to_owned);
        let options = MountOptions::parse("mounts", &given).unwrap();
        let (flags, data) = words(&options);
        assert_eq!(
            flags,
            libc::MS_RDONLY | libc::MS_NOATIME | libc::MS_SYNCHRONOUS
        );
        assert_eq!(data, "size=4k,inode64");
    }
}
