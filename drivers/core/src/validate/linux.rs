//! What only a Linux command has.

use super::{absolute, attributes, parts::joined, resources::in_range};
use crate::{
    Device, DeviceKind, Error, IdMap, LinuxCommand, NamespaceMode, Result, UserNamespace,
    mount::clean_path,
};
use std::path::Path;

/// What sethostname(2) takes, bytes.
const HOST_NAME_MAX: usize = 64;
/// The bits of a device's major and minor number (the kernel's `MINORBITS`).
pub(super) const MAJOR_MAX: i64 = (1 << 12) - 1;
pub(super) const MINOR_MAX: i64 = (1 << 20) - 1;
/// (uid_t)-1 means "leave as it is" to chown(2) and setresuid(2), so it is nobody's id.
const NO_ID: u32 = u32::MAX;
/// The kernel takes no more ranges a map (since Linux 4.15).
pub(crate) const MAX_RANGES: usize = 340;

pub(super) fn root(rootfs: &Path, working_dir: &str) -> Result<()> {
    absolute("rootfs", &rootfs.to_string_lossy())?;
    if working_dir.is_empty() {
        return Ok(());
    }
    absolute("working_dir", working_dir)
}

pub(super) fn check(linux: &LinuxCommand) -> Result<()> {
    in_range("oom_score_adj", linux.oom_score_adj.into(), -1000, 1000)?;
    namespaces(linux)?;
    names(linux)?;
    for (index, device) in linux.allowed_devices.iter().enumerate() {
        rule(&format!("allowed_devices[{index}]"), device)?;
    }
    nodes(&linux.autocreated_devices)?;
    id_maps("uidmapping", &linux.uid_mappings)?;
    id_maps("gidmapping", &linux.gid_mappings)?;
    if let Some(root) = linux.remapped_root {
        id("remap_root.root_uid", root.uid)?;
        id("remap_root.root_gid", root.gid)?;
    }
    user_namespace(linux)?;
    for name in linux.sysctl.keys() {
        sysctl(name)?;
    }
    if let Some(landlock) = &linux.landlock {
        attributes::landlock(landlock)?;
    }
    if let Some(offsets) = &linux.time_offsets {
        attributes::time(offsets)?;
    }
    attributes::attributes(&linux.attributes, linux.init)
}

fn namespaces(linux: &LinuxCommand) -> Result<()> {
    let ipc = linux
        .ipc
        .as_ref()
        .map(|ns| ("ipc", ns.host, &ns.container_id, &ns.path));
    let pid = linux
        .pid
        .as_ref()
        .map(|ns| ("pid", ns.host, &ns.container_id, &ns.path));
    let uts = linux
        .uts
        .as_ref()
        .map(|ns| ("uts", ns.host, &ns.container_id, &ns.path));
    let cgroup = linux.cgroup_namespace.as_ref();
    let cgroup = cgroup.map(|ns| ("cgroup_namespace", ns.host, &ns.container_id, &ns.path));
    for (name, host, container_id, path) in [ipc, pid, uts, cgroup].into_iter().flatten() {
        joined(&format!("{name}.container_id"), container_id)?;
        if path.as_os_str().is_empty() {
            continue;
        }
        let field = format!("{name}.path");
        absolute(&field, &path.to_string_lossy())?;
        if host || !container_id.is_empty() {
            let reason =
                "expected no path where the host's or a container's namespace is asked for";
            return Err(Error::invalid(field, reason));
        }
    }
    Ok(())
}

fn names(linux: &LinuxCommand) -> Result<()> {
    for (field, name) in [
        ("hostname", &linux.hostname),
        ("domainname", &linux.domainname),
    ] {
        if name.is_empty() {
            continue;
        }
        if linux.uts_mode() != NamespaceMode::Own {
            let reason =
                "expected none: it would rename the UTS namespace that the container shares";
            return Err(Error::invalid(field, reason));
        }
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if name.len() > HOST_NAME_MAX || name.contains(odd) {
            let reason =
                format!("got {name:?}, expected at most {HOST_NAME_MAX} bytes without white space");
            return Err(Error::invalid(field, reason));
        }
    }
    Ok(())
}

fn rule(field: &str, device: &Device) -> Result<()> {
    if device.kind == DeviceKind::Fifo {
        return Err(Error::invalid(
            format!("{field}.type"),
            "a rule cannot be about pipes",
        ));
    }
    numbers(field, device, -1)?;
    if device.permissions.is_empty() {
        let reason = "it is empty, expected some of r, w and m";
        return Err(Error::invalid(format!("{field}.permissions"), reason));
    }
    permissions(field, device)
}

