//! Network endpoints: made at the network service for an interface with ports, and removed with their container.
//!
//! Docker 1.10 had these in the container's document, as devices; today's documents name endpoints, which the network
//! service (HNS, in the same library) makes.

use super::document::Schema;
use super::host::Host;
use super::network::{PortMapping, mac_address, ports};
use super::{HcsError, Service};
use execdriver_core::{Command, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Endpoints that were made for a container; they are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Endpoints {
    host: Host,
    made: Vec<String>,
    given: Vec<String>,
}

impl Endpoints {
    /// The endpoints of a command: those that it names, and one for its interface.
    ///
    /// # Errors
    /// `InvalidCommand` for ports and addresses that cannot be; what the network service said.
    pub(crate) fn of(host: &Host, name: &str, command: &Command, schema: Schema) -> Result<Self> {
        let mut endpoints = Self {
            host: host.clone(),
            made: Vec::new(),
            given: command.require_windows(crate::NAME)?.endpoints.clone(),
        };
        // There the interface is in the document.
        if schema != Schema::Docker
            && let Some(request) = request(name, command)?
        {
            endpoints.remove_stale(name)?;
            let network = endpoints.network_id(request.virtual_network_name)?;
            let request = serde_json::to_string(&Request {
                virtual_network: Some(network),
                ..request
            });
            let request = request.map_err(|source| document("POST /endpoints/", source))?;
            let made: Item = endpoints.ask("POST", "/endpoints/", &request)?;
            endpoints.made.push(made.id);
        }
        Ok(endpoints)
    }

    /// The ids of all of them.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.given.iter().chain(&self.made).cloned().collect()
    }

    /// Removes what a host program that was killed has left of an earlier run of this container, whose id is this one's
    /// now.
    fn remove_stale(&self, name: &str) -> Result<(), HcsError> {
        let known: Vec<Item> = self.ask("GET", "/endpoints/", "")?;
        let stale = |item: &&Item| of_one_container(&item.name, name);
        for stale in known.iter().filter(stale) {
            self.ask::<Option<Item>>("DELETE", &format!("/endpoints/{}", stale.id), "")?;
        }
        Ok(())
    }

    fn network_id(&self, name: &str) -> Result<String> {
        let known: Vec<Item> = self.ask("GET", "/networks/", "")?;
        let found = known.iter().find(|item| item.name == name);
        found.map(|item| item.id.clone()).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|item| item.name.as_str()).collect();
            let reason = format!("no network {name:?} (known: {})", names.join(", "));
            Error::invalid("network.interface.bridge", reason)
        })
    }

    fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        method: &'static str,
        path: &str,
        body: &str,
    ) -> Result<T, HcsError> {
        let request = format!("{method} {path}");
        let (path, body) = (path.to_owned(), body.to_owned());
        let reply = self.host.ask("HNSCall", &request, move |service| {
            service.network(method, &path, &body)
        })?;
        let response: Response =
            serde_json::from_str(&reply.value).map_err(|source| document(&request, source))?;
        if !response.success {
            let reason = response.error.unwrap_or_default();
            return Err(HcsError::Network { request, reason });
        }
        serde_json::from_value(response.output).map_err(|source| document(&request, source))
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        for id in std::mem::take(&mut self.made) {
            let path = format!("/endpoints/{id}");
            let remove = move |service: &dyn Service| {
                service.network("DELETE", &path, "");
            };
            self.host.release("HNSCall", remove);
        }
    }
}

/// Whether two names of runs differ in the number of the run alone, which comes last.
fn of_one_container(one: &str, other: &str) -> bool {
    match (one.rsplit_once('-'), other.rsplit_once('-')) {
        (Some((one, _)), Some((other, _))) => one == other && one.starts_with("execdriver-"),
        _ => false,
    }
}

fn document(request: &str, source: serde_json::Error) -> HcsError {
    HcsError::Document {
        call: "HNSCall",
        object: request.to_owned(),
        source,
    }
}

/// What the network service is asked for, if the command has an interface.
///
/// # Errors
/// `InvalidCommand` for ports and addresses that cannot be.
pub(crate) fn request<'a>(name: &'a str, command: &'a Command) -> Result<Option<Request<'a>>> {
    let interface = command.network.as_ref().and_then(|n| n.interface.as_ref());
    let Some(interface) = interface else {
        return Ok(None);
    };
    if interface.bridge.is_empty() {
        let reason = "it is empty, expected the name of a network of the host";
        return Err(Error::invalid("network.interface.bridge", reason));
    }
    Ok(Some(Request {
        name,
        virtual_network: None,
        virtual_network_name: &interface.bridge,
        policies: ports(interface)?.into_iter().map(Policy::of).collect(),
        mac_address: mac_address(interface)?,
        ip_address: Some(interface.ip_address.as_str()).filter(|ip| !ip.is_empty()),
    }))
}

/// An endpoint to make.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Request<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_network: Option<String>,
    virtual_network_name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_address: Option<String>,
    #[serde(rename = "IPAddress", skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    r#type: &'static str,
    #[serde(flatten)]
    port: PortMapping,
}

impl Policy {
    fn of(port: PortMapping) -> Self {
        Self {
            r#type: "NAT",
            port,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    #[serde(default)]
    success: bool,
    error: Option<String>,
    #[serde(default)]
    output: Value,
}

/// A network or an endpoint.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use execdriver_core::{Network, NetworkInterface, PortBinding};

    #[test]
    fn an_earlier_run_of_the_container_is_told_from_other_containers() {
        let own = "execdriver-00-web-1f";
        assert!(of_one_container("execdriver-00-web-2a", own));
        for other in [
            "execdriver-00-web-1f-2a",
            "execdriver-01-web-2a",
            "web-1f",
            "x",
            "",
        ] {
            assert!(!of_one_container(other, own), "{other}");
        }
    }

    #[test]
    fn an_endpoint_is_asked_for_with_its_ports_as_translations() {
        let binding = PortBinding {
            host_port: "8080".into(),
            ..PortBinding::default()
        };
        let mut command = Command::windows("web", "", "cmd");
        assert!(request("web", &command).unwrap().is_none());
        command.network = Some(Network {
            interface: Some(NetworkInterface {
                mac_address: "00:15:5d:00:00:01".into(),
                bridge: "nat".into(),
                port_bindings: [("80/tcp".to_owned(), vec![binding])].into(),
                ..NetworkInterface::default()
            }),
            ..Network::default()
        });
        let request = request("web", &command).unwrap().unwrap();
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"Name":"web","VirtualNetworkName":"nat","Policies":[{"Type":"NAT","Protocol":"TCP","InternalPort":80,"ExternalPort":8080}],"MacAddress":"00-15-5d-00-00-01"}"#
        );
    }
}
