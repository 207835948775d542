//! Volumes and root file systems whose owners are seen through a user namespace: mount_setattr(2), `MOUNT_ATTR_IDMAP`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::{Command, Ephemeral, Error, IdMap, Mount, MountIdMap};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use support::{Need, Rootfs, among, is_root, skip_unless};

const OUTSIDE: u32 = 100_000;

/// A container whose root is the host's user 100000, on a rootfs that belongs to the host's root.
fn remapped(command: Command) -> Command {
    let map = vec![range(0, OUTSIDE, 65_536)];
    command.with_linux(|linux| {
        linux.uid_mappings = map.clone();
        linux.gid_mappings = map;
    })
}

fn on_roots_files(command: Command) -> Command {
    remapped(command).with_linux(|linux| linux.idmap_rootfs = true)
}

fn range(container_id: u32, host_id: u32, size: u32) -> IdMap {
    IdMap {
        container_id,
        host_id,
        size,
    }
}

fn owner(path: impl AsRef<Path>) -> (u32, u32) {
    let data = fs::symlink_metadata(path).unwrap();
    (data.uid(), data.gid())
}

/// Mapping owners needs root, a kernel that can, and a file system that lets it: not a tmpfs before Linux 6.3.
fn cannot_map() -> bool {
    skip_unless(&[Need::Root, Need::Kernel(5, 12), Need::MappedOwners])
}

