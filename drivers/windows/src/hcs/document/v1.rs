//! The document of version 1, with endpoints in place of devices.

use super::{MappedDirectory, MappedPipe, Parts, Units, directories, json, pipes, text};
use execdriver_core::{Command, Result};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Container<'a> {
    system_type: &'a str,
    name: &'a str,
    owner: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    volume_path: String,
    #[serde(skip_serializing_if = "is_false")]
    ignore_flushes_during_boot: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    layer_folder_path: String,
    layers: Vec<Layer<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    processor_weight: u16,
    #[serde(skip_serializing_if = "is_zero")]
    processor_maximum: u16,
    #[serde(rename = "MemoryMaximumInMB", skip_serializing_if = "is_zero")]
    memory_maximum: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    host_name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mapped_directories: Vec<MappedDirectory>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mapped_pipes: Vec<MappedPipe>,
    hv_partition: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_shared_container_name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    endpoint_list: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hv_runtime: Option<HvRuntime>,
    terminate_on_last_handle_closed: bool,
}

#[derive(Serialize)]
struct Layer<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    #[serde(rename = "Path")]
    path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HvRuntime {
    image_path: String,
}

pub(super) fn container(command: &Command, parts: &Parts<'_>, limits: Units) -> Result<String> {
    let windows = command.require_windows(crate::NAME)?;
    let layers = parts.layers.iter().map(|layer| Layer {
        id: &layer.id,
        path: text(&layer.path),
    });
    let volume = text(&command.rootfs);
    json(&Container {
        system_type: "Container",
        name: parts.name,
        owner: super::super::OWNER,
        // A virtual machine mounts its scratch space itself; else the name without its end.
        volume_path: match parts.hyperv {
            true => String::new(),
            false => volume.trim_end_matches('\\').to_owned(),
        },
        ignore_flushes_during_boot: windows.first_start,
        layer_folder_path: text(&windows.layer_folder),
        layers: layers.collect(),
        processor_weight: limits.cpu_weight,
        processor_maximum: limits.cpu_maximum,
        memory_maximum: limits.memory_mib,
        host_name: &windows.hostname,
        mapped_directories: directories(command),
        mapped_pipes: pipes(command),
        hv_partition: parts.hyperv,
        network_shared_container_name: super::shared_network(command),
        endpoint_list: parts.endpoints,
        hv_runtime: parts.utility_vm.as_deref().map(|path| HvRuntime {
            image_path: text(path),
        }),
        terminate_on_last_handle_closed: true,
    })
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Whether a number is left out.
pub(super) fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}
