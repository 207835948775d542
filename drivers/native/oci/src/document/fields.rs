//! What the specification says is required: the crate's types have defaults for some of it, and name none of it.

use serde_json::Value;

/// The fields, `[]` for every element of a list and `{}` for every value of an object.
const CONFIG: &[&str] = &[
    "ociVersion",
    "root.path",
    "mounts[].destination",
    "hooks.prestart[].path",
    "hooks.createRuntime[].path",
    "hooks.createContainer[].path",
    "hooks.startContainer[].path",
    "hooks.poststart[].path",
    "hooks.poststop[].path",
    "linux.namespaces[].type",
    "linux.uidMappings[].containerID",
    "linux.uidMappings[].hostID",
    "linux.uidMappings[].size",
    "linux.gidMappings[].containerID",
    "linux.gidMappings[].hostID",
    "linux.gidMappings[].size",
    "mounts[].uidMappings[].containerID",
    "mounts[].uidMappings[].hostID",
    "mounts[].uidMappings[].size",
    "mounts[].gidMappings[].containerID",
    "mounts[].gidMappings[].hostID",
    "mounts[].gidMappings[].size",
    "linux.devices[].type",
    "linux.devices[].path",
    "linux.resources.devices[].allow",
    "linux.resources.pids.limit",
    "linux.resources.hugepageLimits[].pageSize",
    "linux.resources.hugepageLimits[].limit",
    "linux.resources.network.priorities[].name",
    "linux.resources.network.priorities[].priority",
    "linux.resources.blockIO.weightDevice[].major",
    "linux.resources.blockIO.weightDevice[].minor",
    "linux.resources.blockIO.throttleReadBpsDevice[].major",
    "linux.resources.blockIO.throttleReadBpsDevice[].minor",
    "linux.resources.blockIO.throttleReadBpsDevice[].rate",
    "linux.resources.blockIO.throttleWriteBpsDevice[].major",
    "linux.resources.blockIO.throttleWriteBpsDevice[].minor",
    "linux.resources.blockIO.throttleWriteBpsDevice[].rate",
    "linux.resources.blockIO.throttleReadIOPSDevice[].major",
    "linux.resources.blockIO.throttleReadIOPSDevice[].minor",
    "linux.resources.blockIO.throttleReadIOPSDevice[].rate",
    "linux.resources.blockIO.throttleWriteIOPSDevice[].major",
    "linux.resources.blockIO.throttleWriteIOPSDevice[].minor",
    "linux.resources.blockIO.throttleWriteIOPSDevice[].rate",
    "linux.seccomp.defaultAction",
    "linux.seccomp.syscalls[].names",
    "linux.seccomp.syscalls[].action",
    "linux.seccomp.syscalls[].args[].index",
    "linux.seccomp.syscalls[].args[].value",
    "linux.seccomp.syscalls[].args[].op",
    "linux.personality.domain",
    "linux.memoryPolicy.mode",
];

/// Those of a process.
const PROCESS: &[&str] = &[
    "cwd",
    "args",
    "user.uid",
    "user.gid",
    "consoleSize.height",
    "consoleSize.width",
    "rlimits[].type",
    "rlimits[].soft",
    "rlimits[].hard",
    "scheduler.policy",
    "ioPriority.class",
    "ioPriority.priority",
];

/// Of a whole document.
pub(super) fn config(value: &Value) -> Result<(), String> {
    for field in CONFIG {
        require(value, field, "")?;
    }
    if let Some(process) = present(value, "process") {
        for field in PROCESS {
            require(process, field, "process.")?;
        }
    }
    devices(value)
}

/// Of a process alone.
pub(super) fn process(value: &Value) -> Result<(), String> {
    for field in PROCESS {
        require(value, field, "process.")?;
    }
    Ok(())
}

/// A number is needed by every device but a pipe.
fn devices(value: &Value) -> Result<(), String> {
    let listed = value.pointer("/linux/devices").and_then(Value::as_array);
    for (index, device) in listed.into_iter().flatten().enumerate() {
        let pipe = device.get("type").and_then(Value::as_str) == Some("p");
        for key in ["major", "minor"] {
            if !pipe && present(device, key).is_none() {
                return Err(missing(&format!("linux.devices[{index}].{key}")));
            }
        }
    }
    Ok(())
}

fn present<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.get(key).filter(|value| !value.is_null())
}

fn missing(path: &str) -> String {
    format!("{path}: got none, and it is required")
}

/// Whether `field` is there wherever what it belongs to is.
fn require(value: &Value, field: &str, path: &str) -> Result<(), String> {
    let Some((first, rest)) = field.split_once('.') else {
        return match present(value, field) {
            Some(_) => Ok(()),
            None => Err(missing(&format!("{path}{field}"))),
        };
    };
    if let Some(list) = first.strip_suffix("[]") {
        let elements = present(value, list).and_then(Value::as_array);
        for (index, element) in elements.into_iter().flatten().enumerate() {
            require(element, rest, &format!("{path}{list}[{index}]."))?;
        }
        return Ok(());
    }
    match present(value, first) {
        Some(inner) => require(inner, rest, &format!("{path}{first}.")),
        // Required themselves on this platform.
        None if ["root", "user"].contains(&first) => Err(missing(&format!("{path}{first}"))),
        None => Ok(()),
    }
}
