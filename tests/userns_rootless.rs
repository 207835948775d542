//! What a container without real root must still have, and what it must not reach: streams, cgroups, flags of mounts.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod contract;
mod support;

use contract::{Bench, process, remapped};
use execdriver::{CgroupNamespace, Command, ExecRequest, Mount, Network, Pipes, UserNamespace};
use support::{Need, among, rerun_as_user, skip_unless};

/// Whatever the container's program may try to write below /sys/fs/cgroup.
fn writes() -> [&'static str; 14] {
    [
        "seq",
        "mkdir",
        "/sys/fs/cgroup/x",
        ",",
        "mkdir",
        "/sys/fs/cgroup/pids/x",
        ",",
        "write",
        "/sys/fs/cgroup/cgroup.procs",
        "0",
        ",",
        "mkdir",
        "/sys/fs/cgroup/unified/x",
        ",",
    ]
}

/// With real root's cgroup namespace, or sysfs of the host's network, the host's cgroup files were writable for who owned
/// them on the host.
#[test]
fn cve_2023_25809_cgroups_are_read_only_in_the_hosts_cgroup_namespace() {
    let _among = among();
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let (bench, change) = remapped();
    let host = |command: Command| {
        command.with_linux(|linux| linux.cgroup_namespace = Some(CgroupNamespace::host()))
    };
    let mut shared = change(host(bench.command(&writes()[..13])));
    let mut networked = change(bench.command(&writes()[..13]));
    networked.network = Some(Network::host());
    let mut both = shared.clone();
    both.network = Some(Network::host());
    for command in [&mut shared, &mut networked, &mut both] {
        let said = bench.run(command).out;
        assert!(!said.contains("ok"), "{said}");
        assert!(said.contains("EROFS"), "{said}");
    }
    // Nor may its root make them writable.
    let remount = change(host(bench.command(&[
        "mount",
        "none",
        "/sys/fs/cgroup",
        "none",
        "bind,remount",
    ])));
    let said = bench.run(&remount).out;
    assert!(!said.contains("ok"), "{said}");
}

#[test]
fn cve_2023_25809_cgroups_are_read_only_in_a_cgroup_namespace_of_its_own() {
    let _among = among();
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let (bench, change) = remapped();
    let said = bench.run(&change(bench.command(&writes()[..13]))).out;
    assert!(!said.contains("ok"), "{said}");
}

/// A user that is not the container's root could not open /dev/stderr, though it was its own pipe.
#[test]
fn runc_4475_a_user_in_a_user_namespace_opens_its_own_streams() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let (bench, change) = remapped();
    for tty in [false, true] {
        let mut command = change(bench.command(&[
            "seq",
            "open",
            "/dev/stderr",
            "w",
            ",",
            "open",
            "/dev/stdout",
            "w",
            ",",
            "open",
            "/dev/stdin",
        ]));
        command.process.user = "1000:1000".to_owned();
        command.process.tty = tty;
        let said = bench.output(&command);
        assert_eq!(said.matches("ok").count(), 3, "{tty}: {said}");
    }
    let sleeper = change(bench.command(&["pause"]));
    bench.while_running(&sleeper, |_| {
        let words = [
            "seq",
            "open",
            "/dev/stderr",
            "w",
            ",",
            "open",
            "/dev/stdout",
            "w",
        ];
        let mut request = ExecRequest::new(process(&words));
        request.process.user = "1000:1000".to_owned();
        let said = bench
            .try_exec_with(&sleeper.id, &request, Pipes::null())
            .unwrap();
        assert_eq!(said.out, "ok\nok\n");
    });
}

#[test]
fn runc_4475_a_user_of_an_ordinary_users_range_opens_its_own_streams() {
    let _among = among();
    const NAME: &str = "runc_4475_a_user_of_an_ordinary_users_range_opens_its_own_streams";
    let ranges = "echo 'kim:300000:65536' > $DIR/ids; touch /etc/subuid /etc/subgid
        mount --bind $DIR/ids /etc/subuid; mount --bind $DIR/ids /etc/subgid";
    if skip_unless(&[Need::Program("newuidmap")]) || rerun_as_user(NAME, ranges) {
        return;
    }
    let bench = Bench::new();
    for tty in [false, true] {
        let mut command = bench.command(&[
            "seq",
            "open",
            "/dev/stderr",
            "w",
            ",",
            "open",
            "/dev/stdout",
            "w",
        ]);
        command.process.user = "1000:1000".to_owned();
        command.process.tty = tty;
        let said = bench.output(&command);
        assert_eq!(said.matches("ok").count(), 2, "{tty}: {said}");
    }
}

/// The flags of the host's mounts stay: the kernel locks them in a new user namespace, and we ask for no less.
#[test]
fn a_volume_keeps_the_flags_of_the_mount_that_it_is_on() {
    let _among = among();
    const NAME: &str = "a_volume_keeps_the_flags_of_the_mount_that_it_is_on";
    let script = "mkdir $DIR/data; mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 data $DIR/data
        cp /bin/busybox $DIR/data/busybox";
    if skip_unless(&[Need::Busybox]) || rerun_as_user(NAME, script) {
        return;
    }
    let bench = Bench::new();
    let data = std::env::var("DIR").unwrap() + "/data";
    let with = |words: &[&str]| {
        let mut command = bench.command(words);
        command.mounts = vec![Mount::bind(&data, "/data")];
        command
    };
    let said = bench.output(&with(&["mounts"]));
    let line = said.lines().find(|line| line.contains(" /data ")).unwrap();
    for flag in ["nosuid", "nodev", "noexec"] {
        assert!(line.contains(flag), "{line}");
    }
    let denied = bench.try_run(&with(&["/data/busybox", "true"]));
    assert!(denied.is_err(), "{denied:?}");
    let mut remount = with(&["mount", "none", "/data", "none", "bind,remount"]);
    remount.process.privileged = true;
    assert_eq!(bench.run(&remount).out, "EPERM\n");
}

/// Its root may set what belongs to its own network, by the ids that it has.
#[test]
fn a_rootless_container_sets_the_parameters_of_its_own_namespaces() {
    let _among = among();
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let (bench, change) = remapped();
    let command = change(bench.command(&["read", "/proc/sys/net/ipv4/ping_group_range"]));
    let command = command.with_linux(|linux| {
        let range = ("net.ipv4.ping_group_range".to_owned(), "0 0".to_owned());
        linux.sysctl = [range].into();
    });
    let said = bench.output(&command);
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["0", "0"]);
    assert_eq!(
        command.as_linux().unwrap().user_namespace,
        UserNamespace::Unset
    );
}
