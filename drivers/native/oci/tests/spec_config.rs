//! config.md of the runtime specification, a test a section.
#![cfg(target_os = "linux")]

mod spec;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use serde_json::json;
use spec::Bundle;
use support::{Need, skip_unless};

const NEEDS: &[Need] = &[Need::Root, Need::Busybox];

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
    if skip_unless(NEEDS) {
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
    if skip_unless(NEEDS) {
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
    if skip_unless(NEEDS) {
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

#[test]
fn config_process_cwd_env_and_args_are_the_programs() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("pwd; env | grep OWN; echo $0 $1")
        .with("/process/cwd", json!("/tmp"))
        .with("/process/env", json!(["PATH=/bin", "OWN=1", "OWN=2"]));
    assert_eq!(bundle.says(), "/tmp\nOWN=2\nsh\n");
    let bundle = Bundle::shell("").with("/process/args", json!(["busybox", "echo", "found"]));
    assert_eq!(bundle.says(), "found\n");
}

#[test]
fn config_process_console_size_is_ignored_without_a_terminal() {
    if skip_unless(NEEDS) {
        return;
    }
    let size = json!({"height": 70000, "width": 80});
    assert_eq!(
        Bundle::shell("echo ran")
            .with("/process/consoleSize", size)
            .says(),
        "ran\n"
    );
}

#[test]
fn config_posix_process_rlimits_are_in_force_and_never_twice() {
    if skip_unless(NEEDS) {
        return;
    }
    let core = json!({"type": "RLIMIT_CORE", "soft": 4096, "hard": 8192});
    let files = json!({"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128});
    let bundle = Bundle::shell("ulimit -n; ulimit -Hn; grep core /proc/self/limits");
    let said = bundle.with("/process/rlimits", json!([core, files])).says();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!((words[0], words[1]), ("64", "128"), "{said}");
    assert!(words.contains(&"4096") && words.contains(&"8192"), "{said}");
    let error = Bundle::shell("true")
        .with("/process/rlimits", json!([core, core]))
        .refused();
    assert!(error.contains("process.rlimits[1].type"), "{error}");
    let none = json!([{"type": "RLIMIT_MOONS", "soft": 1, "hard": 1}]);
    let error = Bundle::shell("true")
        .with("/process/rlimits", none)
        .refused();
    assert!(error.contains("process.rlimits[0].type"), "{error}");
}

#[test]
fn config_linux_process_capabilities_are_the_five_sets() {
    if skip_unless(NEEDS) {
        return;
    }
    let chown = json!(["CAP_CHOWN"]);
    let two = json!(["CAP_CHOWN", "CAP_KILL"]);
    let sets = json!({"bounding": two, "permitted": two, "effective": chown, "inheritable": chown, "ambient": chown});
    let bundle = Bundle::shell("grep Cap /proc/self/status")
        .with("/process/user", json!({"uid": 1, "gid": 1}))
        .with("/process/capabilities", sets);
    let said = bundle.says();
    let set = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
    };
    // Of a user's program the ambient ones alone survive the exec.
    assert_eq!(
        (set("CapBnd"), set("CapAmb"), set("CapInh")),
        (0b10_0001, 1, 1),
        "{said}"
    );
    assert_eq!((set("CapPrm"), set("CapEff")), (1, 1), "{said}");
}

#[test]
fn config_linux_process_capabilities_that_cannot_be_had_are_warned_of() {
    if skip_unless(NEEDS) {
        return;
    }
    let sets = json!({"bounding": ["CAP_CHOWN", "CAP_MOON"], "ambient": ["CAP_CHOWN"]});
    let bundle = Bundle::shell("grep CapAmb /proc/self/status").with("/process/capabilities", sets);
    bundle.write();
    let log = bundle.outside.join("log");
    let path = bundle.path();
    let mut command = bundle.verb(&[
        "--log",
        log.to_str().unwrap(),
        "run",
        "--bundle",
        path.to_str().unwrap(),
        &bundle.id,
    ]);
    let output = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "CapAmb:\t0000000000000000\n"
    );
    assert!(output.stderr.is_empty(), "{output:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("level=warning") && log.contains("CAP_MOON"),
        "{log}"
    );
    assert!(log.contains("process.capabilities.ambient"), "{log}");
}

#[test]
fn config_linux_process_no_new_privileges_oom_score_and_priorities_are_in_force() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell(
        "grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj; ionice -p $$; cut -d' ' -f19 /proc/self/stat",
    )
    .with("/process/noNewPrivileges", json!(true))
    .with("/process/oomScoreAdj", json!(321))
    .with(
        "/process/ioPriority",
        json!({"class": "IOPRIO_CLASS_IDLE", "priority": 4}),
    )
    .with(
        "/process/scheduler",
        json!({"policy": "SCHED_BATCH", "nice": 7}),
    );
    assert_eq!(bundle.says(), "NoNewPrivs:\t1\n321\nidle\n7\n");
}

#[test]
fn config_user_ids_groups_and_umask_are_the_programs() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("id -u; id -g; grep Groups /proc/self/status; umask; echo $HOME")
        .with(
            "/process/user",
            json!({"uid": 1, "gid": 2, "umask": 0o77, "additionalGids": [5, 9]}),
        );
    let said = bundle.says();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines, ["1", "2", "Groups:\t5 9", "0077", "/sbin"]);
}

#[test]
fn config_hostname_and_domainname_are_set_in_a_uts_namespace_alone() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("hostname; cat /proc/sys/kernel/domainname")
        .with("/hostname", json!("mrsdalloway"))
        .with("/domainname", json!("foobarbaz.test"));
    assert_eq!(bundle.says(), "mrsdalloway\nfoobarbaz.test\n");
    let error = Bundle::shell("true")
        .with("/hostname", json!("x"))
        .namespace("uts", None)
        .refused();
    assert!(error.contains("hostname"), "{error}");
}

#[test]
fn config_annotations_are_in_the_state_and_never_without_a_key() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle =
        Bundle::shell("sleep 60").with("/annotations", json!({"com.example.a": "b", "empty": ""}));
    bundle.create();
    assert_eq!(
        bundle.state().unwrap()["annotations"],
        json!({"com.example.a": "b", "empty": ""})
    );
    let error = Bundle::shell("true")
        .with("/annotations", json!({"": "x"}))
        .refused();
    assert!(error.contains("annotations"), "{error}");
}
