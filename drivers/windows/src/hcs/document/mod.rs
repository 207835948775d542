//! The documents that a container and its processes are asked for with: pure data to text.
//!
//! Three forms of the container's document are known. Docker 1.10's stays for comparison, as its
//! service is gone; *version 1* is what Windows 10 1607 and Server 2016 brought and the only one in
//! which Hyper-V containers need no virtual machine of the caller's own making; *version 2* is what
//! limits can be changed with while the container runs (Windows 10 1809, Server 2019).

mod docker;
mod process;
mod requests;
mod v1;
mod v2;

pub(crate) use process::{check as check_process, process};
pub(crate) use requests::{
    CLOSE_STDIN, console_size, memory_update, processor_update, properties, signal,
};

use super::network::{PortMapping, mac_address, ports};
use crate::limits::{Change, Cpu, Limits};
use execdriver_core::{Command, Error, Isolation, NetworkInterface, Result};
use serde::Serialize;
use std::path::PathBuf;

/// A form of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// As Docker 1.10 sent it.
    Docker,
    /// Version 1.
    V1,
    /// Version 2.1.
    V2,
}

/// A read-only layer of a container's files, the parent-most first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its GUID, as `NameToGuid` makes it of the folder's name.
    pub(crate) id: String,
    /// Its folder.
    pub(crate) path: PathBuf,
}

/// What a container is made of, apart from its command: what the driver found out or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    /// The compute system's id, a name of the host's.
    pub(crate) name: &'a str,
    /// Its layers.
    pub(crate) layers: &'a [Layer],
    /// Whether it is to be a virtual machine.
    pub(crate) hyperv: bool,
    /// The folder of the virtual machine's files; only Hyper-V has one.
    pub(crate) utility_vm: Option<PathBuf>,
    /// The ids of its network endpoints.
    pub(crate) endpoints: &'a [String],
    /// The name of the address translation; only Docker's form has it.
    pub(crate) nat: &'a str,
}

/// The document that creates a container.
///
/// # Errors
/// [`Error::WrongPlatform`] for a Linux command; [`Error::InvalidCommand`] for limits, ports and
/// addresses that cannot be; [`Error::Unsupported`] for what the form has no word for.
pub(crate) fn container(
    schema: Schema,
    command: &Command,
    parts: &Parts<'_>,
    limits: &Limits,
) -> Result<String> {
    let mut limits = Units::of(limits)?;
    if limits.cpu_maximum == CPU_ALL {
        limits.cpu_maximum = 0;
    }
    match schema {
        Schema::Docker => docker::container(command, parts, limits),
        Schema::V1 => v1::container(command, parts, limits),
        Schema::V2 => v2::container(command, parts, limits),
    }
}

/// Refuses what a form has no word for.
///
/// # Errors
/// [`Error::Unsupported`].
pub(crate) fn check(schema: Schema, command: &Command, hyperv: bool) -> Result<()> {
    let lacks = |what: &str| Err(Error::unsupported(crate::NAME, what));
    if schema == Schema::V2 && hyperv {
        return lacks("Hyper-V containers by documents of version 2 (use windows.schema=v1)");
    }
    if schema == Schema::Docker && command.mounts.iter().any(|m| is_pipe_path(&m.destination)) {
        return lacks("pipes of the host in documents of Docker 1.10");
    }
    let labels = [
        (&command.mount_label, "mount_label"),
        (&command.process_label, "process_label"),
    ];
    match labels.into_iter().find(|(label, _)| !label.is_empty()) {
        Some((_, field)) => lacks(field),
        None => Ok(()),
    }
}

/// Whether the command wants a virtual machine, where `default` is the driver's own.
///
/// The original could turn Hyper-V on by option and by command and never off again; here the
/// command's word stands.
///
/// # Errors
/// [`Error::InvalidCommand`] when the command says both.
pub(crate) fn is_hyperv(command: &Command, default: Isolation) -> Result<bool> {
    let windows = command.require_windows(crate::NAME)?;
    match windows.isolation {
        Isolation::HyperV => Ok(true),
        Isolation::Process if windows.hv_partition => {
            let reason = "it is true, expected false with isolation \"process\"";
            Err(Error::invalid("hv_partition", reason))
        }
        Isolation::Process => Ok(false),
        Isolation::Unset | Isolation::Default => {
            Ok(windows.hv_partition || default == Isolation::HyperV)
        }
    }
}

