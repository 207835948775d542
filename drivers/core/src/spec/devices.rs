//! The device nodes of a container, and the rules of what it may do with devices.

use super::paths::{in_container, is_in};
use super::template;
use super::text::invalid;
use crate::{Device, DeviceKind, Result};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};
use std::collections::HashSet;

/// The kernel packs 12 and 20 bits into a number: include/linux/kdev_t.h.
const MAX_MAJOR: i64 = 4095;
const MAX_MINOR: i64 = (1 << 20) - 1;

/// The nodes to make: the template's, replaced by the command's of the same path, and the rest
/// of the command's. None in a `/dev` that is the caller's own.
pub(super) fn nodes(asked: &[Device], dev_is_callers: bool) -> Result<Vec<LinuxDevice>> {
    let mut nodes: Vec<LinuxDevice> = Vec::new();
    let devices = template::devices();
    for (field, index, device) in (devices.iter().map(|device| ("template", 0, device))).chain(
        (0..)
            .zip(asked)
            .map(|(i, device)| ("autocreated_devices", i, device)),
    ) {
        let node = node(field, index, device)?;
        if dev_is_callers && is_in(&node.path().to_string_lossy(), "/dev") {
            continue;
        }
        match nodes.iter_mut().find(|known| known.path() == node.path()) {
            Some(known) => *known = node,
            None => nodes.push(node),
        }
    }
    Ok(nodes)
}

/// The rules, the first of which denies everything. A privileged container may use all.
pub(super) fn rules(asked: &[Device], privileged: bool) -> Result<Vec<LinuxDeviceCgroup>> {
    let mut rules = vec![everything(privileged)];
    let asked = (0..)
        .zip(asked)
        .map(|(index, device)| rule(index, device))
        .collect::<Result<Vec<_>>>()?;
    if !privileged {
        let template = template::device_rules();
        rules.extend(template.iter().map(unchecked_rule));
        rules.extend(asked);
        // The original's daemon sends the template's rules along with the command.
        let mut seen = HashSet::new();
        rules.retain(|rule| seen.insert(rule.to_string()));
    }
    Ok(rules)
}

fn node(field: &str, index: usize, device: &Device) -> Result<LinuxDevice> {
    let path = in_container(format_args!("{field}[{index}].path"), &device.path)?;
    let kind = match device.kind {
        DeviceKind::Char => LinuxDeviceType::C,
        DeviceKind::Block => LinuxDeviceType::B,
        DeviceKind::Fifo => LinuxDeviceType::P,
        DeviceKind::All => {
            return Err(invalid(
                format_args!("{field}[{index}].type"),
                format!("{path:?} is not a device node, expected c, b or p"),
            ));
        }
    };
    if path == "/" || is_in(&path, "/proc") || is_in(&path, "/sys") {
        return Err(invalid(
            format_args!("{field}[{index}].path"),
            format!("got {path:?}, where no node can be made"),
        ));
    }
    number(field, index, "major", device.major, 0, MAX_MAJOR)?;
    number(field, index, "minor", device.minor, 0, MAX_MINOR)?;
    if device.file_mode > 0o7777 {
        return Err(invalid(
            format_args!("{field}[{index}].file_mode"),
            format!(
                "got {:#o}, expected permission bits up to 0o7777",
                device.file_mode
            ),
        ));
    }
    let mut node = LinuxDevice::default();
    node.set_path(path.into())
        .set_typ(kind)
        .set_major(device.major)
        .set_minor(device.minor)
        .set_file_mode(Some(device.file_mode))
        .set_uid(Some(device.uid))
        .set_gid(Some(device.gid));
    Ok(node)
}

fn rule(index: usize, device: &Device) -> Result<LinuxDeviceCgroup> {
    let field = "allowed_devices";
    if device.kind == DeviceKind::Fifo {
        return Err(invalid(
            format_args!("{field}[{index}].type"),
            "got p, expected c, b or a: there are no rules for pipes",
        ));
    }
    number(field, index, "major", device.major, -1, MAX_MAJOR)?;
    number(field, index, "minor", device.minor, -1, MAX_MINOR)?;
    let permissions = &device.permissions;
    if permissions.is_empty() || permissions.contains(|c| !"rwm".contains(c)) {
        return Err(invalid(
            format_args!("{field}[{index}].permissions"),
            format!("got {permissions:?}, expected letters of rwm"),
        ));
    }
    Ok(unchecked_rule(device))
}

fn unchecked_rule(device: &Device) -> LinuxDeviceCgroup {
    let kind = match device.kind {
        DeviceKind::Block => LinuxDeviceType::B,
        DeviceKind::All => LinuxDeviceType::A,
        DeviceKind::Char | DeviceKind::Fifo => LinuxDeviceType::C,
    };
    let mut rule = everything(true);
    rule.set_typ(Some(kind))
        .set_major(Some(device.major).filter(|number| *number >= 0))
        .set_minor(Some(device.minor).filter(|number| *number >= 0))
        .set_access(Some(device.permissions.clone()));
    rule
}

