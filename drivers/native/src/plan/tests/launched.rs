//! Plans that are really launched, as root and as an ordinary user.

mod apart;
mod documents;

use super::*;
use crate::facts::HostFacts;
use crate::launch::{End, Launch, Limits, Started, launch};
use crate::support::{Need, Rootfs, rounds, skip_unless, unique_id};
use execdriver_core::{
    CgroupNamespace, Command, Ephemeral, IdMap, Ipc, LinuxCommand, Mount, Network, Pid, Rlimit,
    Uts, WindowSize,
};
use std::fs::File;
use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// This machine, for containers without a cgroup.
fn this_host() -> Host<'static> {
    let facts = HostFacts::read();
    Host {
        uid: facts.euid,
        gid: facts.egid,
        capabilities: facts.capabilities.permitted & facts.capabilities.bounding,
        last_capability: u32::from(facts.capabilities.last),
        outer: facts.user_namespaces.outer.clone(),
        sub_ids: None,
        oom_score_adj: 0,
        kcore: facts.kcore,
        root_is_initramfs: facts.root_is_initramfs,
        landlock_abi: facts.security.landlock_abi,
        core_scheduling: facts.security.core_scheduling.clone(),
        time_namespaces: facts.has_namespace("time"),
        apparmor: AppArmor::Absent,
        selinux: false,
        cgroup: HostCgroup {
            v1: facts
                .cgroups
                .list
                .iter()
                .filter(|one| !one.controllers.is_empty())
                .map(|one| Hierarchy {
                    controllers: one.controllers.text().to_owned().into(),
                    mount_point: one.mount.clone().into(),
                })
                .collect(),
            v2: facts.cgroups.unified().map(|one| one.mount.clone().into()),
            own: OwnCgroup::None {
                reason: "this test makes none".to_owned(),
            },
        },
    }
}

/// Runs the command: what it wrote, or the error of plan or launch as text.
fn output(command: &Command) -> String {
    match begin(command, &RunInput::default()) {
        Ok((started, reader)) => {
            let mut text = std::io::read_to_string(reader).unwrap();
            started.process.wait_until(None).unwrap();
            let end = started.process.reap().unwrap().end;
            if end != End::Exited(0) {
                text = format!("{text}[{end:?}]");
            }
            text
        }
        Err(error) => error,
    }
}

fn begin(command: &Command, input: &RunInput) -> Result<(Started, PipeReader), String> {
    let spec = Spec::from_command(command, "native").map_err(|error| error.to_string())?;
    let host = this_host();
    let sources = Sources::resolve(&spec, &host);
    let plan = Plan::build(&spec, &host, &sources, input).map_err(|error| error.to_string())?;
    let (reader, writer) = std::io::pipe().unwrap();
    let fd = |slot: &FdSlot| match slot {
        FdSlot::Stdin => File::open("/dev/null").unwrap().into(),
        FdSlot::Status | FdSlot::Stdout | FdSlot::Stderr => writer.try_clone().unwrap().into(),
        other => panic!("no descriptor for {other:?}"),
    };
    let fds: Vec<OwnedFd> = plan.fds.iter().map(fd).collect();
    drop(writer);
    let borrowed: Vec<BorrowedFd> = fds.iter().map(AsFd::as_fd).collect();
    let message = plan.message().unwrap();
    let started = launch(Launch {
        early: None,
        namespaces: plan.clone_flags,
        cgroup: None,
        message: &message,
        fds: &borrowed,
        describe: &|index| plan.describe(index),
        id_maps: plan.id_maps.as_ref(),
        place: None,
        oom_score_adj: None,
        pre_start: None,
        mounted: None,
        listener: None,
        hold: false,
        go_ahead: plan.go_ahead,
        init_stays: plan.init,
        entered: None,
        known: None,
        release_killed: None,
        limits: Limits::default(),
    });
    let started = started.map_err(|error| format!("{error:?}"));
    started.map(|started| (started, reader))
}

fn shell(rootfs: &Path, script: &str) -> Command {
    Command::linux(unique_id("plan"), rootfs, "/bin/busybox")
        .args(["sh", "-c", script])
        .env("PATH", "/bin")
}

/// A rootfs with a shell, in which the mapped root of an ordinary user can work.
fn rootfs() -> Rootfs {
    let rootfs = Rootfs::bare().with_busybox();
    rootfs.write(
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/sbin:/bin/sh\n",
    );
    rootfs.write("etc/group", "root:x:0:\naudio:x:29:\n");
    rootfs
}

const MAP: IdMap = IdMap {
    container_id: 0,
    host_id: 100_000,
    size: 65536,
};

/// The same for a mapped root, as far as the caller may give it away.
fn rootfs_of(uid: u32) -> Rootfs {
    let rootfs = rootfs();
    if this_host().is_root() {
        rootfs.give_to(uid, uid);
    }
    rootfs
}

