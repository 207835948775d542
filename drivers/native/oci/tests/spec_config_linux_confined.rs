//! Filters, paths, labels and policies of config-linux.md, a test a section.
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
use support::{Need, skip_unless};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];

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
    // An agent whom nobody asked waits no longer.
    let _ = std::os::unix::net::UnixStream::connect(bundle.outside.join("agent"));
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
