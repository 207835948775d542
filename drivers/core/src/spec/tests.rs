//! The translation as a whole: the documents of the plain commands, and rules across files.

mod exec;
mod mounts;
mod process;

use super::*;
use crate::{Command, Device, Error, Ipc, Mount, Network, Pid, Profile, Uts};
use oci_spec::runtime::LinuxNamespaceType as Type;
use serde_json::{Value, json};
use std::path::Path;

fn command() -> Command {
    Command::linux("web-1", "/srv/rootfs", "/bin/sh")
}

fn spec(command: &Command) -> Spec {
    Spec::from_command(command, "native").unwrap()
}

fn refusal(command: &Command) -> String {
    let error = Spec::from_command(command, "native").unwrap_err();
    assert!(matches!(error, Error::InvalidCommand { .. }), "{error}");
    error.to_string()
}

fn privileged() -> Command {
    let mut command = command();
    command.process.privileged = true;
    command
}

/// The document as JSON. Sets of capabilities are in no order there, so they are sorted here.
fn document(spec: &Spec) -> Value {
    let mut value = serde_json::to_value(&spec.oci).unwrap();
    for set in value["process"]["capabilities"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        let names = set.as_array_mut().unwrap();
        names.sort_by_key(|name| name.as_str().unwrap().to_owned());
    }
    value
}

fn linux(spec: &Spec) -> &runtime::Linux {
    spec.oci.linux().as_ref().unwrap()
}

/// `destination: type source options`, one mount a line.
fn mounts(spec: &Spec) -> Vec<String> {
    let mounts = spec.oci.mounts().iter().flatten();
    mounts
        .map(|mount| {
            format!(
                "{}: {} {} {}",
                mount.destination().display(),
                mount.typ().as_deref().unwrap(),
                mount.source().as_ref().unwrap().display(),
                mount.options().as_ref().unwrap().join(",")
            )
        })
        .collect()
}

fn destinations(spec: &Spec) -> Vec<String> {
    let line = |line: String| line.split(':').next().unwrap().to_owned();
    mounts(spec).into_iter().map(line).collect()
}

fn kinds(spec: &Spec) -> Vec<Type> {
    let namespaces = linux(spec).namespaces().iter().flatten();
    namespaces.map(|namespace| namespace.typ()).collect()
}

#[test]
fn the_plain_command_of_profile_docker_is_this_document() {
    let spec = spec(&command());
    let expected: Value =
        serde_json::from_str(include_str!("../../../../fixtures/golden/spec-docker.json")).unwrap();
    assert_eq!(document(&spec), expected, "{:#}", document(&spec));
    assert_eq!(
        spec.defaults,
        [
            TemplateDefault::DeviceRules,
            TemplateDefault::Seccomp,
            TemplateDefault::AppArmor,
            TemplateDefault::Cgroup,
        ]
    );
    assert_eq!(spec.seccomp, SeccompChoice::Default);
    assert!(spec.fill_dev && !spec.host_devices && !spec.init);
    assert!(requested_controls(&command()).is_empty());
}

#[test]
fn profile_strict_differs_in_privileges_and_the_bound_on_processes() {
    let command = command().with_linux(|linux| linux.profile = Profile::Strict);
    let spec = spec(&command);
    let mut expected: Value =
        serde_json::from_str(include_str!("../../../../fixtures/golden/spec-docker.json")).unwrap();
    expected["process"]["noNewPrivileges"] = json!(true);
    for set in expected["process"]["capabilities"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        *set = json!([]);
    }
    expected["linux"]["resources"]["pids"] = json!({"limit": 1024});
    assert_eq!(document(&spec), expected);
    assert_eq!(spec.defaults.last(), Some(&TemplateDefault::PidsLimit));
}

#[test]
fn the_strict_profile_has_no_privileged_containers() {
    let command = privileged().with_linux(|linux| linux.profile = Profile::Strict);
    assert!(refusal(&command).starts_with("invalid process_config.privileged"));
}

