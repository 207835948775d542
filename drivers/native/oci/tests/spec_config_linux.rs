//! Namespaces and what is set in them, of config-linux.md, a test a section.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod spec;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use spec::Bundle;
use std::process::{Child, Command, Stdio};
use support::{Need, eventually, skip_unless};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];
/// What an ordinary user may not do, or cannot be asked on their behalf.
const ROOT_NEEDS: &[Need] = &[Need::Root, Need::Busybox];

/// A process that sleeps in namespaces of its own, for others to join them.
struct Holder(Child);

impl Holder {
    fn new(options: &[&str]) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(options)
            .args(["sh", "-c", "echo ready; exec sleep 1000"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Self(child)
    }

    fn namespace(&self, name: &str) -> String {
        format!("/proc/{}/ns/{name}", self.0.id())
    }

    /// The number that the link of the namespace says.
    fn identity(&self, name: &str) -> String {
        std::fs::read_link(self.namespace(name))
            .unwrap()
            .display()
            .to_string()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn config_linux_default_filesystems_can_be_had() {
    if skip_unless(NEEDS) {
        return;
    }
    let shm = json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777"]});
    let said = Bundle::shell("awk '{print $2, $3}' /proc/mounts")
        .mount(shm)
        .says();
    for mount in [
        "/proc proc",
        "/sys sysfs",
        "/dev/pts devpts",
        "/dev/shm tmpfs",
    ] {
        assert!(said.lines().any(|line| line == mount), "{mount}: {said}");
    }
}

#[test]
fn config_linux_namespaces_are_new_or_the_runtimes_own() {
    if skip_unless(NEEDS) {
        return;
    }
    let names = [
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("network", "net"),
        ("cgroup", "cgroup"),
        ("pid", "pid"),
        ("time", "time"),
    ];
    for (kind, name) in names {
        let script = format!("readlink /proc/self/ns/{name}");
        let own = std::fs::read_link(format!("/proc/self/ns/{name}"))
            .unwrap()
            .display()
            .to_string();
        let new = Bundle::shell(&script)
            .namespace(kind, Some(json!({"type": kind})))
            .says();
        assert_ne!(new.trim_end(), own, "{kind}");
        let inherited = Bundle::shell(&script).namespace(kind, None);
        assert_eq!(inherited.says().trim_end(), own, "{kind}");
    }
}

#[test]
fn config_linux_namespaces_path_is_joined() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let holder = Holder::new(&["--net", "--ipc", "--uts", "--cgroup"]);
    for (kind, name) in [
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("cgroup", "cgroup"),
    ] {
        let joined = json!({"type": kind, "path": holder.namespace(name)});
        let script = format!("readlink /proc/self/ns/{name}");
        let said = Bundle::shell(&script).namespace(kind, Some(joined)).says();
        assert_eq!(said.trim_end(), holder.identity(name));
    }
    let holder = Holder::new(&["--pid", "--fork", "--kill-child", "--time"]);
    let children = format!("/proc/{0}/task/{0}/children", holder.0.id());
    let child = std::fs::read_to_string(children).unwrap();
    for (kind, name) in [("pid", "pid"), ("time", "time")] {
        let path = format!("/proc/{}/ns/{name}", child.trim());
        let expected = std::fs::read_link(&path).unwrap().display().to_string();
        let joined = json!({"type": kind, "path": path});
        let script = format!("readlink /proc/self/ns/{name}");
        let said = Bundle::shell(&script).namespace(kind, Some(joined)).says();
        assert_eq!(said.trim_end(), expected, "{kind}");
    }
}

#[test]
fn config_linux_namespaces_path_of_another_type_or_nowhere_is_an_error() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    for (path, expected) in [
        (
            "/proc/self/ns/ipc".to_owned(),
            "join the network namespace at /proc/self/ns/ipc",
        ),
        ("/nowhere".to_owned(), "linux.namespaces"),
        (
            "/etc/passwd".to_owned(),
            "type network: /etc/passwd is not a namespace",
        ),
        ("relative".to_owned(), "linux.namespaces[4].path"),
    ] {
        let joined = json!({"type": "network", "path": path});
        let error = Bundle::shell("true")
            .namespace("network", Some(joined))
            .refused();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn config_linux_namespaces_that_are_listed_twice_are_an_error() {
    if skip_unless(NEEDS) {
        return;
    }
    let mut bundle = Bundle::shell("true");
    bundle.json["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "pid"}));
    let error = bundle.refused();
    assert!(
        error.contains("linux.namespaces: the pid namespace is listed twice"),
        "{error}"
    );
}

const MAP: u32 = 200_000;

/// A bundle in a new user namespace.
fn mapped(script: &str) -> Bundle {
    let map = json!([{"containerID": 0, "hostID": MAP, "size": 65536}]);
    let bundle = Bundle::shell(script)
        .namespace("user", Some(json!({"type": "user"})))
        .with("/linux/uidMappings", map.clone())
        .with("/linux/gidMappings", map);
    bundle.rootfs.give_to(MAP, MAP);
    bundle
}

#[test]
fn config_linux_user_namespace_mappings_are_written() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let said =
        mapped("cat /proc/self/uid_map; id -u; ls /dev; echo x > /dev/null && echo usable").says();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[..4], ["0", "200000", "65536", "0"], "{said}");
    assert!(
        words.contains(&"urandom") && words.contains(&"usable"),
        "{said}"
    );
    let error = Bundle::shell("true")
        .namespace("user", Some(json!({"type": "user"})))
        .refused();
    assert!(error.contains("linux.uidMappings"), "{error}");
}

#[test]
fn config_linux_user_namespace_new_with_others_joined_and_joined_itself() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let holder = Holder::new(&["--net"]);
    let joined = json!({"type": "network", "path": holder.namespace("net")});
    let said = mapped("readlink /proc/self/ns/net; id -u; cat /proc/self/uid_map; echo $$")
        .namespace("network", Some(joined))
        .says();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines[..2], [holder.identity("net").as_str(), "0"], "{said}");
    assert!(lines[2].contains("200000") && lines[3] == "1", "{said}");
    // As in a pod: another container's user and network namespaces.
    let first = mapped("sleep 100");
    first.create();
    let pid = first.state().unwrap()["pid"].clone();
    let path = |name: &str| format!("/proc/{pid}/ns/{name}");
    let second = Bundle::shell("id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/net")
        .namespace("user", Some(json!({"type": "user", "path": path("user")})))
        .namespace(
            "network",
            Some(json!({"type": "network", "path": path("net")})),
        );
    second.rootfs.give_to(MAP, MAP);
    let link = |name: &str| {
        std::fs::read_link(path(name))
            .unwrap()
            .display()
            .to_string()
    };
    assert_eq!(
        second.says(),
        format!("0\n{}\n{}\n", link("user"), link("net"))
    );
}

