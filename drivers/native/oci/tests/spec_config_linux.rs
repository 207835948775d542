//! config-linux.md of the runtime specification, a test a section.
#![cfg(target_os = "linux")]

mod spec;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use spec::Bundle;
use std::process::{Child, Command, Stdio};
use support::{Need, skip_unless, unique_id};

const NEEDS: &[Need] = &[Need::Root, Need::Busybox];

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
    if skip_unless(NEEDS) {
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
    if skip_unless(NEEDS) {
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
    if skip_unless(NEEDS) {
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
    if skip_unless(NEEDS) {
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
fn config_linux_devices_are_available_anywhere_with_mode_and_owner() {
    if skip_unless(NEEDS) {
        return;
    }
    let devices = json!([
        {"type": "c", "path": "/dev/deep/nulo", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
        {"type": "u", "path": "/else/full", "major": 1, "minor": 7},
        {"type": "b", "path": "/dev/disk", "major": 7, "minor": 1, "fileMode": 0o600},
        {"type": "p", "path": "/dev/pipe", "fileMode": 0o622},
    ]);
    let said = Bundle::shell(
        "for f in /dev/deep/nulo /else/full /dev/disk /dev/pipe; do stat -c '%F %t:%T %a %u:%g' $f; done; \
         head -c 2 /dev/deep/nulo | wc -c",
    )
    .with("/linux/devices", devices)
    .says();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "character special file 1:5 640 3:4",
            "character special file 1:7 666 0:0",
            "block special file 7:1 600 0:0",
            "fifo 0:0 622 0:0",
            "2",
        ]
    );
}

#[test]
fn config_linux_devices_where_another_file_stands_are_an_error() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("true");
    bundle.rootfs.write("else", "a file");
    let devices = json!([{"type": "c", "path": "/else", "major": 1, "minor": 5}]);
    let error = bundle.with("/linux/devices", devices).refused();
    assert!(error.contains("make device /else"), "{error}");
}

#[test]
fn config_linux_devices_default_devices_are_supplied() {
    if skip_unless(NEEDS) {
        return;
    }
    // Also where the rules of the document deny everything.
    let deny = json!({"devices": [{"allow": false, "access": "rwm"}]});
    let said = Bundle::shell(
        "for f in null zero full random urandom tty; do stat -c '%n %t:%T %a' /dev/$f; done; readlink /dev/ptmx; \
         head -c 1 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c; echo x > /dev/null && echo written; \
         echo x 2>/dev/full > /dev/full || echo full; readlink /dev/fd; readlink /dev/stdin",
    )
    .with("/linux/resources", deny)
    .run();
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "/dev/null 1:3 666",
            "/dev/zero 1:5 666",
            "/dev/full 1:7 666",
            "/dev/random 1:8 666",
            "/dev/urandom 1:9 666",
            "/dev/tty 5:0 666",
            "pts/ptmx",
            "1",
            "1",
            "written",
            "full",
            "/proc/self/fd",
            "/proc/self/fd/0",
        ],
        "{said:?}"
    );
}

#[test]
fn config_linux_allowed_device_list_is_applied_in_the_listed_order() {
    if skip_unless(NEEDS) {
        return;
    }
    let deny = json!({"allow": false, "access": "rwm"});
    let fuse = |allow: bool, access: &str| json!({"allow": allow, "type": "c", "major": 10, "minor": 229, "access": access});
    let node = json!([{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229}]);
    let opened = |rules: Value| {
        Bundle::shell("(: < /dev/fuse) 2>/dev/null && echo read || echo refused")
            .with("/linux/devices", node.clone())
            .with("/linux/resources", json!({"devices": rules}))
            .says()
    };
    assert_eq!(opened(json!([deny, fuse(true, "r")])), "read\n");
    assert_eq!(opened(json!([fuse(true, "r"), deny])), "refused\n");
    assert_eq!(opened(json!([deny, fuse(true, "w")])), "refused\n");
    assert_eq!(opened(json!([deny])), "refused\n");
}

/// A cgroup that no other test has, and its lines of /proc/self/cgroup in the container.
fn placed(path: &str) -> String {
    Bundle::shell("cat /proc/self/cgroup")
        .with("/linux/cgroupsPath", json!(path))
        .says()
}