#[test]
fn a_privileged_container_has_everything() {
    let spec = spec(&privileged().with_linux(|linux| linux.cap_drop = vec!["ALL".into()]));
    let document = document(&spec);
    assert_eq!(
        document["process"]["capabilities"]["effective"]
            .as_array()
            .unwrap()
            .len(),
        41
    );
    assert_eq!(document["linux"]["maskedPaths"], json!([]));
    assert_eq!(document["linux"]["readonlyPaths"], json!([]));
    let rules = &document["linux"]["resources"]["devices"];
    assert_eq!(*rules, json!([{"allow": true, "access": "rwm"}]));
    assert!(spec.host_devices);
    assert_eq!(spec.seccomp, SeccompChoice::Unconfined);
    assert_eq!(spec.defaults, [TemplateDefault::Cgroup]);
    assert!(spec.named_capabilities.is_empty());
    for kernel in ["/sys: ", "/sys/fs/cgroup: "] {
        let mount = mounts(&spec)
            .into_iter()
            .find(|line| line.starts_with(kernel))
            .unwrap();
        assert!(mount.ends_with(",rw"), "{mount}");
    }
}

#[test]
fn devices_of_a_privileged_container_count_beside_the_hosts() {
    let command = privileged().with_linux(|linux| {
        linux.autocreated_devices = vec![Device::node("/dev/nulo", 1, 5)];
    });
    let spec = spec(&command);
    let nodes = linux(&spec).devices().as_ref().unwrap();
    assert!(
        nodes
            .iter()
            .any(|node| node.path() == Path::new("/dev/nulo"))
    );
    assert!(spec.host_devices);
}

#[test]
fn namespaces_are_own_unless_they_are_the_hosts_or_joined() {
    let own = [
        Type::Mount,
        Type::Uts,
        Type::Ipc,
        Type::Pid,
        Type::Network,
        Type::Cgroup,
    ];
    assert_eq!(kinds(&spec(&command())), own);

    let mut command = command().with_linux(|linux| {
        linux.uts = Some(Uts::host());
        linux.pid = Some(Pid::at_path("/proc/7/ns/pid"));
        linux.ipc = Some(Ipc::of_container("db-1"));
    });
    command.network = Some(Network::of_container("db-1"));
    let spec = spec(&command);
    assert_eq!(kinds(&spec), [Type::Mount, Type::Pid, Type::Cgroup]);
    let path = linux(&spec).namespaces().as_ref().unwrap()[1]
        .path()
        .clone();
    assert_eq!(path, Some("/proc/7/ns/pid".into()));
    let joined = |kind| Join {
        kind,
        container: "db-1".into(),
    };
    assert_eq!(spec.joins, [joined(Type::Ipc), joined(Type::Network)]);
    assert_eq!(*spec.oci.hostname(), None);
}

#[test]
fn userns() {
    let map = crate::IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 3,
    };
    let command = command().with_linux(|linux| {
        linux.uid_mappings = vec![map];
        linux.gid_mappings = vec![map];
    });
    let spec = spec(&command);
    assert_eq!(kinds(&spec).last(), Some(&Type::User));
    assert_eq!(
        document(&spec)["linux"]["uidMappings"],
        json!([{"containerID": 0, "hostID": 100_000, "size": 3}])
    );
    // Group 5 is not mapped.
    let pts = mounts(&spec)
        .into_iter()
        .find(|line| line.starts_with("/dev/pts"))
        .unwrap();
    assert!(pts.ends_with(",mode=0620"), "{pts}");
}

#[test]
fn cgroup_parent() {
    let path = |parent: &str| {
        let spec = spec(&command().with_linux(|linux| linux.cgroup_parent = parent.into()));
        assert_eq!(spec.cgroup_parent, parent);
        let asked = !spec.defaults.contains(&TemplateDefault::Cgroup);
        assert_eq!(asked, !parent.is_empty());
        let path = linux(&spec).cgroups_path().clone();
        path.map(|path| path.to_str().unwrap().to_owned())
    };
    assert_eq!(path(""), None);
    assert_eq!(path("/docker").as_deref(), Some("/docker/web-1"));
    assert_eq!(path("jobs/ci").as_deref(), Some("jobs/ci/web-1"));
    assert_eq!(path("/../../x").as_deref(), Some("/x/web-1"));
    assert_eq!(path("../../..").as_deref(), Some("web-1"));
}