#[test]
fn a_rootfs_of_roots_is_the_containers_own_when_its_owners_are_mapped() {
    let _among = among();
    if cannot_map() {
        return;
    }
    let bench = Bench::new();
    fs::set_permissions(
        bench.rootfs.inside("etc/passwd"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let words = [
        "seq",
        "id",
        ",",
        "stat",
        "/etc/passwd",
        ",",
        "touch",
        "/root/mine",
        ",",
        "read",
        "/proc/self/uid_map",
    ];
    let said = bench.output(&on_roots_files(bench.command(&words)));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("uid=0 0 0 gid=0 0 0"), "{said}");
    assert!(
        lines[1].contains(" 0 0") || lines[1].contains("0:0"),
        "{said}"
    );
    assert_eq!(lines[2], "ok", "{said}");
    assert_eq!(owner(bench.rootfs.inside("root/mine")), (0, 0));
    // Without the map the container's root is nobody there.
    let outcome = bench.try_run(&remapped(bench.command(&["touch", "/root/other"])));
    if let Ok(outcome) = outcome {
        assert_ne!(outcome.status.code, 0, "{outcome:?}");
    }
    assert!(!bench.rootfs.inside("root/other").exists());
}

#[test]
fn a_rootfs_with_mapped_owners_may_be_read_only_or_have_an_ephemeral_layer() {
    let _among = among();
    if cannot_map() {
        return;
    }
    let bench = Bench::new();
    let touch = || on_roots_files(bench.command(&["touch", "/root/mine"]));
    let readonly = touch().with_linux(|linux| linux.readonly_rootfs = true);
    assert_eq!(bench.run(&readonly).out, "EROFS\n");
    let ephemeral = touch().with_linux(|linux| linux.ephemeral = Some(Ephemeral::default()));
    assert_eq!(bench.run(&ephemeral).out, "ok\n");
    assert!(!bench.rootfs.inside("root/mine").exists());
}

#[test]
fn a_volume_with_mapped_owners_keeps_who_made_a_file() {
    let _among = among();
    if cannot_map() {
        return;
    }
    let bench = Bench::on({
        let rootfs = Rootfs::new();
        rootfs.give_to(OUTSIDE, OUTSIDE);
        rootfs
    });
    let data = bench.rootfs.outside();
    let plain = data.join("plain");
    fs::create_dir(&plain).unwrap();
    chown(&plain, Some(1000), Some(1000)).unwrap();
    let mut command = remapped(bench.command(&[
        "seq",
        "touch",
        "/data/roots",
        ",",
        "touch",
        "/data/plain/users",
        ",",
        "chown",
        "7",
        "8",
        "/data/roots",
    ]));
    command.mounts = vec![Mount::bind(&data, "/data").id_mapped()];
    assert_eq!(bench.output(&command), "ok\nok\nok\n");
    assert_eq!(owner(data.join("roots")), (7, 8));
    assert_eq!(owner(plain.join("users")), (0, 0));
    let mut command = remapped(bench.command(&["touch", "/data/plain/again"]));
    command.process.user = "1000:1000".to_owned();
    command.mounts = vec![Mount::bind(&data, "/data").id_mapped()];
    assert_eq!(bench.output(&command), "ok\n");
    assert_eq!(owner(plain.join("again")), (1000, 1000));
    // A read-only one is read-only, and one without the map belongs to nobody inside.
    let mut command = remapped(bench.command(&["touch", "/data/no"]));
    command.mounts = vec![Mount::read_only(&data, "/data").id_mapped()];
    assert_eq!(bench.run(&command).out, "EROFS\n");
    command.mounts = vec![Mount::bind(&data, "/data")];
    assert_eq!(bench.run(&command).out, "EACCES\n");
}

#[test]
fn a_volume_may_have_a_map_of_its_own_with_or_without_a_user_namespace() {
    let _among = among();
    if cannot_map() {
        return;
    }
    let bench = Bench::new();
    let data = bench.rootfs.outside();
    chown(&data, Some(1000), Some(1000)).unwrap();
    let map = MountIdMap {
        uid: vec![range(1000, 5000, 10)],
        gid: vec![range(1000, 6000, 10)],
    };
    let mut command = bench.command(&["touch", "/data/mine"]);
    command.process.user = "5000:6000".to_owned();
    command.mounts = vec![Mount {
        idmap: Some(map),
        ..Mount::bind(&data, "/data")
    }];
    assert_eq!(bench.output(&command), "ok\n");
    assert_eq!(owner(data.join("mine")), (1000, 1000));
    // Whom the map does not know cannot own a file there.
    command.process.arguments = vec!["/data/other".to_owned()];
    command.process.user = String::new();
    assert_eq!(bench.run(&command).out, "EOVERFLOW\n");
}

#[test]
fn a_file_may_be_a_volume_with_mapped_owners() {
    let _among = among();
    if cannot_map() {
        return;
    }
    let bench = Bench::new();
    let file = bench.rootfs.outside().join("file");
    fs::write(&file, "before").unwrap();
    let mut command = on_roots_files(bench.command(&["write", "/etc/file", "after"]));
    command.mounts = vec![Mount::bind(&file, "/etc/file").id_mapped()];
    assert_eq!(bench.output(&command), "ok\n");
    assert_eq!(owner(&file), (0, 0));
    assert!(fs::read_to_string(&file).unwrap().starts_with("after"));
}

#[test]
fn a_file_system_that_cannot_map_owners_is_named_and_nothing_is_left() {
    let _among = among();
    if cannot_map() {
        return;
    }
    let bench = Bench::new();
    let mut command = on_roots_files(bench.command(&["true"]));
    command.mounts = vec![Mount::bind("/proc/sys/kernel", "/data").id_mapped()];
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    for word in [
        "mounts[\"/data\"]",
        "the proc file system of /proc/sys/kernel",
        "chown -R 100000:100000",
    ] {
        assert!(text.contains(word), "{text}");
    }
    assert!(bench.driver.list().unwrap().is_empty());
}

#[test]
fn owners_are_not_mapped_without_anybody_to_map_them_to() {
    let _among = among();
    let bench = Bench::new();
    let mut command = bench.command(&["true"]);
    command.mounts = vec![Mount::bind(bench.rootfs.outside(), "/data").id_mapped()];
    let (error, text) = refused(bench.try_run(&command));
    if is_root() {
        assert!(text.contains("a new user namespace"), "{text}");
        return;
    }
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(text.contains("only root may map"), "{text}");
    assert!(text.contains("chown -R"), "{text}");
}
