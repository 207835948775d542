//! Whatever a command holds is read back as it was written, on either platform.

#[path = "roundtrip/attributes.rs"]
mod attributes;
#[path = "roundtrip/limits.rs"]
mod limits;

use execdriver_core::{
    CgroupNamespace, Command, Device, DeviceKind, Ephemeral, IdMap, Ipc, Isolation, LinuxCommand,
    Mount, MountIdMap, Network, NetworkInterface, Pid, Platform, PortBinding, ProcessConfig,
    Profile, Propagation, RemappedRoot, UserNamespace, Uts, WindowSize, WindowsCommand,
};
use limits::resources;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::path::PathBuf;

/// Text with what JSON and HTML must escape in it.
fn text() -> impl Strategy<Value = String> {
    "[a-z/<>&\"\\\\\u{0}-\u{1f}\u{7f}\u{e9}\u{2028}\u{2029}\u{1f600}]{0,8}"
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

fn path() -> impl Strategy<Value = PathBuf> {
    text().prop_map(PathBuf::from)
}

fn mount(linux: bool) -> impl Strategy<Value = Mount> {
    let propagation = prop_oneof![
        Just(Propagation::Inherited),
        Just(Propagation::RPrivate),
        Just(Propagation::Shared),
        Just(Propagation::RSlave),
    ];
    let idmap = (id_maps(), id_maps()).prop_map(|(uid, gid)| MountIdMap { uid, gid });
    let idmap = option::of(idmap);
    let mount = (path(), text(), any::<bool>(), text(), propagation, idmap);
    mount.prop_map(
        move |(source, destination, writable, data, propagation, idmap)| Mount {
            source,
            destination,
            writable,
            data: if linux { data } else { String::new() },
            propagation: if linux {
                propagation
            } else {
                Propagation::Inherited
            },
            idmap: idmap.filter(|_| linux),
        },
    )
}

fn interface() -> impl Strategy<Value = NetworkInterface> {
    let binding = (text(), text());
    let binding = binding.prop_map(|(host_ip, host_port)| PortBinding { host_ip, host_port });
    (
        text(),
        text(),
        text(),
        btree_map(text(), vec(binding, 0..3), 0..3),
    )
        .prop_map(
            |(mac_address, bridge, ip_address, port_bindings)| NetworkInterface {
                mac_address,
                bridge,
                ip_address,
                port_bindings,
            },
        )
}

fn network(linux: bool) -> BoxedStrategy<Network> {
    if linux {
        (any::<u32>(), text(), path(), any::<bool>())
            .prop_map(
                |(mtu, container_id, namespace_path, host_networking)| Network {
                    mtu,
                    container_id,
                    namespace_path,
                    host_networking,
                    interface: None,
                },
            )
            .boxed()
    } else {
        (text(), option::of(interface()))
            .prop_map(|(container_id, interface)| Network {
                container_id,
                interface,
                ..Network::default()
            })
            .boxed()
    }
}

fn process(linux: bool) -> impl Strategy<Value = ProcessConfig> {
    let size = (any::<u16>(), any::<u16>());
    let size = size.prop_map(|(rows, columns)| WindowSize { rows, columns });
    let config = (
        any::<bool>(),
        text(),
        texts(),
        any::<bool>(),
        text(),
        option::of(size),
        texts(),
    );
    config.prop_map(
        move |(tty, entrypoint, arguments, privileged, user, console_size, env)| ProcessConfig {
            tty,
            entrypoint,
            arguments,
            privileged: linux && privileged,
            user: if linux { user } else { String::new() },
            console_size,
            env,
        },
    )
}

fn device() -> impl Strategy<Value = Device> {
    let kind = prop_oneof![
        Just(DeviceKind::All),
        Just(DeviceKind::Char),
        Just(DeviceKind::Block),
        Just(DeviceKind::Fifo),
    ];
    (kind, text(), any::<(i64, i64)>(), text(), any::<[u32; 3]>()).prop_map(
        |(kind, path, (major, minor), permissions, [file_mode, uid, gid])| Device {
            kind,
            path,
            major,
            minor,
            permissions,
            file_mode,
            uid,
            gid,
        },
    )
}

fn id_maps() -> impl Strategy<Value = Vec<IdMap>> {
    let map = any::<[u32; 3]>();
    let map = map.prop_map(|[container_id, host_id, size]| IdMap {
        container_id,
        host_id,
        size,
    });
    vec(map, 0..3)
}

fn original(linux: LinuxCommand) -> impl Strategy<Value = LinuxCommand> {
    let devices = (vec(device(), 0..2), vec(device(), 0..2));
    let words = (text(), text(), text(), texts(), texts(), texts());
    let root = any::<[u32; 2]>().prop_map(|[uid, gid]| RemappedRoot { uid, gid });
    let flags = (any::<i32>(), any::<bool>(), option::of(root));
    (devices, words, id_maps(), id_maps(), flags).prop_map(
        move |(devices, words, uid_mappings, gid_mappings, flags)| LinuxCommand {
            allowed_devices: devices.0,
            autocreated_devices: devices.1,
            apparmor_profile: words.0,
            cgroup_parent: words.1,
            seccomp_profile: words.2,
            cap_add: words.3,
            cap_drop: words.4,
            group_add: words.5,
            uid_mappings,
            gid_mappings,
            oom_score_adj: flags.0,
            readonly_rootfs: flags.1,
            remapped_root: flags.2,
            ..linux.clone()
        },
    )
}

fn additions() -> impl Strategy<Value = LinuxCommand> {
    let namespace = || option::of((any::<bool>(), text(), path()));
    let spaces = (namespace(), namespace(), namespace(), namespace());
    let bounds = any::<[u64; 2]>();
    let bounds = bounds.prop_map(|[size_bytes, inodes]| Ephemeral { size_bytes, inodes });
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let users = prop::sample::select(vec![
        UserNamespace::Unset,
        UserNamespace::Host,
        UserNamespace::Auto,
        UserNamespace::KeepId,
    ]);
    let users = (users, any::<bool>());
    let rest = (
        option::of(bounds),
        option::of(attributes::landlock()),
        text(),
        text(),
    );
    (
        spaces,
        flags,
        users,
        rest,
        attributes::process(),
        btree_map(text(), text(), 0..3),
    )
        .prop_map(
            |(spaces, flags, users, rest, process, sysctl)| LinuxCommand {
                user_namespace: users.0,
                idmap_rootfs: users.1,
                ipc: spaces.0.map(|(host, container_id, path)| Ipc {
                    container_id,
                    host,
                    path,
                }),
                pid: spaces.1.map(|(host, container_id, path)| Pid {
                    container_id,
                    host,
                    path,
                }),
                uts: spaces.2.map(|(host, container_id, path)| Uts {
                    container_id,
                    host,
                    path,
                }),
                cgroup_namespace: spaces.3.map(|(host, container_id, path)| CgroupNamespace {
                    container_id,
                    host,
                    path,
                }),
                no_new_privileges: flags.0,
                init: flags.1,
                profile: if flags.2 {
                    Profile::Strict
                } else {
                    Profile::Docker
                },
                ephemeral: rest.0,
                landlock: rest.1,
                hostname: rest.2,
                domainname: rest.3,
                attributes: process.0,
                time_offsets: process.1,
                sysctl,
                ..LinuxCommand::default()
            },
        )
}

fn windows() -> impl Strategy<Value = WindowsCommand> {
    let isolation = prop_oneof![
        Just(Isolation::Unset),
        Just(Isolation::Default),
        Just(Isolation::Process),
        Just(Isolation::HyperV),
    ];
    (
        any::<[bool; 3]>(),
        text(),
        path(),
        vec(path(), 0..3),
        isolation,
        texts(),
    )
        .prop_map(
            |(flags, hostname, layer_folder, layer_paths, isolation, endpoints)| WindowsCommand {
                first_start: flags[0],
                args_escaped: flags[1],
                hv_partition: flags[2],
                hostname,
                layer_folder,
                layer_paths,
                isolation,
                endpoints,
            },
        )
}

fn command(linux: bool) -> impl Strategy<Value = Command> {
    let platform = if linux {
        additions()
            .prop_flat_map(original)
            .prop_map(Platform::Linux)
            .boxed()
    } else {
        windows().prop_map(Platform::Windows).boxed()
    };
    let words = (text(), text(), text(), text(), text());
    let paths = (path(), path(), any::<i32>());
    let parts = (
        vec(mount(linux), 0..3),
        option::of(network(linux)),
        process(linux),
    );
    let limits = option::of(resources(linux));
    (platform, words, paths, parts, limits).prop_map(
        |(platform, words, paths, (mounts, network, process), resources)| Command {
            id: words.0,
            init_path: words.1,
            mount_label: words.2,
            process_label: words.3,
            working_dir: words.4,
            rootfs: paths.0,
            tmp_dir: paths.1,
            container_pid: paths.2,
            mounts,
            network,
            process,
            resources,
            platform,
        },
    )
}

fn check(command: &Command) -> Result<(), TestCaseError> {
    let json = command
        .to_json()
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let escaped = !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
    prop_assert!(escaped);
    let back = Command::from_json(&json).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&back, command);
    prop_assert_eq!(back.to_json().ok(), Some(json));
    Ok(())
}

proptest! {
    #[test]
    fn linux_commands_are_read_back_as_written(command in command(true)) {
        check(&command)?;
    }

    #[test]
    fn windows_commands_are_read_back_as_written(command in command(false)) {
        check(&command)?;
    }

    #[test]
    fn no_text_makes_the_reader_panic(bytes in vec(any::<u8>(), 0..64)) {
        let _ = Command::from_json(bytes);
    }

    #[test]
    fn no_command_makes_the_judge_panic(command in command(true)) {
        let _ = command.validate();
    }
}
