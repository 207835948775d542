//! The interfaces of `linux.netDevices`: into the namespace that was just made, or into the one at a path.

use super::OciResult;
use crate::container::error;
use crate::launch::Process;
use crate::netdev;
use crate::plan::Plan;
use execdriver_core::Spec;
use oci_spec::runtime::LinuxNamespaceType;
use std::os::fd::AsFd;

/// Hands them over while init waits.
///
/// # Errors
/// Which interface, and what the kernel said.
pub(super) fn hand_over(spec: &Spec, plan: &Plan, process: &Process) -> OciResult<()> {
    if plan.net_devices.is_empty() {
        return Ok(());
    }
    let failed = error::setup("move the network interfaces into the container");
    let linux = spec.oci.linux().as_ref();
    let listed = linux.and_then(|linux| linux.namespaces().as_deref());
    let joined = listed.unwrap_or_default().iter().find_map(|namespace| {
        let network = namespace.typ() == LinuxNamespaceType::Network;
        namespace.path().as_ref().filter(|_| network)
    });
    let moved = match joined {
        Some(path) => {
            let file =
                std::fs::File::open(path).map_err(error::setup("open the network namespace"))?;
            netdev::hand_over(&plan.net_devices, file.as_fd())
        }
        None => netdev::hand_over(&plan.net_devices, process.as_fd()),
    };
    Ok(moved.map_err(failed)?)
}