fn everything(allow: bool) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(allow).set_access(Some("rwm".to_owned()));
    rule
}

fn number(field: &str, index: usize, name: &str, got: i64, min: i64, max: i64) -> Result<()> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(invalid(
        format_args!("{field}[{index}].{name}"),
        format!("got {got}, expected {min} to {max}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rules: &[LinuxDeviceCgroup]) -> Vec<String> {
        rules.iter().map(ToString::to_string).collect()
    }

    fn refusal(device: Device) -> String {
        nodes(&[device], false).unwrap_err().to_string()
    }

    #[test]
    fn dev_nodes() {
        let nodes = nodes(&[Device::node("/dev/nulo", 1, 5)], false).unwrap();
        let mut paths: Vec<_> = nodes
            .iter()
            .map(|node| node.path().to_str().unwrap())
            .collect();
        assert_eq!(paths.pop(), Some("/dev/nulo"));
        paths.sort_unstable();
        assert_eq!(
            paths.join(" "),
            "/dev/full /dev/fuse /dev/null /dev/random /dev/tty /dev/urandom /dev/zero"
        );
        assert!(nodes.iter().all(|node| node.file_mode() == Some(0o666)));
    }

    #[test]
    fn what_is_not_a_device_node_is_refused_as_such() {
        let etc = Device {
            kind: DeviceKind::All,
            ..Device::node("/etc", 0, 0)
        };
        let error = refusal(etc);
        assert!(error.contains("\"/etc\" is not a device node"), "{error}");
        assert!(
            error.starts_with("invalid autocreated_devices[0].type"),
            "{error}"
        );
    }

    #[test]
    fn a_device_of_the_command_replaces_the_templates_of_the_same_path() {
        let mine = Device {
            file_mode: 0o600,
            ..Device::node("/dev//fuse", 10, 229)
        };
        let nodes = nodes(&[mine], false).unwrap();
        assert_eq!(nodes.len(), 7);
        assert_eq!(nodes[0].file_mode(), Some(0o600));
    }

    #[test]
    fn a_dev_of_the_callers_own_gets_no_nodes() {
        let asked = [Device::node("/dev/x", 1, 5), Device::node("/srv/x", 1, 5)];
        let nodes = nodes(&asked, true).unwrap();
        assert_eq!(nodes.len(), 1);
        assert_eq!(nodes[0].path().to_str(), Some("/srv/x"));
    }

    #[test]
    fn device_rules_stand_in_the_contracts_order_and_leave_fuse_out() {
        assert_eq!(
            shown(&rules(&[], false).unwrap()).join(", "),
            "a *:* rwm, c *:* m, b *:* m, c 5:1 rwm, c 4:0 rwm, c 4:1 rwm, c 136:* rwm, \
             c 5:2 rwm, c 10:200 rwm, c 1:3 rwm, c 1:5 rwm, c 1:7 rwm, c 5:0 rwm, c 1:9 rwm, \
             c 1:8 rwm"
        );
        assert!(!rules(&[], false).unwrap()[0].allow());
    }

    #[test]
    fn rules_of_the_command_follow_and_repeated_ones_are_dropped() {
        let asked = [
            Device::rule(DeviceKind::Char, -1, -1, "m"),
            Device::rule(DeviceKind::Block, 8, -1, "r"),
        ];
        let rules = shown(&rules(&asked, false).unwrap());
        assert_eq!(rules.len(), 16);
        assert_eq!(rules[15], "b 8:* r");
    }

    #[test]
    fn a_privileged_container_may_use_every_device() {
        let rules = rules(&[], true).unwrap();
        assert_eq!(shown(&rules), ["a *:* rwm"]);
        assert!(rules[0].allow());
    }

    #[test]
    fn bad_nodes_and_rules_name_their_field() {
        assert!(
            refusal(Device::node("dev/x", 1, 1)).starts_with("invalid autocreated_devices[0].path")
        );
        assert!(refusal(Device::node("/proc/x", 1, 1)).contains("no node can be made"));
        assert!(refusal(Device::node("/dev/x", -1, 1)).contains("[0].major: got -1"));
        assert!(refusal(Device::node("/dev/x", 1, 1 << 20)).contains("[0].minor: got 1048576"));
        for permissions in ["", "x", "rwx"] {
            let rule = Device::rule(DeviceKind::Char, 1, 1, permissions);
            let error = rules(&[rule], true).unwrap_err().to_string();
            assert!(
                error.starts_with("invalid allowed_devices[0].permissions"),
                "{error}"
            );
        }
    }
}