#[test]
fn config_linux_cgroups_path_absolute_is_from_the_mount_point_and_relative_from_one_place() {
    if skip_unless(NEEDS) {
        return;
    }
    let name = unique_id("spec");
    let said = placed(&format!("/{name}/inner"));
    assert!(
        said.lines()
            .any(|line| line.ends_with(&format!(":/{name}/inner"))),
        "{said}"
    );
    let once = placed(&format!("{name}-relative"));
    assert!(once.contains(&format!("{name}-relative")), "{once}");
    assert_eq!(placed(&format!("{name}-relative")), once);
    for line in said.lines() {
        let path = line.splitn(3, ':').nth(2).unwrap();
        assert!(
            !std::path::Path::new("/sys/fs/cgroup/pids")
                .join(path.trim_start_matches('/'))
                .exists()
                || path == "/"
        );
    }
}

#[test]
fn config_linux_cgroups_path_that_is_none_is_an_error() {
    if skip_unless(NEEDS) {
        return;
    }
    for path in ["/", "/a\nb", "../.."] {
        let ran = Bundle::shell("true")
            .with("/linux/cgroupsPath", json!(path))
            .run();
        assert!(ran.code == 1 && ran.out.is_empty(), "{path:?}: {ran:?}");
    }
}

#[test]
fn config_linux_resources_memory_cpu_and_pids_are_in_force() {
    if skip_unless(NEEDS) {
        return;
    }
    let cgroups = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]});
    let resources = json!({
        "memory": {"limit": 64 << 20, "reservation": 32 << 20},
        "cpu": {"shares": 512, "quota": 50000, "period": 100_000},
        "pids": {"limit": 77},
    });
    let said = Bundle::shell(
        "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; \
         cat cpu/cpu.cfs_quota_us cpu.max 2>/dev/null; cat pids/pids.max pids.max 2>/dev/null; true",
    )
    .namespace("cgroup", Some(json!({"type": "cgroup"})))
    .mount(cgroups)
    .with("/linux/resources", resources)
    .says();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(
        (words[0], words[1], words[words.len() - 1]),
        ("67108864", "50000", "77"),
        "{said}"
    );
}

#[test]
fn config_linux_resources_that_cannot_be_had_name_their_field() {
    if skip_unless(NEEDS) {
        return;
    }
    for (resources, field) in [
        (
            json!({"unified": {"nothing.max": "1"}}),
            "linux.resources.unified[\"nothing.max\"]",
        ),
        (
            json!({"unified": {"cgroup.procs": "1"}}),
            "linux.resources.unified[\"cgroup.procs\"]",
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "7XB", "limit": 1}]}),
            "linux.resources.hugepageLimits[\"7XB\"]",
        ),
        (
            json!({"rdma": {"no such": {"hcaHandles": 1}}}),
            "linux.resources.rdma",
        ),
        (
            json!({"memory": {"limit": 10}}),
            "linux.resources.memory.limit",
        ),
        (
            json!({"memory": {"limit": 1 << 30, "swap": 1 << 20}}),
            "linux.resources.memory.swap",
        ),
        (json!({"cpu": {"shares": 1}}), "linux.resources.cpu.shares"),
        (
            json!({"network": {"classID": 1_048_577}}),
            "linux.resources.network.classID",
        ),
        (
            json!({"blockIO": {"leafWeight": 10}}),
            "linux.resources.blockIO.leafWeight",
        ),
    ] {
        let error = Bundle::shell("true")
            .with("/linux/resources", resources)
            .refused();
        assert!(error.contains(field), "{field}: {error}");
    }
}

#[test]
fn config_linux_intel_rdt_without_resctrl_is_an_error() {
    if skip_unless(NEEDS) {
        return;
    }
    let error = Bundle::shell("true")
        .with("/linux/intelRdt", json!({"closID": "x"}))
        .refused();
    assert!(error.contains("linux.intelRdt"), "{error}");
}

