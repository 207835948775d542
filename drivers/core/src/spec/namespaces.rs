//! Which namespaces a container creates, and which it joins.

use super::{Join, idmap};
use crate::{Command, LinuxCommand, NamespaceMode};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType as Type};

/// The namespaces to create or to enter by a path, and the containers whose are joined.
pub(super) fn translate(
    command: &Command,
    linux: &LinuxCommand,
) -> (Vec<LinuxNamespace>, Vec<Join>) {
    // One of each kind, at most.
    let mut namespaces = Vec::with_capacity(8);
    namespaces.push(own(Type::Mount));
    let mut joins = Vec::new();
    for (kind, mode) in [
        (Type::Uts, linux.uts_mode()),
        (Type::Ipc, linux.ipc_mode()),
        (Type::Pid, linux.pid_mode()),
        (Type::Network, network_mode(command)),
        (Type::Cgroup, linux.cgroup_mode()),
    ] {
        match mode {
            NamespaceMode::Host => {}
            NamespaceMode::Own => namespaces.push(own(kind)),
            NamespaceMode::Path(path) => {
                let mut entered = own(kind);
                entered.set_path(Some(path.to_owned()));
                namespaces.push(entered);
            }
            NamespaceMode::Container(id) => joins.push(Join {
                kind,
                container: id.to_owned(),
            }),
        }
    }
    if linux.time_offsets.is_some() {
        namespaces.push(own(Type::Time));
    }
    if idmap::wants_user_namespace(linux) {
        namespaces.push(own(Type::User));
    }
    (namespaces, joins)
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
