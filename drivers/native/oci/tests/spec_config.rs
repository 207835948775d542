//! config.md of the runtime specification, a test a section.
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

use serde_json::json;
use spec::Bundle;
use support::{Need, skip_unless};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];
/// What an ordinary user may not do, or cannot be asked on their behalf.
const ROOT_NEEDS: &[Need] = &[Need::Root, Need::Busybox];

#[test]
fn config_root_path_is_relative_to_the_bundle_or_absolute() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("echo here");
    assert_eq!(bundle.says(), "here\n");
    let path = bundle.rootfs.path();
    assert_eq!(bundle.with("/root/path", json!(path)).says(), "here\n");
}

#[test]
fn config_root_must_be_a_directory() {
    if skip_unless(NEEDS) {
        return;
    }
    for path in ["none", "config.json"] {
        let error = Bundle::shell("echo here")
            .with("/root/path", json!(path))
            .refused();
        assert!(error.contains("root.path"), "{error}");
    }
    let error = Bundle::shell("true").without("/root").refused();
    assert!(error.contains("root"), "{error}");
}

#[test]
fn config_root_readonly_is_so_inside() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("echo x > /etc/x || echo refused; echo x > /dev/x && echo written");
    let said = bundle.with("/root/readonly", json!(true)).run();
    assert_eq!(
        (said.out.as_str(), said.code),
        ("refused\nwritten\n", 0),
        "{said:?}"
    );
}

#[test]
fn config_specification_version_of_another_major_number_is_refused() {
    if skip_unless(NEEDS) {
        return;
    }
    let error = Bundle::shell("true")
        .with("/ociVersion", json!("2.0.0"))
        .refused();
    assert!(
        error.contains("ociVersion: got \"2.0.0\", expected 1.x"),
        "{error}"
    );
}

#[test]
fn config_extensibility_unknown_properties_change_nothing() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("echo ran").with("/linux/unheard", json!({"of": [1]}));
    assert_eq!(bundle.with("/x", json!(null)).says(), "ran\n");
}

#[test]
fn config_json_that_is_bad_gets_one_line_and_leaves_nothing() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("true");
    let whole = bundle.json.to_string();
    let huge = format!("{{\"a\": \"{}\"}}", "x".repeat(17 << 20));
    for (text, expected) in [
        (&whole[..whole.len() / 2], "line 1 column"),
        ("", "line 1 column 0"),
        (&huge, "longer than 16777216 bytes"),
        ("{\"root\": 1, \"root\": 2}", "root is there twice"),
        ("[]", "expected an object"),
    ] {
        bundle.write_text(text);
        let error = bundle.check_refused(&bundle.run_as_it_is());
        assert!(
            error.contains(expected) && error.contains("config.json"),
            "{error}"
        );
    }
}

#[test]
fn bundle_that_is_missing_or_a_link_is_refused() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("true");
    bundle.write();
    let link = bundle.outside.join("link");
    std::os::unix::fs::symlink(bundle.path(), &link).unwrap();
    let slash = format!("{}/", link.display());
    let none = bundle.outside.join("none");
    let empty = bundle.outside.display().to_string();
    for (path, expected) in [
        (link.to_str().unwrap(), "is a symbolic link"),
        (slash.as_str(), "is a symbolic link"),
        (none.to_str().unwrap(), "no such file or directory"),
        (empty.as_str(), "config.json"),
    ] {
        let ran = bundle.act(&["run", "--bundle", path, &bundle.id]);
        let error = bundle.check_refused(&ran);
        assert!(error.contains(expected), "{error}");
    }
    let fifo = bundle.outside.join("config.json");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = bundle.check_refused(&bundle.act(&["run", "--bundle", &empty, &bundle.id]));
    assert!(error.contains("expected a regular file"), "{error}");
}

#[test]
fn config_mounts_are_mounted_in_the_listed_order() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("ls /data")
        .mount(json!({"destination": "/data", "type": "tmpfs"}))
        .mount(json!({"destination": "/data/first", "type": "tmpfs"}));
    assert_eq!(bundle.says(), "first\n");
    let covered = Bundle::shell("ls /data")
        .mount(json!({"destination": "/data/first", "type": "tmpfs"}))
        .mount(json!({"destination": "/data", "type": "tmpfs"}));
    assert_eq!(covered.says(), "");
}

