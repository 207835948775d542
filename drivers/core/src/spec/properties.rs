//! Properties of the translation that hold for every command.

use super::*;
use crate::{
    Command, Device, DeviceKind, IdMap, Ipc, LinuxResources, Mount, MountIdMap, Network, Profile,
    Propagation, Resources, Rlimit, UserNamespace, Uts,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::path::Path;

/// Words that rules look for, among words that no rule knows.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "/",
            "/proc",
            "/dev",
            "/dev/shm",
            "/sys",
            "/a/../b",
            "tmpfs",
            "ALL",
            "KILL",
            "CAP_KILL",
            "a",
            "A=1",
            "HOSTNAME=x",
            "-1",
            "1000:7",
            "size=1k,ro",
            "unconfined",
            "{}",
            "../..",
        ])
        .prop_map(str::to_owned),
        "[/a-z.=:,0-9]{0,12}",
        any::<String>(),
    ]
}

fn mount() -> impl Strategy<Value = Mount> {
    let propagation = prop::sample::select(vec![
        Propagation::Inherited,
        Propagation::Private,
        Propagation::RShared,
        Propagation::Slave,
    ]);
    let range = (0..3_u32, any::<u32>(), 0..9_u32);
    let idmap = option::of(option::of(range));
    (word(), word(), any::<bool>(), word(), propagation, idmap).prop_map(
        |(source, destination, writable, data, propagation, idmap)| Mount {
            source: source.into(),
            destination,
            writable,
            data,
            propagation,
            idmap: idmap.map(|range| {
                let ranges: Vec<IdMap> = range
                    .map(|(container_id, host_id, size)| IdMap {
                        container_id,
                        host_id,
                        size,
                    })
                    .into_iter()
                    .collect();
                MountIdMap {
                    uid: ranges.clone(),
                    gid: ranges,
                }
            }),
        },
    )
}

fn device() -> impl Strategy<Value = Device> {
    let kind = prop::sample::select(vec![
        DeviceKind::All,
        DeviceKind::Char,
        DeviceKind::Block,
        DeviceKind::Fifo,
    ]);
    (
        kind,
        word(),
        -2..300_i64,
        any::<i64>(),
        "[rwmx]{0,3}",
        any::<u32>(),
    )
        .prop_map(
            |(kind, path, major, minor, permissions, file_mode)| Device {
                path,
                file_mode: file_mode & 0o17777,
                ..Device::rule(kind, major, minor % 1000, &permissions)
            },
        )
}

fn resources() -> impl Strategy<Value = Resources> {
    let rlimit = (0..20_u32, any::<u64>(), any::<u64>());
    (
        any::<i64>(),
        -2..5000_i64,
        any::<u16>(),
        word(),
        vec(rlimit, 0..3),
    )
        .prop_map(|(memory, number, weight, cpus, rlimits)| Resources {
            memory,
            cpu_shares: number,
            blkio_weight: weight,
            linux: Some(LinuxResources {
                cpu_quota: number,
                cpuset_cpus: cpus,
                memory_swappiness: number % 120,
                pids_limit: number,
                rlimits: rlimits
                    .into_iter()
                    .map(|(kind, soft, hard)| Rlimit { kind, hard, soft })
                    .collect(),
                ..LinuxResources::default()
            }),
            ..Resources::default()
        })
}

fn user_namespace() -> impl Strategy<Value = UserNamespace> {
    prop::sample::select(vec![
        UserNamespace::Unset,
        UserNamespace::Host,
        UserNamespace::Auto,
        UserNamespace::KeepId,
    ])
}

prop_compose! {
    fn command()(
        id in prop_oneof![4 => Just("web-1".to_owned()), 1 => word()],
        rootfs in prop_oneof![4 => Just("/srv".to_owned()), 1 => word()],
        mounts in vec(mount(), 0..4),
        (entrypoint, arguments, env, user) in (word(), vec(word(), 0..3), vec(word(), 0..4), word()),
        privileged in any::<bool>(),
        strict in any::<bool>(),
        resources in option::of(resources()),
        (allowed, nodes) in (vec(device(), 0..3), vec(device(), 0..3)),
        (add, drop, groups) in (vec(word(), 0..3), vec(word(), 0..3), vec(word(), 0..2)),
        (host, joined, path, name) in (any::<bool>(), word(), word(), word()),
        range in option::of((0..3_u32, any::<u32>(), 0..9_u32)),
        oom_score_adj in -1100..1100_i32,
        (user_namespace, idmap_rootfs) in (user_namespace(), any::<bool>()),
    ) -> Command {
        let mut command = Command::linux(id, rootfs, entrypoint);
        command.mounts = mounts;
        command.process.arguments = arguments;
        command.process.env = env;
        command.process.user = user;
        command.process.privileged = privileged;
        command.resources = resources;
        command.network = Some(Network {
            host_networking: host,
            container_id: joined.clone(),
            namespace_path: path.clone().into(),
            ..Network::default()
        });
        command.with_linux(|linux| {
            linux.profile = if strict { Profile::Strict } else { Profile::Docker };
            linux.allowed_devices = allowed;
            linux.autocreated_devices = nodes;
            linux.cap_add = add;
            linux.cap_drop = drop;
            linux.group_add = groups;
            linux.cgroup_parent = path.clone();
            linux.ipc = Some(Ipc { container_id: joined, host, path: path.into() });
            linux.uts = host.then(Uts::host);
            linux.hostname = name;
            linux.oom_score_adj = oom_score_adj;
            linux.user_namespace = user_namespace;
            linux.idmap_rootfs = idmap_rootfs;
            let maps: Vec<IdMap> = range
                .map(|(container_id, host_id, size)| IdMap { container_id, host_id, size })
                .into_iter()
                .collect();
            linux.uid_mappings = maps.clone();
            linux.gid_mappings = maps;
        })
    }
}

