//! The container's network, for both platforms.

use crate::NamespaceMode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which network a container is on. Without any field set it gets a network namespace of its own.
///
/// ```
/// use execdriver_core::Network;
/// let joined = Network::of_container("web-1");
/// assert_eq!(joined.container_id, "web-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The largest packet in bytes; 0: the system's choice. Linux only.
    pub mtu: u32,
    /// Joins the network of this running container.
    pub container_id: String,
    /// Joins the network namespace at this path of the host. Linux only.
    pub namespace_path: PathBuf,
    /// Stays on the host's network. Linux only.
    pub host_networking: bool,
    /// The adapter to make. Windows only.
    pub interface: Option<NetworkInterface>,
}

impl Network {
    /// The host's own network.
    pub fn host() -> Self {
        Self {
            host_networking: true,
            ..Self::default()
        }
    }

    /// The network of the running container `id`.
    pub fn of_container(id: impl Into<String>) -> Self {
        Self {
            container_id: id.into(),
            ..Self::default()
        }
    }

    /// The network namespace at `path` of the host.
    pub fn at_path(path: impl Into<PathBuf>) -> Self {
        Self {
            namespace_path: path.into(),
            ..Self::default()
        }
    }

    /// What the fields amount to for the network namespace of a Linux container. Windows has
    /// `Own` and `Container` alone.
    pub fn mode(&self) -> NamespaceMode<'_> {
        NamespaceMode::of(
            self.host_networking,
            &self.container_id,
            &self.namespace_path,
        )
    }
}

/// The network adapter of a Windows container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkInterface {
    /// The hardware address, `00:15:5d:00:00:01`; empty: the system's choice.
    #[serde(rename = "mac")]
    pub mac_address: String,
    /// The name of the virtual switch.
    pub bridge: String,
    /// The address; empty: by DHCP or NAT.
    #[serde(rename = "ip")]
    pub ip_address: String,
    /// Ports of the container (`80/tcp`) and where the host listens for them.
    #[serde(with = "crate::wire::fields::map_of_lists")]
    pub port_bindings: BTreeMap<String, Vec<PortBinding>>,
}

/// Where the host listens for a port of the container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortBinding {
    /// The host's address; empty: every one.
    #[serde(rename = "HostIp")]
    pub host_ip: String,
    /// The host's port; empty: the system's choice.
    #[serde(rename = "HostPort")]
    pub host_port: String,
}
