//! Devices, cgroups and network devices of config-linux.md, a test a section.
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
use std::process::{Command, Stdio};
use support::{Need, skip_unless, unique_id};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];
/// What an ordinary user may not do, or cannot be asked on their behalf.
const ROOT_NEEDS: &[Need] = &[Need::Root, Need::Busybox];

#[test]
fn config_linux_devices_are_available_anywhere_with_mode_and_owner() {
    if skip_unless(ROOT_NEEDS) {
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
    // In a user namespace nobody makes devices: the host's is bound.
    let step = if support::is_root() {
        "make device /else"
    } else {
        " on /else"
    };
    assert!(error.contains(step), "{error}");
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
    if skip_unless(ROOT_NEEDS) {
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
    if skip_unless(ROOT_NEEDS) {
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
    if skip_unless(ROOT_NEEDS) {
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
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    if mounts.contains(" - resctrl ") || skip_unless(NEEDS) {
        return;
    }
    let error = Bundle::shell("true")
        .with("/linux/intelRdt", json!({"closID": "x"}))
        .refused();
    assert!(error.contains("linux.intelRdt"), "{error}");
}

#[test]
fn config_linux_net_devices_are_moved_with_their_addresses_and_set_up() {
    if skip_unless(ROOT_NEEDS) {
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