#[test]
fn config_linux_net_devices_are_moved_with_their_addresses_and_set_up() {
    if skip_unless(NEEDS) {
        return;
    }
    let name = format!("spt{}", std::process::id());
    let ip = |words: &str| {
        let status = Command::new("ip")
            .args(words.split(' '))
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !ip(&format!("link add {name} type veth peer name {name}p")) {
        eprintln!("skipped: no pair of interfaces can be made here");
        return;
    }
    assert!(
        ip(&format!("addr add 10.77.9.1/24 dev {name}"))
            && ip(&format!("link set {name} mtu 1400"))
    );
    let list = "ls /sys/class/net; cat /sys/class/net/eth7/mtu /sys/class/net/eth7/flags; ip addr show eth7 2>/dev/null | grep -w inet";
    let bundle =
        Bundle::shell(list).with("/linux/netDevices", json!({name.clone(): {"name": "eth7"}}));
    let ran = bundle.run();
    // It goes with the container's namespace, and its pair with it.
    ip(&format!("link del {name}p"));
    assert!(ran.out.contains("eth7\nlo\n1400\n0x1003\n"), "{ran:?}");
    let error = Bundle::shell("true")
        .with("/linux/netDevices", json!({"nosuch9": {}}))
        .refused();
    assert!(error.contains("linux.netDevices[\"nosuch9\"]"), "{error}");
    let taken = Bundle::shell("true")
        .with("/linux/netDevices", json!({"lo": {}}))
        .refused();
    assert!(taken.contains("linux.netDevices[\"lo\"]"), "{taken}");
    let host = Bundle::shell("true")
        .namespace("network", None)
        .with("/linux/netDevices", json!({"lo": {"name": "x"}}));
    assert!(host.refused().contains("linux.netDevices"));
}

#[test]
fn config_linux_sysctl_is_set_in_the_containers_namespaces_alone() {
    if skip_unless(NEEDS) {
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

#[test]
fn config_linux_seccomp_denies_with_the_asked_error_number() {
    if skip_unless(NEEDS) {
        return;
    }
    let filter = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]});
    let ran = Bundle::shell("mkdir /tmp/x")
        .with("/linux/seccomp", filter)
        .run();
    assert!(ran.err.contains("No space left on device"), "{ran:?}");
}

#[test]
fn config_linux_seccomp_listener_path_gets_the_container_process_state() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("mkdir /tmp/asked; echo $?");
    let path = bundle.outside.join("agent");
    let agent = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let filter = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "opaque",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]});
    let bundle = bundle
        .with("/linux/seccomp", filter)
        .with("/annotations", json!({"a": "b"}));
    let told = std::thread::spawn(move || {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
        use std::os::fd::AsRawFd;
        let (connection, _) = agent.accept().unwrap();
        let mut text = vec![0; 64 << 10];
        let mut space = nix::cmsg_space!([std::os::fd::RawFd; 2]);
        let mut iov = [std::io::IoSliceMut::new(&mut text)];
        let message = recvmsg::<()>(
            connection.as_raw_fd(),
            &mut iov,
            Some(&mut space),
            MsgFlags::empty(),
        )
        .unwrap();
        let mut fds = Vec::new();
        for part in message.cmsgs().unwrap() {
            if let ControlMessageOwned::ScmRights(got) = part {
                fds.extend(got);
            }
        }
        let len = message.bytes;
        // Without the listener its calls are answered by the kernel, and the program goes on.
        let owned = fds.len();
        close(fds);
        text.truncate(len);
        (serde_json::from_slice::<Value>(&text).unwrap(), owned)
    });
    let ran = bundle.run();
    let (state, fds) = told.join().unwrap();
    assert_eq!((fds, &state["fds"]), (1, &json!(["seccompFd"])));
    assert_eq!(
        (&state["metadata"], &state["state"]["id"]),
        (&json!("opaque"), &json!(bundle.id))
    );
    assert_eq!(
        (&state["pid"], &state["state"]["annotations"]),
        (&state["state"]["pid"], &json!({"a": "b"}))
    );
    assert_eq!(ran.out, "1\n", "{ran:?}");
}

fn close(fds: Vec<std::os::fd::RawFd>) {
    for fd in fds {
        let _ = nix::unistd::close(fd);
    }
}