fn nodes(devices: &[Device]) -> Result<()> {
    let mut seen = Vec::with_capacity(devices.len());
    for (index, device) in devices.iter().enumerate() {
        let field = format!("autocreated_devices[{index}]");
        absolute(&format!("{field}.path"), &device.path)?;
        if device.kind == DeviceKind::All {
            return Err(Error::invalid(
                format!("{field}.type"),
                "it is not a device node, expected c, b or p",
            ));
        }
        numbers(&field, device, 0)?;
        permissions(&field, device)?;
        in_range(
            &format!("{field}.file_mode"),
            device.file_mode.into(),
            0,
            0o7777,
        )?;
        id(&format!("{field}.uid"), device.uid)?;
        id(&format!("{field}.gid"), device.gid)?;
        let path = clean_path(&device.path);
        if let Some(first) = seen.iter().position(|other| *other == path) {
            let reason = format!(
                "{:?} is made by autocreated_devices[{first}] too",
                device.path
            );
            return Err(Error::invalid(format!("{field}.path"), reason));
        }
        seen.push(path);
    }
    Ok(())
}

fn numbers(field: &str, device: &Device, least: i64) -> Result<()> {
    in_range(&format!("{field}.major"), device.major, least, MAJOR_MAX)?;
    in_range(&format!("{field}.minor"), device.minor, least, MINOR_MAX)
}

fn permissions(field: &str, device: &Device) -> Result<()> {
    let given = &device.permissions;
    let twice = |letter: char| given.matches(letter).count() > 1;
    if given
        .chars()
        .all(|letter| "rwm".contains(letter) && !twice(letter))
    {
        return Ok(());
    }
    let reason = format!("got {given:?}, expected r, w and m, each at most once");
    Err(Error::invalid(format!("{field}.permissions"), reason))
}

/// Refuses more ranges than the kernel takes, empty ranges, ranges beyond 32 bits, and an id that is mapped twice: the kernel's
/// rules in user_namespaces(7).
pub(super) fn id_maps(list: &str, maps: &[IdMap]) -> Result<()> {
    if maps.len() > MAX_RANGES {
        let reason = format!("got {} ranges, expected at most {MAX_RANGES}", maps.len());
        return Err(Error::invalid(list, reason));
    }
    let overlap = |a: u32, b: u32, a_size: u32, b_size: u32| {
        u64::from(a) < u64::from(b) + u64::from(b_size)
            && u64::from(b) < u64::from(a) + u64::from(a_size)
    };
    for (index, map) in maps.iter().enumerate() {
        let field = format!("{list}[{index}]");
        let end = u64::from(map.container_id.max(map.host_id)) + u64::from(map.size);
        if map.size == 0 || end > u64::from(NO_ID) {
            let reason = format!(
                "got {}, expected a range of 1 id or more below {NO_ID}",
                map.size
            );
            return Err(Error::invalid(format!("{field}.size"), reason));
        }
        let clash = |other: &IdMap| {
            overlap(map.container_id, other.container_id, map.size, other.size)
                || overlap(map.host_id, other.host_id, map.size, other.size)
        };
        if let Some(first) = maps.iter().take(index).position(clash) {
            let reason = format!("it has ids that {list}[{first}] has too");
            return Err(Error::invalid(field, reason));
        }
    }
    Ok(())
}

/// Who asks for the host's ids, or for ids of the driver's choice, does not say which.
fn user_namespace(linux: &LinuxCommand) -> Result<()> {
    if linux.user_namespace == UserNamespace::Unset {
        return Ok(());
    }
    let remapped = linux
        .remapped_root
        .is_some_and(|root| root.uid != 0 || root.gid != 0);
    if remapped || !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty() {
        let reason = "expected none beside remap_root, uidmapping and gidmapping";
        return Err(Error::invalid("user_namespace", reason));
    }
    if linux.user_namespace == UserNamespace::Host && linux.idmap_rootfs {
        let reason = "expected false: without a user namespace there are no other owners";
        return Err(Error::invalid("idmap_rootfs", reason));
    }
    Ok(())
}

fn id(field: &str, id: u32) -> Result<()> {
    in_range(field, id.into(), 0, i64::from(NO_ID) - 1)
}

/// Refuses names that could leave /proc/sys.
fn sysctl(name: &str) -> Result<()> {
    let good = |part: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !part.is_empty() && part.chars().all(letter)
    };
    if name.split(['.', '/']).all(good) {
        return Ok(());
    }
    let reason = format!("got the name {name:?}, expected one like net.ipv4.ip_forward");
    Err(Error::invalid("sysctl", reason))
}
