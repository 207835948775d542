//! The mounts of a command, over the template's and in order.

use super::*;
use crate::Propagation;

#[test]
fn readonly() {
    for command in [command(), privileged()] {
        let spec = spec(&command.with_linux(|linux| linux.readonly_rootfs = true));
        assert_eq!(spec.oci.root().as_ref().unwrap().readonly(), Some(true));
        let read_only = mounts(&spec)
            .into_iter()
            .filter(|line| line.split([' ', ',']).any(|word| word == "ro"))
            .map(|line| line.split(':').next().unwrap().to_owned());
        let read_only: Vec<_> = read_only.collect();
        assert_eq!(read_only, ["/dev", "/sys", "/sys/fs/cgroup"]);
        assert_eq!(linux(&spec).readonly_paths().as_ref().unwrap().len(), 6);
    }
}

#[test]
fn mount_order() {
    let mut command = command();
    command.mounts = vec![
        Mount::bind("/a", "/tmp/tmp2/foo"),
        Mount::bind("/b", "/tmp/foo"),
        Mount::tmpfs("/tmp", ""),
    ];
    let spec = spec(&command);
    let places = destinations(&spec);
    let place = |path: &str| places.iter().position(|other| other == path).unwrap();
    assert!(place("/tmp") < place("/tmp/foo"));
    assert!(place("/tmp/foo") < place("/tmp/tmp2/foo"));
    assert!(place("/sys") < place("/sys/fs/cgroup"));
}

#[test]
fn tmpfs() {
    let mut command = command();
    command.mounts = vec![Mount::tmpfs("/run", "size=5k,mode=700")];
    let lines = mounts(&spec(&command));
    assert!(lines.contains(&"/run: tmpfs tmpfs nosuid,noexec,nodev,size=5k,mode=700".to_owned()));
    command.mounts = vec![Mount::tmpfs("/run", "foobar")];
    assert!(
        refusal(&command).starts_with("invalid mounts[0].data: invalid tmpfs option \"foobar\"")
    );
    command.mounts = vec![Mount::tmpfs("/mnt", ""), Mount::bind("/a", "//mnt/")];
    assert!(refusal(&command).starts_with("invalid mounts[1].destination"));
    command.mounts = vec![Mount {
        propagation: Propagation::Shared,
        ..Mount::tmpfs("/run", "")
    }];
    assert!(refusal(&command).starts_with("invalid mounts[0].mountpropagation"));
}

#[test]
fn ro_volume() {
    let mut command = command();
    command.mounts = vec![
        Mount::read_only("/data", "/mnt"),
        Mount::bind("/a", "/b/../c"),
    ];
    let lines = mounts(&spec(&command));
    assert!(lines.contains(&"/mnt: bind /data rbind,ro,rro".to_owned()));
    assert!(lines.contains(&"/c: bind /a rbind".to_owned()));
}

#[test]
fn mount_forbidden() {
    let mut command = command();
    for destination in ["/", "/proc", "/proc//sys", "/a/../proc/x", "/..", "mnt", ""] {
        command.mounts = vec![Mount::bind("/a", destination)];
        assert!(
            refusal(&command).starts_with("invalid mounts[0].destination"),
            "{destination}"
        );
    }
    for destination in ["/sys/fs/cgroup", "/process"] {
        command.mounts = vec![Mount::bind("/a", destination)];
        let count = destinations(&spec(&command))
            .iter()
            .filter(|d| *d == destination)
            .count();
        assert_eq!(count, 1);
    }
}

#[test]
fn a_mount_of_the_command_replaces_the_templates_at_its_destination() {
    let mut command = command();
    command.mounts = vec![
        Mount::bind("/shm", "/dev/shm"),
        Mount::bind("/sysfs", "/sys"),
    ];
    let lines = mounts(&spec(&command));
    assert_eq!(lines.len(), 7);
    assert!(lines.contains(&"/dev/shm: bind /shm rbind".to_owned()));
    assert!(lines.contains(&"/sys: bind /sysfs rbind".to_owned()));
}

#[test]
fn a_dev_of_the_callers_own_is_left_as_it_is() {
    for mut command in [command(), privileged()] {
        command.mounts = vec![Mount::bind("/dev", "/dev/"), Mount::bind("/a", "/dev/shm")];
        let spec = spec(&command);
        let dev: Vec<_> = destinations(&spec)
            .into_iter()
            .filter(|destination| destination.starts_with("/dev"))
            .collect();
        assert_eq!(dev, ["/dev", "/dev/shm"]);
        assert!(linux(&spec).devices().as_ref().unwrap().is_empty());
        assert!(!spec.fill_dev && !spec.host_devices);
    }
}

#[test]
fn propagation() {
    let with = |all: &[Propagation]| {
        let mut command = command();
        let mount = |(n, propagation): (usize, &Propagation)| Mount {
            propagation: *propagation,
            ..Mount::bind(format!("/s{n}"), format!("/d{n}"))
        };
        command.mounts = all.iter().enumerate().map(mount).collect();
        spec(&command)
    };
    let private = with(&[Propagation::RPrivate, Propagation::Inherited]);
    assert_eq!(
        linux(&private).rootfs_propagation().as_deref(),
        Some("rprivate")
    );
    assert!(private.demands.is_empty());
    assert!(mounts(&private).contains(&"/d0: bind /s0 rbind".to_owned()));

    let slave = with(&[Propagation::Private, Propagation::RSlave]);
    assert_eq!(
        linux(&slave).rootfs_propagation().as_deref(),
        Some("rslave")
    );
    assert!(mounts(&slave).contains(&"/d0: bind /s0 rbind,private".to_owned()));
    assert_eq!(
        slave.demands,
        [PropagationDemand {
            field: "mounts[1].mountpropagation".into(),
            source: "/s1".into(),
            needs: SourcePropagation::SharedOrSlave,
        }]
    );

    let shared = with(&[Propagation::Slave, Propagation::RShared]);
    assert_eq!(
        linux(&shared).rootfs_propagation().as_deref(),
        Some("rshared")
    );
    assert_eq!(shared.demands[1].needs, SourcePropagation::Shared);
    assert!(mounts(&shared).contains(&"/d1: bind /s1 rbind,rshared".to_owned()));
}

#[test]
fn shared_memory_goes_with_the_ipc_namespace() {
    let shm = |ipc: Option<Ipc>| {
        let spec = spec(&command().with_linux(|linux| linux.ipc = ipc));
        let line = mounts(&spec)
            .into_iter()
            .find(|line| line.starts_with("/dev/shm"));
        (line, spec.shm_of)
    };
    let own = "/dev/shm: tmpfs shm nosuid,noexec,nodev,mode=1777,size=65536k";
    assert_eq!(shm(None), (Some(own.to_owned()), None));
    let host = "/dev/shm: bind /dev/shm rbind,nosuid,noexec,nodev";
    assert_eq!(shm(Some(Ipc::host())), (Some(host.to_owned()), None));
    let joined = Ipc::of_container("db-1");
    assert_eq!(shm(Some(joined.clone())), (None, Some("db-1".to_owned())));

    let mut command = command().with_linux(|linux| linux.ipc = Some(joined));
    command.mounts = vec![Mount::bind("/a", "/dev/shm")];
    assert_eq!(spec(&command).shm_of, None);
}