#[test]
fn config_linux_seccomp_listener_that_nobody_takes_is_an_error() {
    if skip_unless(NEEDS) {
        return;
    }
    let notify = json!([{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]);
    let none = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": notify});
    let error = Bundle::shell("true").with("/linux/seccomp", none).refused();
    assert!(error.contains("linux.seccomp.listenerPath"), "{error}");
    let nowhere =
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": notify, "listenerPath": "/nowhere"});
    let error = Bundle::shell("true")
        .with("/linux/seccomp", nowhere)
        .refused();
    assert!(error.contains("linux.seccomp.listenerPath"), "{error}");
    // Without the action the path is ignored.
    let unused = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nowhere"});
    assert_eq!(
        Bundle::shell("echo ran")
            .with("/linux/seccomp", unused)
            .says(),
        "ran\n"
    );
}

#[test]
fn config_linux_rootfs_mount_propagation_is_that_of_the_root() {
    if skip_unless(NEEDS) {
        return;
    }
    for (word, expected) in [
        ("shared", "shared:"),
        ("slave", ""),
        ("private", ""),
        ("unbindable", "unbindable"),
    ] {
        let said = Bundle::shell("awk '$5 == \"/\" {print \"root\", $7}' /proc/self/mountinfo")
            .with("/linux/rootfsPropagation", json!(word))
            .says();
        assert!(
            said.starts_with("root") && said.contains(expected),
            "{word}: {said}"
        );
        assert!(
            !expected.is_empty() || !said.contains("shared:"),
            "{word}: {said}"
        );
    }
    let error = Bundle::shell("true")
        .with("/linux/rootfsPropagation", json!("open"))
        .refused();
    assert!(error.contains("linux.rootfsPropagation"), "{error}");
}

#[test]
fn config_linux_masked_and_readonly_paths_are_so() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell(
        "cat /secret/file; cat /proc/keys; ls /secret/dir; echo x > /fixed/x || echo refused; echo x > /proc/sys/kernel/hostname || echo kept",
    )
    .with("/linux/maskedPaths", json!(["/secret/file", "/secret/dir", "/proc/keys", "/not/there"]))
    .with("/linux/readonlyPaths", json!(["/fixed", "/proc/sys", "/nor/there"]));
    bundle.rootfs.write("secret/file", "secret");
    bundle.rootfs.write("secret/dir/file", "secret");
    bundle.rootfs.mkdir("fixed");
    let ran = bundle.run();
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("refused\nkept\n", 0),
        "{ran:?}"
    );
    for field in ["maskedPaths", "readonlyPaths"] {
        let error = Bundle::shell("true")
            .with(&format!("/linux/{field}"), json!(["relative"]))
            .refused();
        assert!(error.contains(&format!("linux.{field}")), "{error}");
    }
}

#[test]
fn config_linux_labels_without_their_security_module_are_an_error() {
    if skip_unless(NEEDS) {
        return;
    }
    let lsms = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    for (pointer, value, module, field) in [
        (
            "/linux/mountLabel",
            "system_u:object_r:x_t:s0",
            "selinux",
            "linux.mountLabel",
        ),
        (
            "/process/selinuxLabel",
            "system_u:system_r:x_t:s0",
            "selinux",
            "process.selinuxLabel",
        ),
        (
            "/process/apparmorProfile",
            "acme_secure_profile",
            "apparmor",
            "process.apparmorProfile",
        ),
    ] {
        if lsms.contains(module) {
            continue;
        }
        let error = Bundle::shell("true").with(pointer, json!(value)).refused();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn config_linux_personality_is_the_programs() {
    if skip_unless(NEEDS) {
        return;
    }
    let said = Bundle::shell("uname -m")
        .with("/linux/personality", json!({"domain": "LINUX32"}))
        .says();
    assert!(["i686\n", "armv8l\n"].contains(&said.as_str()), "{said}");
    let flags = json!({"domain": "LINUX", "flags": ["X"]});
    let error = Bundle::shell("true")
        .with("/linux/personality", flags)
        .refused();
    assert!(error.contains("linux.personality.flags"), "{error}");
}

#[test]
fn config_linux_memory_policy_is_the_programs() {
    if skip_unless(NEEDS) {
        return;
    }
    let policy = json!({"mode": "MPOL_BIND", "nodes": "0"});
    let said = Bundle::shell("grep -c 'bind:0' /proc/self/numa_maps")
        .with("/linux/memoryPolicy", policy)
        .says();
    assert_ne!(said, "0\n");
    let error = Bundle::shell("true")
        .with(
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "x"}),
        )
        .refused();
    assert!(error.contains("linux.memoryPolicy.nodes"), "{error}");
}
