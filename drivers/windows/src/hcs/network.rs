//! Port bindings and MAC addresses of a network interface, in the words of HCS and HNS.

use execdriver_core::{Error, NetworkInterface, PortBinding, Result};
use serde::Serialize;
use std::collections::HashSet;

/// One port of the container that is reachable through the host's address translation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PortMapping {
    /// `TCP` or `UDP`.
    pub(crate) protocol: String,
    /// The port inside.
    pub(crate) internal_port: u16,
    /// The port of the host; 0: any that is free.
    pub(crate) external_port: u16,
}

/// The ports of an interface, sorted by protocol and port (the original's order was random). A
/// port without a binding is exposed to nobody and left out.
///
/// # Errors
/// [`Error::InvalidCommand`] for protocols other than TCP and UDP, more than one host port for a
/// port, host addresses, numbers out of range, and ports given twice.
pub(crate) fn ports(interface: &NetworkInterface) -> Result<Vec<PortMapping>> {
    let mut mappings: Vec<PortMapping> = Vec::with_capacity(interface.port_bindings.len());
    let (mut inside, mut outside) = (HashSet::new(), HashSet::new());
    for (port, bindings) in &interface.port_bindings {
        let refuse = |reason: String| {
            Error::invalid(format!("network.interface.port_bindings[{port:?}]"), reason)
        };
        let Some(mapping) = mapping(port, bindings).map_err(refuse)? else {
            continue;
        };
        if !inside.insert((mapping.protocol.clone(), mapping.internal_port)) {
            let reason = format!("port {} is bound twice", mapping.internal_port);
            return Err(refuse(reason));
        }
        let external = mapping.external_port;
        if external != 0 && !outside.insert((mapping.protocol.clone(), external)) {
            let reason = format!("port {external} of the host is another port's already");
            return Err(refuse(reason));
        }
        mappings.push(mapping);
    }
    mappings.sort();
    Ok(mappings)
}