/// A command that is accepted, with the parts that rules of the result are about.
fn accepted() -> impl Strategy<Value = Command> {
    let path = "(/[a-d]{1,2}|/dev|/sys|/\\.\\.|/tmp){1,4}";
    (
        vec((path, any::<bool>()), 0..8),
        vec("[A-C]=[a-z]{0,3}", 0..8),
    )
        .prop_map(|(paths, env)| {
            let mut command = Command::linux("web-1", "/srv", "sh");
            let mut seen = std::collections::HashSet::new();
            command.mounts = paths
                .into_iter()
                .filter(|(path, _)| crate::mount::clean_path(path) != "/")
                .filter(|(path, _)| seen.insert(crate::mount::clean_path(path)))
                .map(|(path, tmpfs)| {
                    if tmpfs {
                        Mount::tmpfs(path, "")
                    } else {
                        Mount::bind("/a", path)
                    }
                })
                .collect();
            command.process.env = env;
            command
        })
}

proptest! {
    #[test]
    fn no_command_makes_the_translation_panic(command in command()) {
        let _ = requested_controls(&command);
        if let Ok(spec) = Spec::from_command(&command, "native") {
            let again = Spec::from_command(&command, "native").unwrap();
            prop_assert_eq!(&spec, &again);
            serde_json::to_string(&spec.oci).unwrap();
        }
    }

    #[test]
    fn a_draft_becomes_what_a_translation_is(shape in prop_oneof![command(), accepted()], next in command()) {
        let Ok(mut draft) = Draft::of(&shape, "native") else {
            return Ok(());
        };
        prop_assert!(draft.suits(&shape));
        // All that is not of the shape is another command's.
        let mut next = Command {
            process: crate::ProcessConfig {
                tty: shape.process.tty,
                privileged: shape.process.privileged,
                user: shape.process.user.clone(),
                ..next.process
            },
            id: next.id,
            rootfs: next.rootfs,
            working_dir: "/w".to_owned(),
            ..shape
        };
        for _ in 0..2 {
            prop_assert!(draft.suits(&next));
            let became = draft.become_of(&next).map_err(|error| error.to_string());
            let fresh = Spec::from_command(&next, "native").map_err(|error| error.to_string());
            match fresh {
                Ok(fresh) => {
                    prop_assert_eq!(became, Ok(()));
                    prop_assert_eq!(draft.spec(), &fresh);
                }
                Err(error) => prop_assert_eq!(became, Err(error)),
            }
            draft.forget_words();
            next.id = "web-2".to_owned();
            next.rootfs = "/other".into();
        }
    }

    #[test]
    fn no_mount_hides_another_and_each_place_is_mounted_once(command in accepted()) {
        let spec = Spec::from_command(&command, "native").unwrap();
        let mounts = spec.oci.mounts().as_ref().unwrap();
        for (index, mount) in mounts.iter().enumerate() {
            for later in &mounts[index + 1..] {
                prop_assert!(!mount.destination().starts_with(later.destination()));
            }
        }
        for asked in &command.mounts {
            let path = crate::mount::clean_path(&asked.destination);
            prop_assert!(mounts.iter().any(|mount| mount.destination() == Path::new(&path)));
        }
    }

    #[test]
    fn every_variable_appears_once_with_its_last_value(command in accepted()) {
        let spec = Spec::from_command(&command, "native").unwrap();
        let env = spec.oci.process().as_ref().unwrap().env().clone().unwrap();
        for entry in &env {
            let (name, value) = entry.split_once('=').unwrap();
            prop_assert_eq!(command.process.env_value(name), Some(value));
            let same = |other: &&String| other.starts_with(&format!("{name}="));
            prop_assert_eq!(env.iter().filter(same).count(), 1);
        }
        for entry in &command.process.env {
            let name = entry.split('=').next();
            prop_assert!(env.iter().any(|kept| kept.split('=').next() == name));
        }
    }
}
