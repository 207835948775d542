//! What a container sets in its own namespaces: name, loopback, kernel parameters.

use super::PlanError;
use super::namespaces::{Namespaces, name};
use super::ready::Ready;
use super::steps::Steps;
use super::text::c_string;
use crate::wire::Op;
use execdriver_core::Spec;
use oci_spec::runtime::LinuxNamespaceType as Kind;

/// The kernel's `__NEW_UTS_LEN`.
const MAX_NAME: usize = 64;

/// Parameters of the IPC namespace: ipc_namespaces(7).
const IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

/// Plans what is set after the pivot.
pub(super) fn plan(
    spec: &Spec,
    namespaces: &Namespaces,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    if let Some(name) = uts_name(spec.oci.hostname().as_deref(), "hostname", namespaces)? {
        steps.push(
            &Op::Hostname {
                name: name.as_bytes(),
            },
            format_args!("set the hostname to {name}"),
        );
    }
    if let Some(name) = uts_name(spec.oci.domainname().as_deref(), "domainname", namespaces)? {
        let words = format_args!("set the domain name to {name}");
        steps.push(
            &Op::Domainname {
                name: name.as_bytes(),
            },
            words,
        );
    }
    if namespaces.creates(Kind::Network) && namespaces.ready == Ready::Nothing {
        steps.push(&Op::LoopbackUp {}, "set the loopback interface up");
    }
    let linux = spec.oci.linux().as_ref();
    let Some(parameters) = linux.and_then(|linux| linux.sysctl().as_ref()) else {
        return Ok(());
    };
    let mut parameters: Vec<_> = parameters.iter().collect();
    parameters.sort();
    for (key, value) in parameters {
        sysctl(key, value, namespaces, steps)?;
    }
    Ok(())
}

/// A name, if one is to be set: only in a namespace that nobody else has.
fn uts_name<'a>(
    text: Option<&'a str>,
    field: &str,
    namespaces: &Namespaces,
) -> Result<Option<&'a str>, PlanError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if !namespaces.is_own(Kind::Uts) {
        let reason = format!("got {text:?}, but the container has no uts namespace of its own");
        return Err(PlanError::invalid(field, reason));
    }
    if text.len() > MAX_NAME || text.contains('\0') {
        let reason = format!("got {text:?}, expected at most {MAX_NAME} bytes without NUL");
        return Err(PlanError::invalid(field, reason));
    }
    Ok(Some(text))
}

fn sysctl(
    key: &str,
    value: &str,
    namespaces: &Namespaces,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    let field = format!("sysctl[{key:?}]");
    let path = path(key);
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.split('/').any(bad) || value.contains('\0') {
        let reason = "expected the name of a kernel parameter and a text without NUL";
        return Err(PlanError::invalid(field, reason));
    }
    let kind = if path.starts_with("net/") {
        Kind::Network
    } else if IPC.contains(&path.as_str()) || path.starts_with("fs/mqueue/") {
        Kind::Ipc
    } else if path == "kernel/domainname" {
        Kind::Uts
    } else if path == "kernel/hostname" {
        return Err(PlanError::invalid(
            field,
            "the host name is set by hostname",
        ));
    } else {
        let reason = "it is not of a namespace of the container, but of the whole machine";
        return Err(PlanError::invalid(field, reason));
    };
    if !namespaces.is_own(kind) {
        let reason = format!("the container has no {} namespace of its own", name(kind));
        return Err(PlanError::invalid(field, reason));
    }
    steps.push(
        &Op::Sysctl {
            path: &c_string(&field, &path)?,
            // A write of no bytes changes nothing; a line that is empty clears the parameter, or is refused.
            value: if value.is_empty() {
                b"\n"
            } else {
                value.as_bytes()
            },
        },
        format_args!("set {key} to {value}"),
    );
    Ok(())
}

/// The file below /proc/sys. The first separator says which: `net.ipv4.conf.eth0` or
/// `net/ipv4/conf/eth0.100`, where dots are part of names (sysctl(8)).
fn path(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(first) if key.as_bytes()[first] == b'.' => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect(),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_of_a_parameter_says_what_the_other_means() {
        assert_eq!(
            path("net.ipv4.conf.eth0/100.forwarding"),
            "net/ipv4/conf/eth0.100/forwarding"
        );
        assert_eq!(path("net/ipv4/conf/eth0.100"), "net/ipv4/conf/eth0.100");
    }
}
