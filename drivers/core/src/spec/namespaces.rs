//! Which namespaces a container creates, and which it joins.

use super::paths::on_host;
use super::{Join, idmap};
use crate::{Command, ContainerId, LinuxCommand, NamespaceMode, Result};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType as Type};

/// The namespaces to create or to enter by a path, and the containers whose are joined.
pub(super) fn translate(
    command: &Command,
    linux: &LinuxCommand,
) -> Result<(Vec<LinuxNamespace>, Vec<Join>)> {
    let mut namespaces = vec![own(Type::Mount)];
    let mut joins = Vec::new();
    for (kind, field, mode) in [
        (Type::Uts, "uts", linux.uts_mode()),
        (Type::Ipc, "ipc", linux.ipc_mode()),
        (Type::Pid, "pid", linux.pid_mode()),
        (Type::Network, "network", network_mode(command)),
        (Type::Cgroup, "cgroup_namespace", linux.cgroup_mode()),
    ] {
        match mode {
            NamespaceMode::Host => {}
            NamespaceMode::Own => namespaces.push(own(kind)),
            NamespaceMode::Path(path) => {
                let name = if kind == Type::Network {
                    "namespace_path"
                } else {
                    "path"
                };
                on_host(format_args!("{field}.{name}"), path)?;
                let mut entered = own(kind);
                entered.set_path(Some(path.to_owned()));
                namespaces.push(entered);
            }
            NamespaceMode::Container(id) => joins.push(Join {
                kind,
                container: joined(field, id)?,
            }),
        }
    }
    if idmap::wants_user_namespace(linux) {
        namespaces.push(own(Type::User));
    }
    Ok((namespaces, joins))
}

fn own(kind: Type) -> LinuxNamespace {
    let mut namespace = LinuxNamespace::default();
    namespace.set_typ(kind);
    namespace
}

fn network_mode(command: &Command) -> NamespaceMode<'_> {
    command
        .network
        .as_ref()
        .map_or(NamespaceMode::Own, |network| {
            NamespaceMode::of(
                network.host_networking,
                &network.container_id,
                &network.namespace_path,
            )
        })
}

fn joined(field: &str, id: &str) -> Result<String> {
    match ContainerId::parse(id) {
        Ok(id) => Ok(id.as_str().to_owned()),
        Err(crate::Error::InvalidCommand { reason, .. }) => Err(crate::Error::invalid(
            format!("{field}.container_id"),
            reason,
        )),
        Err(other) => Err(other),
    }
}
