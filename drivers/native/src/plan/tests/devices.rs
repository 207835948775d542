//! Device rules on hosts that cannot enforce them.

use super::*;
use execdriver_core::{Device, DeviceKind, Error};

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} has no {part:?}");
}

#[test]
fn rules_for_a_part_of_a_devices_uses_are_refused_where_no_rule_can_be_enforced() {
    let mut host = root_host();
    host.cgroup.own = OwnCgroup::Made {
        directories: Vec::new(),
        no_device_rules: Some("bpf(2): not permitted (use root)".to_owned()),
        available: crate::cgroup::limits::Available::default(),
    };
    let with = |access| {
        let mut command = command();
        let rule = Device::rule(DeviceKind::Char, 10, 229, access);
        command.as_linux_mut().unwrap().allowed_devices = vec![rule];
        build(&spec(&command), &host)
    };
    let given = with("rwm").unwrap();
    assert!(given.cgroup.device_rules.is_empty());
    contains(
        &given.unenforced.join("\n"),
        "bpf(2): not permitted (use root)",
    );
    contains(
        &Error::from(with("r").unwrap_err()).to_string(),
        "device rules: bpf(2)",
    );
}