/// One binding, or why it cannot be.
fn mapping(port: &str, bindings: &[PortBinding]) -> Result<Option<PortMapping>, String> {
    let (inside, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let protocol = protocol.to_ascii_uppercase();
    if protocol != "TCP" && protocol != "UDP" {
        let got = protocol.to_ascii_lowercase();
        return Err(format!("invalid protocol {got}, expected tcp or udp"));
    }
    let internal_port = number("internal", inside)?;
    let binding = match bindings {
        [] => return Ok(None),
        [binding] => binding,
        more => {
            return Err(format!(
                "Windows does not support more than one host port in NAT settings, got {}",
                more.len()
            ));
        }
    };
    if !binding.host_ip.is_empty() {
        return Err(format!(
            "Windows does not support host IP addresses in NAT settings, got {:?}",
            binding.host_ip
        ));
    }
    Ok(Some(PortMapping {
        protocol,
        internal_port,
        external_port: number("container", &binding.host_port)?,
    }))
}

/// The original called the host's port the container port; those words stay.
fn number(which: &str, text: &str) -> Result<u16, String> {
    let number: i64 = text
        .parse()
        .map_err(|_| format!("invalid {which} port {text:?}, expected a number"))?;
    u16::try_from(number).map_err(|_| {
        format!("specified NAT port is not in allowed range, got {number}, expected 0 to 65535")
    })
}

/// The MAC address with dashes, as HCS and HNS want it; `None` when there is none.
///
/// # Errors
/// [`Error::InvalidCommand`] for anything but six pairs of hexadecimal digits.
pub(crate) fn mac_address(interface: &NetworkInterface) -> Result<Option<String>> {
    let given = &interface.mac_address;
    if given.is_empty() {
        return Ok(None);
    }
    let dashed = given.replace(':', "-");
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|c| c.is_ascii_hexdigit());
    if dashed.split('-').count() == 6 && dashed.split('-').all(pair) {
        return Ok(Some(dashed));
    }
    let reason = format!("got {given:?}, expected an address like 00:15:5d:00:00:01");
    Err(Error::invalid("network.interface.mac", reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(ports: &[(&str, &[(&str, &str)])]) -> NetworkInterface {
        let mut interface = NetworkInterface::default();
        for (port, bindings) in ports {
            let binding = |(host_ip, host_port): &(&str, &str)| PortBinding {
                host_ip: host_ip.to_string(),
                host_port: host_port.to_string(),
            };
            let bindings = bindings.iter().map(binding).collect();
            interface.port_bindings.insert(port.to_string(), bindings);
        }
        interface
    }

    fn refused(given: &[(&str, &[(&str, &str)])]) -> String {
        match ports(&interface(given)) {
            Err(Error::InvalidCommand { field, reason }) => {
                assert!(
                    field.starts_with("network.interface.port_bindings["),
                    "{field}"
                );
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    /// Defect 30 of the original: their order was random.
    #[test]
    fn windows_ports_are_in_order_of_protocol_and_number() {
        let given = interface(&[
            ("443/tcp", &[("", "8443")]),
            ("53/udp", &[("", "53")]),
            ("80", &[("", "0")]),
            ("9/TCP", &[("", "65535")]),
            ("7/tcp", &[]),
        ]);
        let found: Vec<String> = ports(&given)
            .unwrap()
            .iter()
            .map(|p| format!("{} {} {}", p.protocol, p.internal_port, p.external_port))
            .collect();
        assert_eq!(
            found,
            ["TCP 9 65535", "TCP 80 0", "TCP 443 8443", "UDP 53 53"]
        );
    }

    #[test]
    fn port_bindings_that_windows_does_not_know_are_refused_in_the_originals_words() {
        for (given, wanted) in [
            (
                &[("80/sctp", &[("", "1")][..])][..],
                "invalid protocol sctp",
            ),
            (
                &[("80/tcp", &[("", "1"), ("", "2")])],
                "Windows does not support more than one host port in NAT settings",
            ),
            (
                &[("80/tcp", &[("127.0.0.1", "1")])],
                "Windows does not support host IP addresses in NAT settings",
            ),
            (&[("80/tcp", &[("", "x")])], "invalid container port"),
            (&[("80/tcp", &[("", "")])], "invalid container port"),
            (&[("x/tcp", &[("", "1")])], "invalid internal port"),
            (&[("80-90/tcp", &[("", "1")])], "invalid internal port"),
            (
                &[("80/tcp", &[("", "65536")])],
                "specified NAT port is not in allowed range",
            ),
            (
                &[("-1/tcp", &[("", "1")])],
                "specified NAT port is not in allowed range",
            ),
        ] {
            let reason = refused(given);
            assert!(reason.starts_with(wanted), "{reason}");
        }
    }

    #[test]
    fn a_port_given_twice_inside_or_outside_is_refused_and_protocols_do_not_clash() {
        let twice = refused(&[("80/tcp", &[("", "1")]), ("443/tcp", &[("", "1")])]);
        assert!(twice.contains("port 1 of the host"), "{twice}");
        let twice = refused(&[("80", &[("", "1")]), ("80/tcp", &[("", "2")])]);
        assert!(twice.contains("port 80 is bound twice"), "{twice}");
        let both = interface(&[("53/tcp", &[("", "53")]), ("53/udp", &[("", "53")])]);
        assert_eq!(ports(&both).unwrap().len(), 2);
        let any = interface(&[("1/tcp", &[("", "0")]), ("2/tcp", &[("", "0")])]);
        assert_eq!(ports(&any).unwrap().len(), 2);
    }

    #[test]
    fn mac_addresses_get_dashes_and_nonsense_is_refused() {
        let mac = |text: &str| {
            mac_address(&NetworkInterface {
                mac_address: text.to_owned(),
                ..NetworkInterface::default()
            })
        };
        let dashed = Some("00-15-5d-00-00-01".to_owned());
        assert_eq!(mac("00:15:5d:00:00:01").unwrap(), dashed);
        assert_eq!(mac("00-15-5d-00-00-01").unwrap(), dashed);
        assert_eq!(mac("").unwrap(), None);
        for bad in [
            "00:15:5d:00:00",
            "00:15:5d:00:00:0g",
            "00155d000001",
            "0:1:2:3:4:5",
        ] {
            assert!(mac(bad).is_err(), "{bad}");
        }
    }
}
