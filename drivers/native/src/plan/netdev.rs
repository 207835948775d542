//! Which interfaces of the host go into the container.

use super::PlanError;
use super::namespaces::Namespaces;
use crate::netdev::{NetDevice, is_name};
use execdriver_core::Spec;
use oci_spec::runtime::LinuxNamespaceType as Kind;

/// Whether the namespace for them is made by init itself, after it joined others, so that they come when it reports its mounts.
pub(super) fn come_late(spec: &Spec, namespaces: &Namespaces) -> bool {
    let linux = spec.oci.linux().as_ref();
    let asked = linux.and_then(|linux| linux.net_devices().as_ref());
    let late = namespaces.creates(Kind::Network) && namespaces.clone_flags() == 0;
    late && asked.is_some_and(|asked| !asked.is_empty())
}

/// Judges `linux.netDevices`, in the order of their names.
pub(super) fn plan(spec: &Spec, namespaces: &Namespaces) -> Result<Vec<NetDevice>, PlanError> {
    let linux = spec.oci.linux().as_ref();
    let Some(asked) = linux.and_then(|linux| linux.net_devices().as_ref()) else {
        return Ok(Vec::new());
    };
    let mut devices = Vec::new();
    for (host, device) in asked {
        let field = format!("linux.netDevices[{host:?}]");
        let given = device.name().as_ref().filter(|name| !name.is_empty());
        let container = given.unwrap_or(host);
        for name in [host, container] {
            if !is_name(name) {
                let reason = format!("got {name:?}, expected the name of a network interface");
                return Err(PlanError::invalid(field, reason));
            }
        }
        devices.push(NetDevice {
            host: host.clone(),
            container: container.clone(),
        });
    }
    if !devices.is_empty() && !namespaces.is_own(Kind::Network) {
        let reason = "the container has no network namespace of its own";
        return Err(PlanError::invalid("linux.netDevices", reason));
    }
    devices.sort_by(|a, b| a.host.cmp(&b.host));
    Ok(devices)
}
