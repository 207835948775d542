//! The document of version 2.1: a process-isolated container whose limits can be changed.

use super::v1::is_zero;
use super::{MappedDirectory, MappedPipe, Parts, Units, directories, json, pipes, text};
use execdriver_core::{Command, Result};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ComputeSystem<'a> {
    owner: &'a str,
    schema_version: Version,
    should_terminate_on_last_handle_closed: bool,
    container: Container<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    major: u8,
    minor: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Container<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    guest_os: Option<GuestOs<'a>>,
    storage: Storage<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mapped_directories: Vec<MappedDirectory>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mapped_pipes: Vec<MappedPipe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processor: Option<Processor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    networking: Option<Networking<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GuestOs<'a> {
    host_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Storage<'a> {
    layers: Vec<Layer<'a>>,
    path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Layer<'a> {
    id: &'a str,
    path: String,
}

#[derive(Serialize)]
struct Memory {
    #[serde(rename = "SizeInMB")]
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processor {
    #[serde(skip_serializing_if = "is_zero")]
    maximum: u16,
    #[serde(skip_serializing_if = "is_zero")]
    weight: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Networking<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    network_shared_container_name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    network_adapters: &'a [String],
}

pub(super) fn container(command: &Command, parts: &Parts<'_>, limits: Units) -> Result<String> {
    let windows = command.require_windows(crate::NAME)?;
    let layers = parts.layers.iter().map(|layer| Layer {
        id: &layer.id,
        path: text(&layer.path),
    });
    let shared = super::shared_network(command);
    let networked = shared.is_some() || !parts.endpoints.is_empty();
    json(&ComputeSystem {
        owner: super::super::OWNER,
        schema_version: Version { major: 2, minor: 1 },
        should_terminate_on_last_handle_closed: true,
        container: Container {
            guest_os: Some(windows.hostname.as_str())
                .filter(|name| !name.is_empty())
                .map(|host_name| GuestOs { host_name }),
            storage: Storage {
                layers: layers.collect(),
                path: with_end(text(&command.rootfs)),
            },
            mapped_directories: directories(command),
            mapped_pipes: pipes(command),
            memory: Some(limits.memory_mib)
                .filter(|size| *size != 0)
                .map(|size| Memory { size }),
            processor: (limits.cpu_weight != 0 || limits.cpu_maximum != 0).then_some(Processor {
                maximum: limits.cpu_maximum,
                weight: limits.cpu_weight,
            }),
            networking: networked.then_some(Networking {
                network_shared_container_name: shared,
                network_adapters: parts.endpoints,
            }),
        },
    })
}

/// Version 2 wants the volume's name with its end.
fn with_end(mut volume: String) -> String {
    if !volume.is_empty() && !volume.ends_with('\\') {
        volume.push('\\');
    }
    volume
}