fn skips() -> bool {
    skip_unless(&[Need::Busybox, Need::UserNamespaces])
}

fn linux(command: &mut Command) -> &mut LinuxCommand {
    command.as_linux_mut().unwrap()
}

#[test]
fn a_default_container_starts_with_everything_in_its_place() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let script = "id -u; hostname; cat /proc/1/comm; ls /sys/class/net; stat -c %t:%T /dev/null; \
                  echo lost > /dev/null; readlink /dev/ptmx; ls -d /dev/shm /dev/mqueue; \
                  touch /proc/sys/kernel/domainname 2>&1; ls /sys/firmware; echo $$";
    let command = shell(&rootfs.path(), script);
    let id = command.id.clone();
    assert_eq!(
        output(&command),
        format!(
            "0\n{id}\nbusybox\nlo\n1:3\npts/ptmx\n/dev/mqueue\n/dev/shm\n\
             touch: /proc/sys/kernel/domainname: Read-only file system\n1\n"
        )
    );
}

#[test]
fn the_hosts_own_root_is_seen_read_only_with_nothing_made_on_it() {
    if skips() {
        return;
    }
    let outside = Rootfs::bare();
    let volume = outside.outside();
    let script = format!(
        "touch /x 2>&1; touch /etc/x 2>&1; touch /dev/x 2>&1; touch /tmp/x && ls /tmp; touch {}/x",
        volume.display()
    );
    let mut command = shell(Path::new("/"), &script);
    linux(&mut command).readonly_rootfs = true;
    command.mounts = vec![Mount::tmpfs("/tmp", "")];
    let text = output(&command);
    let refused = |path: &str| format!("touch: {path}: Read-only file system\n");
    let expected = format!(
        "{}{}{}x\ntouch: {}/x: No such file or directory\n[Exited(1)]",
        refused("/x"),
        refused("/etc/x"),
        refused("/dev/x"),
        volume.display()
    );
    assert_eq!(text, expected);
    // The caller's directory, kept below the tmpfs that covers its parent.
    command
        .mounts
        .push(Mount::bind(&volume, volume.to_str().unwrap()));
    assert!(!output(&command).contains("No such file"));
    assert!(volume.join("x").exists());
}

#[test]
fn readonly() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let volume = rootfs.outside();
    let script = "touch /file 2>&1; touch /dev/.x 2>&1; touch /sys/kernel/x 2>&1; \
                  touch /mnt/deep/x && touch /dev/shm/x && echo written";
    let mut command = shell(&rootfs.path(), script);
    linux(&mut command).readonly_rootfs = true;
    command.mounts = vec![Mount::bind(&volume, "/mnt/deep")];
    assert_eq!(
        output(&command),
        "touch: /file: Read-only file system\ntouch: /dev/.x: Read-only file system\n\
         touch: /sys/kernel/x: Read-only file system\nwritten\n"
    );
    assert!(volume.join("x").exists());
}

#[test]
fn volumes_and_tmpfs_come_with_their_options() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let volume = rootfs.outside();
    std::fs::write(volume.join("f"), "data").unwrap();
    let script = "cat /ro/f /file; echo; touch /ro/x 2>&1; touch /run/x; stat -c %a /run /srv; \
                  grep -E ' /(run|srv) ' /proc/mounts | cut -d, -f1-4";
    let mut command = shell(&rootfs.path(), script);
    command.mounts = vec![
        Mount::read_only(&volume, "/ro"),
        Mount::read_only(volume.join("f"), "/file"),
        Mount::tmpfs("/run", "size=64k,mode=700"),
        Mount::tmpfs("/srv", ""),
    ];
    assert_eq!(
        output(&command),
        "datadata\ntouch: /ro/x: Read-only file system\n700\n755\n\
         tmpfs /run tmpfs rw,nosuid,nodev,noexec\ntmpfs /srv tmpfs rw,nosuid,nodev,noexec\n"
    );
}

#[test]
fn namespaces_of_the_host_are_kept_when_asked_for() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let kinds = ["net", "ipc", "pid", "uts", "cgroup", "mnt"];
    let script = "for n in net ipc pid uts cgroup mnt; do readlink /proc/self/ns/$n; done; cat /proc/1/stat /sys/kernel/uevent_seqnum >/dev/null";
    let hosts: Vec<String> = kinds
        .iter()
        .map(|kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap())
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let own = output(&shell(&rootfs.path(), script));
    for host in &hosts {
        assert!(!own.contains(host.as_str()), "{own}");
    }
    for (index, kind) in kinds.iter().enumerate().take(5) {
        let mut command = shell(&rootfs.path(), script);
        match *kind {
            "net" => command.network = Some(Network::host()),
            "ipc" => linux(&mut command).ipc = Some(Ipc::host()),
            "pid" => linux(&mut command).pid = Some(Pid::host()),
            "uts" => linux(&mut command).uts = Some(Uts::host()),
            _ => linux(&mut command).cgroup_namespace = Some(CgroupNamespace::host()),
        }
        let text = output(&command);
        let links: Vec<&str> = text.lines().collect();
        assert_eq!(links.len(), 6, "{kind}: {text}");
        for (other, link) in links.iter().enumerate() {
            assert_eq!(*link == hosts[other], other == index, "{kind}: {text}");
        }
    }
}