#[test]
fn config_mounts_relative_paths_start_at_the_bundle_and_at_the_root() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("cat /data/file");
    std::fs::write(bundle.outside.join("file"), "from outside\n").unwrap();
    let mount = json!({"destination": "data", "source": "outside", "options": ["bind"]});
    assert_eq!(bundle.mount(mount).says(), "from outside\n");
}

#[test]
fn config_linux_mount_options_every_must_of_the_table_is_taken() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    // The MUSTs of the table that are for new file systems and binds alike, two and two.
    let plain = [
        "async",
        "atime",
        "defaults",
        "dev",
        "diratime",
        "exec",
        "loud",
        "noatime",
        "nodev",
        "nodiratime",
        "noexec",
        "noiversion",
        "nolazytime",
        "norelatime",
        "nostrictatime",
        "nosuid",
        "private",
        "relatime",
        "ro",
        "rprivate",
        "rslave",
        "runbindable",
        "rw",
        "silent",
        "slave",
        "strictatime",
        "suid",
        "unbindable",
        "rshared",
        "shared",
    ];
    let superblock = ["dirsync", "iversion", "lazytime", "sync", "mand", "nomand"];
    let mut bundle = Bundle::shell("grep -c ' /t/' /proc/mounts; grep -c ' /b/' /proc/mounts");
    for word in plain.iter().chain(&superblock) {
        let target = format!("/t/{word}");
        bundle = bundle.mount(
            json!({"destination": target, "type": "tmpfs", "source": "t", "options": [word]}),
        );
    }
    for word in plain {
        let target = format!("/b/{word}");
        bundle = bundle
            .mount(json!({"destination": target, "source": "outside", "options": ["rbind", word]}));
    }
    assert_eq!(
        bundle.says(),
        format!("{}\n{}\n", plain.len() + superblock.len(), plain.len())
    );
}

#[test]
fn config_linux_mount_options_recursive_ones_are_taken_by_binds() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let words = [
        "ratime",
        "rdev",
        "rdiratime",
        "rexec",
        "rnoatime",
        "rnodiratime",
        "rnoexec",
        "rnorelatime",
        "rnostrictatime",
        "rnosuid",
        "rnosymfollow",
        "rrelatime",
        "rro",
        "rrw",
        "rstrictatime",
        "rsuid",
        "rsymfollow",
    ];
    let mut bundle =
        Bundle::shell("grep -c ' /b/' /proc/mounts; echo x > /b/rro/x || echo refused");
    for word in words {
        let target = format!("/b/{word}");
        bundle = bundle
            .mount(json!({"destination": target, "source": "outside", "options": ["rbind", word]}));
    }
    assert_eq!(bundle.run().out, format!("{}\nrefused\n", words.len()));
}

#[test]
fn config_linux_mount_options_unknown_ones_go_to_the_file_system() {
    if skip_unless(NEEDS) {
        return;
    }
    let tmpfs = |options: &[&str]| {
        Bundle::shell("grep ' /t ' /proc/mounts")
            .mount(json!({"destination": "/t", "type": "tmpfs", "options": options}))
    };
    assert!(
        tmpfs(&["size=8k", "mode=700"])
            .says()
            .contains("size=8k,mode=700")
    );
    let error = tmpfs(&["nonsense=1"]).refused();
    assert!(error.contains("mount tmpfs on /t"), "{error}");
}

#[test]
fn config_linux_mount_options_idmap_without_mappings_or_a_user_namespace_is_refused() {
    if skip_unless(NEEDS) {
        return;
    }
    let mount = json!({"destination": "/data", "source": "outside", "options": ["bind", "idmap"]});
    let error = Bundle::shell("true").mount(mount).refused();
    assert!(error.contains("mounts[\"/data\"]"), "{error}");
}

#[test]
fn config_linux_mount_options_idmap_shows_other_owners() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let bundle = Bundle::shell("stat -c %u:%g /data/file");
    std::fs::write(bundle.outside.join("file"), "").unwrap();
    std::os::unix::fs::chown(bundle.outside.join("file"), Some(5), Some(6)).unwrap();
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 100}]);
    let mount = json!({"destination": "/data", "source": "outside", "options": ["bind", "ridmap"],
        "uidMappings": map, "gidMappings": map});
    assert_eq!(bundle.mount(mount).says(), "1005:1006\n");
}
