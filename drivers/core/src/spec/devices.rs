//! The device nodes of a container, and the rules of what it may do with devices.

use super::paths::is_in;
use super::template::{self, DeviceRule};
use crate::{Device, DeviceKind, Error, Result, mount::clean_path};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};

/// The nodes to make: the template's, replaced by the command's of the same path, and the rest
/// of the command's. None in a `/dev` that is the caller's own.
pub(super) fn nodes(asked: &[Device], dev_is_callers: bool) -> Result<Vec<LinuxDevice>> {
    let mut nodes = Vec::with_capacity(template::DEVICES.len() + asked.len());
    nodes.extend(template::DEVICES.map(|(path, major, minor)| {
        let mut node = LinuxDevice::default();
        node.set_path(path.into())
            .set_typ(LinuxDeviceType::C)
            .set_major(major)
            .set_minor(minor)
            .set_file_mode(Some(0o666))
            .set_uid(Some(0))
            .set_gid(Some(0));
        node
    }));
    for (index, device) in asked.iter().enumerate() {
        let node = node(device);
        let path = node.path().to_string_lossy();
        if path == "/" || is_in(&path, "/proc") || is_in(&path, "/sys") {
            return Err(Error::invalid(
                format!("autocreated_devices[{index}].path"),
                format!("got {path:?}, where no node can be made"),
            ));
        }
        match nodes.iter_mut().find(|known| known.path() == node.path()) {
            Some(known) => *known = node,
            None => nodes.push(node),
        }
    }
    nodes.retain(|node| !dev_is_callers || !is_in(&node.path().to_string_lossy(), "/dev"));
    Ok(nodes)
}

/// The rules, the first of which denies everything. A privileged container may use all.
pub(super) fn rules(asked: &[Device], privileged: bool) -> Vec<LinuxDeviceCgroup> {
    // More than a thread's own store of freed blocks takes.
    let mut rules = Vec::with_capacity(32);
    rules.push(everything(privileged));
    if !privileged {
        rules.extend(template::DEVICE_RULES.map(rule));
        // The original's daemon sends the template's rules along with the command.
        for rule in asked.iter().map(|device| rule(device.into())) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules
}

/// Whether the command's own rules ask for a restriction. One that gives every use of its devices is
/// kept also where nothing is enforced; one that gives a part is not.
pub(super) fn restricts(asked: &[Device]) -> bool {
    if asked.is_empty() {
        return false;
    }
    let is_the_templates = |rule: &Device| template::DEVICE_RULES.iter().any(|own| own.is(rule));
    let partly = |rule: &&Device| {
        ["r", "w", "m"]
            .iter()
            .any(|one| !rule.permissions.contains(one))
    };
    let mut own = asked.iter().filter(|rule| !is_the_templates(rule));
    own.any(|rule| partly(&rule))
}

fn node(device: &Device) -> LinuxDevice {
    let mut node = LinuxDevice::default();
    node.set_path(clean_path(&device.path).into())
        .set_typ(kind(device.kind))
        .set_major(device.major)
        .set_minor(device.minor)
        .set_file_mode(Some(device.file_mode))
        .set_uid(Some(device.uid))
        .set_gid(Some(device.gid));
    node
}

pub(super) fn rule(of: DeviceRule<'_>) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(true)
        .set_typ(Some(kind(of.kind)))
        .set_major(Some(of.major).filter(|number| *number >= 0))
        .set_minor(Some(of.minor).filter(|number| *number >= 0))
        .set_access(Some(of.access.to_owned()));
    rule
}

fn kind(kind: DeviceKind) -> LinuxDeviceType {
    match kind {
        DeviceKind::All => LinuxDeviceType::A,
        DeviceKind::Block => LinuxDeviceType::B,
        DeviceKind::Char => LinuxDeviceType::C,
        DeviceKind::Fifo => LinuxDeviceType::P,
    }
}

pub(super) fn everything(allow: bool) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(allow).set_access(Some("rwm".to_owned()));
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rules: &[LinuxDeviceCgroup]) -> Vec<String> {
        rules.iter().map(ToString::to_string).collect()
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
            shown(&rules(&[], false)).join(", "),
            "a *:* rwm, c *:* m, b *:* m, c 5:1 rwm, c 4:0 rwm, c 4:1 rwm, c 136:* rwm, \
             c 5:2 rwm, c 10:200 rwm, c 1:3 rwm, c 1:5 rwm, c 1:7 rwm, c 5:0 rwm, c 1:9 rwm, \
             c 1:8 rwm"
        );
        assert!(!rules(&[], false)[0].allow());
    }

    #[test]
    fn rules_of_the_command_follow_and_repeated_ones_are_dropped() {
        let asked = [
            Device::rule(DeviceKind::Char, -1, -1, "m"),
            Device::rule(DeviceKind::Block, 8, -1, "r"),
        ];
        let rules = shown(&rules(&asked, false));
        assert_eq!(rules.len(), 16);
        assert_eq!(rules[15], "b 8:* r");
    }

    #[test]
    fn a_privileged_container_may_use_every_device() {
        let rules = rules(&[], true);
        assert_eq!(shown(&rules), ["a *:* rwm"]);
        assert!(rules[0].allow());
    }

    #[test]
    fn a_node_where_the_kernel_has_its_own_files_is_refused() {
        for path in ["/", "/proc/x", "/dev/../sys"] {
            let error = nodes(&[Device::node(path, 1, 1)], false)
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("invalid autocreated_devices[0].path"),
                "{error}"
            );
        }
    }
}