#[test]
fn an_ephemeral_root_takes_writes_and_forgets_them() {
    if skips() || skip_unless(&[Need::Overlay]) {
        return;
    }
    let rootfs = rootfs();
    let script = "echo gone > /etc/new && rm /etc/group && cat /etc/new && \
                  dd if=/dev/zero of=/big bs=64k count=64 2>/dev/null; stat -c %s /big";
    let mut command = shell(&rootfs.path(), script);
    linux(&mut command).ephemeral = Some(Ephemeral {
        size_bytes: 1 << 20,
        inodes: 100,
    });
    let text = output(&command);
    assert!(text.starts_with("gone\n"), "{text}");
    let size: u64 = text.lines().nth(1).unwrap().parse().unwrap();
    assert!(size < 1 << 20, "{text}");
    assert!(rootfs.inside("etc/group").exists() && !rootfs.inside("etc/new").exists());
}

#[test]
fn privileged_containers_see_the_hosts_devices() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let mut command = shell(
        &rootfs.path(),
        "ls /dev/tty0 /dev/zero; mount -t tmpfs none /tmp && echo mounted; \
                                             ls /proc/sys >/dev/null",
    );
    command.process.privileged = true;
    assert_eq!(output(&command), "/dev/tty0\n/dev/zero\nmounted\n");
}

#[test]
fn users_limits_and_the_directory_are_as_asked() {
    if skip_unless(&[Need::Root, Need::Busybox]) {
        return;
    }
    let rootfs = rootfs();
    let script =
        "id; echo $HOME; pwd; ulimit -n; grep -E 'CapEff|CapInh|NoNewPrivs' /proc/self/status";
    let mut command = shell(&rootfs.path(), script);
    command.process.user = "daemon".to_owned();
    command.working_dir = "/etc".to_owned();
    linux(&mut command).group_add = vec!["audio".to_owned(), "777".to_owned()];
    linux(&mut command).no_new_privileges = true;
    let resources = command.resources.get_or_insert_default();
    let limits = resources.linux.get_or_insert_default();
    limits.rlimits = vec![Rlimit {
        kind: 7,
        soft: 42,
        hard: 42,
    }];
    let none = "0000000000000000";
    assert_eq!(
        output(&command),
        format!(
            "uid=1(daemon) gid=1 groups=1,29(audio),777\n/sbin\n/etc\n42\n\
             CapInh:\t{none}\nCapEff:\t{none}\nNoNewPrivs:\t1\n"
        )
    );
}

#[test]
fn a_remapped_root_is_nobody_outside() {
    if skip_unless(&[Need::Root, Need::Busybox]) {
        return;
    }
    let rootfs = rootfs_of(MAP.host_id);
    let script =
        "id -u; cat /proc/self/uid_map | tr -s ' '; touch /made; echo x > /dev/null; ls /dev/pts";
    let mut command = shell(&rootfs.path(), script);
    linux(&mut command).uid_mappings = vec![MAP];
    linux(&mut command).gid_mappings = vec![MAP];
    assert_eq!(output(&command), "0\n 0 100000 65536\nptmx\n");
    let made = std::fs::metadata(rootfs.inside("made")).unwrap();
    assert_eq!(made.uid(), 100_000);
}

/// What the container's terminal shows.
fn on_terminal(command: &mut Command) -> String {
    command.process.tty = true;
    let (started, _) = begin(command, &RunInput::default()).unwrap();
    let mut master = File::from(started.terminal.unwrap());
    let mut text = Vec::new();
    // EIO at its end: that is how a master says that no slave is open any more.
    let _ = master.read_to_end(&mut text);
    started.process.wait_until(None).unwrap();
    started.process.reap().unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_terminal_in_the_callers_dev_is_the_containers_own_too() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let mut command = shell(&rootfs.path(), "tty; ls /dev/pts");
    command.mounts = vec![Mount::bind("/dev", "/dev")];
    assert_eq!(on_terminal(&mut command), "/dev/pts/0\r\n0     ptmx\r\n");
}

#[test]
fn a_terminal_is_the_containers_console() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let mut command = shell(&rootfs.path(), "tty; stty size; exit 0");
    command.process.console_size = Some(WindowSize {
        rows: 33,
        columns: 77,
    });
    assert_eq!(on_terminal(&mut command), "/dev/console\r\n33 77\r\n");
}