#[test]
fn config_linux_namespaces_of_processes_by_path_hold_a_container_that_lives_and_that_hooks_find() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let first = Bundle::shell("sleep 100");
    first.create();
    let pid = first.state().unwrap()["pid"].clone();
    let path = format!("/proc/{pid}/ns/pid");
    let second = Bundle::shell("echo $$ >/out/pid; sleep 100")
        .mount(json!({"destination": "/out", "source": "outside", "options": ["bind"]}))
        .namespace("pid", Some(json!({"type": "pid", "path": path})));
    let told = second.outside.join("told");
    let script = format!("cat >{}", told.display());
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    let second = second.with("/hooks", json!({"createRuntime": hook}));
    second.create();
    let state = second.state().unwrap();
    assert_eq!(state["status"], "created");
    let told: Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    assert_eq!(
        (&told["pid"], &told["status"]),
        (&state["pid"], &json!("creating"))
    );
    let link = |pid: &Value| std::fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
    assert_eq!(link(&state["pid"]), link(&pid));
    second.act(&["start", &second.id]);
    eventually("the program ran", || {
        std::fs::read_to_string(second.outside.join("pid")).is_ok_and(|pid| !pid.is_empty())
    });
    assert_eq!(second.state().unwrap()["status"], "running");
    let inside = std::fs::read_to_string(second.outside.join("pid")).unwrap();
    assert_ne!(inside, "1\n");
}

#[test]
fn config_linux_net_devices_reach_a_network_that_is_made_in_a_user_namespace_at_a_path() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let name = format!("spj{}", std::process::id());
    let pair = format!("{name}p");
    let mut ip = Command::new("ip");
    ip.args(["link", "add", &name, "type", "veth", "peer", "name", &pair]);
    if !ip
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: no pair of interfaces can be made here");
        return;
    }
    let first = mapped("sleep 100");
    first.create();
    let user = format!("/proc/{}/ns/user", first.state().unwrap()["pid"]);
    let second = Bundle::shell("ls /sys/class/net; cat /sys/class/net/eth8/flags")
        .namespace("user", Some(json!({"type": "user", "path": user})))
        .with("/linux/netDevices", json!({name: {"name": "eth8"}}));
    second.rootfs.give_to(MAP, MAP);
    let ran = second.run();
    let _ = Command::new("ip").args(["link", "del", &pair]).output();
    assert!(ran.out.contains("eth8\nlo\n0x1003\n"), "{ran:?}");
}

#[test]
fn config_linux_time_offsets_move_the_clocks() {
    if skip_unless(NEEDS) {
        return;
    }
    let offsets = json!({"boottime": {"secs": 1_000_000}, "monotonic": {"secs": 5, "nanosecs": 7}});
    let said = Bundle::shell("cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime")
        .namespace("time", Some(json!({"type": "time"})))
        .with("/linux/timeOffsets", offsets.clone())
        .says();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(
        words[..6],
        ["monotonic", "5", "7", "boottime", "1000000", "0"],
        "{said}"
    );
    assert!(words[6].parse::<u64>().unwrap() >= 1_000_000);
    let error = Bundle::shell("true")
        .with("/linux/timeOffsets", offsets)
        .refused();
    assert!(error.contains("linux.timeOffsets"), "{error}");
}

#[test]
fn config_linux_sysctl_is_set_in_the_containers_namespaces_alone() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let sysctl =
        json!({"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096", "net/core/somaxconn": "256"});
    let said =
        Bundle::shell("cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax net/core/somaxconn")
            .with("/linux/sysctl", sysctl)
            .says();
    assert_eq!(said, "1\n4096\n256\n");
    for key in ["kernel.panic", "vm.swappiness", "net/../kernel/panic"] {
        let error = Bundle::shell("true")
            .with("/linux/sysctl", json!({key: "1"}))
            .refused();
        assert!(error.contains("linux.sysctl["), "{error}");
    }
    let holder = Holder::new(&["--net"]);
    let joined = json!({"type": "network", "path": holder.namespace("net")});
    let said = Bundle::shell("cat /proc/sys/net/ipv4/ip_forward")
        .namespace("network", Some(joined))
        .with("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}))
        .says();
    assert_eq!(said, "1\n");
    let hosts = json!({"type": "network", "path": "/proc/self/ns/net"});
    let error = Bundle::shell("true")
        .namespace("network", Some(hosts))
        .with("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}))
        .refused();
    assert!(
        error.contains("linux.namespaces[4].path") && error.contains("host's own"),
        "{error}"
    );
}