/// Limits in the compute service's own units; zero: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Units {
    /// Memory in whole mebibytes.
    pub(crate) memory_mib: u64,
    /// Relative weight of the processor, 1 to 10000.
    pub(crate) cpu_weight: u16,
    /// The most processor time, 1 to 10000 ten-thousandths of all processors'. It excludes a weight.
    pub(crate) cpu_maximum: u16,
}

const MEBIBYTE: u64 = 1 << 20;
const WEIGHT_MAX: u16 = 10_000;
/// All of all processors' time: how a cap is taken away.
pub(crate) const CPU_ALL: u16 = 10_000;

impl Units {
    /// Limits in the service's units. Memory is rounded down to whole mebibytes.
    ///
    /// # Errors
    /// [`Error::InvalidCommand`] for numbers out of range.
    pub(crate) fn of(limits: &Limits) -> Result<Self> {
        let memory_mib = match limits.memory {
            Change::Keep | Change::Remove => 0,
            Change::Set(bytes) if bytes >= MEBIBYTE => bytes / MEBIBYTE,
            Change::Set(bytes) => {
                let reason = format!("got {bytes}, expected {MEBIBYTE} bytes or more");
                return Err(Error::invalid("resources.memory", reason));
            }
        };
        let cpu_weight = match limits.cpu {
            Change::Keep | Change::Remove => 0,
            Change::Set(Cpu::Weight(weight)) if weight <= WEIGHT_MAX => weight,
            Change::Set(Cpu::Weight(weight)) => {
                let reason = format!("got {weight}, expected 1 to {WEIGHT_MAX}");
                return Err(Error::invalid("resources.cpu_shares", reason));
            }
        };
        let cpu_maximum = match limits.cpu_maximum {
            Change::Keep => 0,
            // A weight takes the place of a cap.
            Change::Remove if cpu_weight != 0 => 0,
            Change::Remove => CPU_ALL,
            Change::Set(maximum) if maximum <= CPU_ALL => maximum,
            Change::Set(maximum) => {
                let reason = format!("got {maximum}, expected 1 to {CPU_ALL}");
                return Err(Error::invalid("resources.cpu_maximum", reason));
            }
        };
        if cpu_weight != 0 && cpu_maximum != 0 {
            let reason = "it is together with cpu_shares, expected one of them";
            return Err(Error::invalid("resources.cpu_maximum", reason));
        }
        Ok(Self {
            memory_mib,
            cpu_weight,
            cpu_maximum,
        })
    }
}

/// What an interface asks for, checked.
struct Interface<'a> {
    bridge: &'a str,
    mac: Option<String>,
    ports: Vec<PortMapping>,
}

fn interface(interface: &NetworkInterface) -> Result<Interface<'_>> {
    Ok(Interface {
        bridge: &interface.bridge,
        mac: mac_address(interface)?,
        ports: ports(interface)?,
    })
}

/// A directory of the host's in the container, the same in every form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MappedDirectory {
    host_path: String,
    container_path: String,
    read_only: bool,
}

/// Pipes of the host are mounted below this prefix.
const PIPES: &str = r"\\.\pipe\";

/// Whether a mount is of a pipe.
pub(crate) fn is_pipe_path(destination: &str) -> bool {
    let prefix = destination.get(..PIPES.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PIPES))
}

fn directories(command: &Command) -> Vec<MappedDirectory> {
    let mounts = command
        .mounts
        .iter()
        .filter(|mount| !is_pipe_path(&mount.destination));
    let mapped = mounts.map(|mount| MappedDirectory {
        host_path: text(&mount.source),
        container_path: mount.destination.clone(),
        read_only: !mount.writable,
    });
    mapped.collect()
}

/// A pipe of the host's in the container.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MappedPipe {
    host_path: String,
    container_pipe_name: String,
}

fn pipes(command: &Command) -> Vec<MappedPipe> {
    let mounts = command
        .mounts
        .iter()
        .filter(|mount| is_pipe_path(&mount.destination));
    let mapped = mounts.map(|mount| MappedPipe {
        host_path: text(&mount.source),
        container_pipe_name: mount.destination[PIPES.len()..].to_owned(),
    });
    mapped.collect()
}

/// The id of the container whose network is shared.
fn shared_network(command: &Command) -> Option<&str> {
    let network = command.network.as_ref()?;
    Some(network.container_id.as_str()).filter(|id| !id.is_empty())
}

fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The text of a document. A map of texts to texts, lists and numbers has one always.
fn json(document: &impl Serialize) -> Result<String> {
    serde_json::to_string(document).map_err(|source| Error::Setup {
        step: "write a document for the compute service".to_owned(),
        source: Some(Box::new(source)),
    })
}

#[cfg(test)]
mod tests;
