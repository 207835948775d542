//! The bundle's document as the driver takes it: absolute paths, and what the specification gives every container.

use super::Create;
use execdriver_core::{Error, Result, Spec};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};

/// Devices that every container may use, by the specification's list of default devices, with the console and the
/// terminals of /dev/pts; and all may be made as nodes.
const DEVICES: [(LinuxDeviceType, Option<i64>, Option<i64>, &str); 12] = [
    (LinuxDeviceType::C, None, None, "m"),
    (LinuxDeviceType::B, None, None, "m"),
    (LinuxDeviceType::C, Some(1), Some(3), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(5), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(7), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(8), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(9), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(0), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(1), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(2), "rwm"),
    (LinuxDeviceType::C, Some(136), None, "rwm"),
    (LinuxDeviceType::C, Some(10), Some(200), "rwm"),
];

/// The specification of the container to make.
pub(super) fn specification(create: Create<'_>) -> Result<Spec> {
    let mut document = create.document;
    let Some(mut root) = document.root().clone() else {
        return Err(Error::invalid(
            "root",
            "got none, expected the root file system",
        ));
    };
    root.set_path(create.bundle.join(root.path()));
    document.set_root(Some(root));
    if let Some(linux) = document.linux_mut()
        && let Some(resources) = linux.resources_mut()
    {
        allow_defaults(resources);
    }
    Ok(Spec::from_oci(create.id, document))
}

/// Without rules everything is allowed; after those of the document the defaults are.
fn allow_defaults(resources: &mut LinuxResources) {
    let Some(rules) = resources
        .devices_mut()
        .as_mut()
        .filter(|rules| !rules.is_empty())
    else {
        return;
    };
    rules.extend(DEVICES.map(|(kind, major, minor, access)| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(true)
            .set_typ(Some(kind))
            .set_major(major)
            .set_minor(minor)
            .set_access(Some(access.to_owned()));
        rule
    }));
}
