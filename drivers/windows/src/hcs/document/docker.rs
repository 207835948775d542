//! The document of Docker 1.10, byte for byte as its Go wrote it.

use super::{MappedDirectory, Parts, Units, directories, interface, json, text};
use crate::hcs::network::PortMapping;
use execdriver_core::{Command, Error, NetworkInterface, Result};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Container<'a> {
    system_type: &'a str,
    name: &'a str,
    owner: &'a str,
    is_dummy: bool,
    volume_path: String,
    devices: Option<Vec<Device<'a>>>,
    ignore_flushes_during_boot: bool,
    layer_folder_path: String,
    layers: Option<Vec<Layer<'a>>>,
    #[serde(skip_serializing_if = "super::v1::is_zero")]
    processor_weight: u16,
    host_name: &'a str,
    mapped_directories: Vec<MappedDirectory>,
    sandbox_path: String,
    hv_partition: bool,
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
struct Device<'a> {
    device_type: &'a str,
    connection: Connection<'a>,
    settings: Option<Settings>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Connection<'a> {
    network_name: &'a str,
    enable_nat: bool,
    nat: Nat<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Nat<'a> {
    name: &'a str,
    port_bindings: Option<Vec<PortMapping>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    mac_address: String,
}

pub(super) fn container(command: &Command, parts: &Parts<'_>, limits: Units) -> Result<String> {
    let windows = command.require_windows(crate::NAME)?;
    let network = command.network.as_ref();
    let asked = network.and_then(|network| network.interface.as_ref());
    let layers = parts.layers.iter().map(|layer| Layer {
        id: &layer.id,
        path: text(&layer.path),
    });
    let document = Container {
        system_type: "Container",
        name: parts.name,
        owner: "docker",
        is_dummy: false,
        volume_path: text(&command.rootfs),
        devices: asked
            .map(|asked| Ok::<_, Error>(vec![device(asked, parts.nat)?]))
            .transpose()?,
        ignore_flushes_during_boot: windows.first_start,
        layer_folder_path: text(&windows.layer_folder),
        layers: Some(layers.collect::<Vec<_>>()).filter(|layers| !layers.is_empty()),
        processor_weight: limits.cpu_weight,
        host_name: &windows.hostname,
        mapped_directories: directories(command),
        sandbox_path: match parts.hyperv {
            true => parent(&windows.layer_folder),
            false => String::new(),
        },
        hv_partition: parts.hyperv,
    };
    Ok(as_go(&json(&document)?))
}

fn device<'a>(asked: &'a NetworkInterface, nat: &'a str) -> Result<Device<'a>> {
    let found = interface(asked)?;
    Ok(Device {
        device_type: "Network",
        connection: Connection {
            network_name: found.bridge,
            enable_nat: false,
            nat: Nat {
                name: nat,
                port_bindings: Some(found.ports).filter(|ports| !ports.is_empty()),
            },
        },
        settings: found.mac.map(|mac_address| Settings { mac_address }),
    })
}

/// The folder above, by the rules of Windows whatever the host.
fn parent(path: &Path) -> String {
    let path = text(path);
    let trimmed = path.trim_end_matches(['\\', '/']);
    let above = trimmed.rsplit_once(['\\', '/']);
    above.map_or_else(String::new, |(above, _)| above.to_owned())
}

/// Go's encoder escapes what HTML would take for its own. These letters stand in texts alone.
pub(super) fn as_go(json: &str) -> String {
    let escapes = [
        ('&', "\\u0026"),
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ];
    let escaped = |text: String, (letter, escape): (char, &str)| text.replace(letter, escape);
    escapes.into_iter().fold(json.to_owned(), escaped)
}
