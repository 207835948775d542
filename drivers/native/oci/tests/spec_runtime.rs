//! runtime.md and features.md of the runtime specification, a test a section.
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
use support::{Need, eventually, skip_unless};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];
/// What an ordinary user may not do, or cannot be asked on their behalf.
const ROOT_NEEDS: &[Need] = &[Need::Root, Need::Busybox];

fn status(bundle: &Bundle) -> String {
    let state = bundle.state();
    let status = state.as_ref().and_then(|state| state["status"].as_str());
    status.unwrap_or("none").to_owned()
}

#[test]
fn runtime_state_has_what_the_specification_lists() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let bundle = Bundle::shell("sleep 100").with("/annotations", json!({"myKey": "myValue"}));
    bundle.create();
    let state = bundle.state().unwrap();
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    assert_eq!(
        (&state["id"], &state["status"]),
        (&json!(bundle.id), &json!("created"))
    );
    assert_eq!(
        (&state["bundle"], &state["annotations"]),
        (&json!(bundle.path()), &json!({"myKey": "myValue"}))
    );
    let pid = state["pid"].as_u64().unwrap();
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(cgroup.contains(&bundle.id), "{cgroup}");
}

#[test]
fn runtime_lifecycle_goes_from_created_over_running_to_stopped_and_nothing() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("echo x > /out/ran; sleep 100")
        .mount(json!({"destination": "/out", "source": "outside", "options": ["bind"]}));
    bundle.create();
    assert_eq!(status(&bundle), "created");
    // The program has not run, and what becomes of the document now changes nothing.
    assert!(!bundle.outside.join("ran").exists());
    bundle.write_text("{}");
    assert_eq!(bundle.act(&["start", &bundle.id]).code, 0);
    assert_eq!(status(&bundle), "running");
    eventually("the program ran", || bundle.outside.join("ran").exists());
    assert_eq!(bundle.act(&["kill", &bundle.id, "KILL"]).code, 0);
    eventually("it is stopped", || status(&bundle) == "stopped");
    assert_eq!(bundle.act(&["delete", &bundle.id]).code, 0);
    assert_eq!(status(&bundle), "none");
    // The id is free again.
    bundle.create();
}

#[test]
fn runtime_errors_of_operations_without_an_id_or_of_none() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("true");
    for verb in ["state", "start", "kill", "delete", "create"] {
        assert_ne!(bundle.act(&[verb]).code, 0, "{verb}");
    }
    for words in [
        &["state", "none"][..],
        &["start", "none"],
        &["kill", "none", "9"],
        &["delete", "none"],
    ] {
        let ran = bundle.act(words);
        assert!(
            ran.code == 1 && ran.err.contains("does not exist"),
            "{ran:?}"
        );
    }
}

#[test]
fn runtime_create_refuses_ids_that_are_taken_or_are_none() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("sleep 100");
    bundle.create();
    let path = bundle.path();
    let again = bundle.act(&["create", "--bundle", path.to_str().unwrap(), &bundle.id]);
    assert!(
        again.code == 1 && again.err.contains("already exists"),
        "{again:?}"
    );
    assert_eq!(status(&bundle), "created");
    for id in ["", ".", "..", "a/b", "../x", "a b", "ä", &"x".repeat(300)] {
        let ran = bundle.act(&["create", "--bundle", path.to_str().unwrap(), id]);
        assert!(
            ran.code == 1 && ran.err.lines().count() == 1,
            "{id}: {ran:?}"
        );
    }
    let list = bundle.verb(&["list", "-q"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout).trim(), bundle.id);
}

#[test]
fn runtime_create_that_fails_leaves_neither_container_nor_cgroup_nor_mount() {
    if skip_unless(NEEDS) {
        return;
    }
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = mounts();
    // Late: everything else is there by then.
    let bundle = Bundle::shell("true")
        .mount(json!({"destination": "/t", "type": "tmpfs", "options": ["nonsense=1"]}));
    let cgroup = format!("/spec-failed-{}", bundle.id);
    let bundle = bundle.with("/linux/cgroupsPath", json!(cgroup));
    bundle.refused();
    assert_eq!(mounts(), before);
    let left = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let left: Vec<_> = left
        .map(|entry| entry.path().join(&cgroup[1..]))
        .filter(|path| path.exists())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn runtime_start_of_what_runs_or_is_stopped_is_an_error_without_effect() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("sleep 100");
    bundle.create();
    assert_eq!(bundle.act(&["start", &bundle.id]).code, 0);
    let ran = bundle.act(&["start", &bundle.id]);
    assert!(
        ran.code == 1
            && ran
                .err
                .contains("cannot start a container in the running state"),
        "{ran:?}"
    );
    assert_eq!(status(&bundle), "running");
    bundle.act(&["kill", &bundle.id, "9"]);
    eventually("it is stopped", || status(&bundle) == "stopped");
    let ran = bundle.act(&["start", &bundle.id]);
    assert!(
        ran.code == 1
            && ran
                .err
                .contains("cannot start a container in the stopped state"),
        "{ran:?}"
    );
}

#[test]
fn runtime_kill_sends_the_signal_and_only_to_what_runs() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell(
        "trap 'echo x > /out/got; exit 3' USR1; echo x > /out/ready; while :; do sleep 0.05; done",
    )
    .mount(json!({"destination": "/out", "source": "outside", "options": ["bind"]}));
    bundle.create();
    bundle.act(&["start", &bundle.id]);
    eventually("it is ready", || bundle.outside.join("ready").exists());
    assert_eq!(bundle.act(&["kill", &bundle.id, "SIGUSR1"]).code, 0);
    eventually("it got the signal", || bundle.outside.join("got").exists());
    eventually("it is stopped", || status(&bundle) == "stopped");
    let ran = bundle.act(&["kill", &bundle.id, "USR1"]);
    assert!(ran.code == 1 && ran.err.contains("not running"), "{ran:?}");
}

#[test]
fn runtime_delete_of_what_runs_is_an_error_and_gives_back_what_create_took() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("sleep 100");
    bundle.create();
    bundle.act(&["start", &bundle.id]);
    let ran = bundle.act(&["delete", &bundle.id]);
    assert!(ran.code == 1 && ran.err.contains("not stopped"), "{ran:?}");
    let pid = bundle.state().unwrap()["pid"].as_u64().unwrap();
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(bundle.act(&["delete", "--force", &bundle.id]).code, 0);
    // Whoever adopted it may take its time to reap it.
    eventually("the process is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
    for line in cgroups.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next(), parts.next().unwrap(), parts.next().unwrap());
        let name = controllers.trim_start_matches("name=");
        let place = format!("/sys/fs/cgroup/{name}{path}");
        assert!(
            path == "/" || !path.contains(&bundle.id) || !std::path::Path::new(&place).exists(),
            "{place}"
        );
    }
    // The rootfs was not made by the container.
    assert!(bundle.rootfs.inside("bin/busybox").exists());
}

#[test]
fn features_say_what_is_enforced() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_execdriver-oci"))
        .arg("features")
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let features: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The types of others can read it.
    let _: oci_spec::runtime::Features = serde_json::from_value(features.clone()).unwrap();
    assert_eq!(
        (&features["ociVersionMin"], &features["ociVersionMax"]),
        (&json!("1.0.0"), &json!("1.3.0"))
    );
    assert_eq!(features["hooks"].as_array().unwrap().len(), 6);
    let options = features["mountOptions"].as_array().unwrap();
    assert!(
        ["rro", "ridmap", "tmpcopyup"]
            .iter()
            .all(|word| options.contains(&json!(word)))
    );
    assert!(!options.contains(&json!("copy-symlink")));
    let linux = &features["linux"];
    assert!(
        linux["namespaces"]
            .as_array()
            .unwrap()
            .contains(&json!("mount"))
    );
    assert!(
        linux["capabilities"]
            .as_array()
            .unwrap()
            .contains(&json!("CAP_CHOWN"))
    );
    let lsms = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    assert_eq!(
        linux["apparmor"]["enabled"],
        json!(lsms.contains("apparmor"))
    );
    assert_eq!(linux["selinux"]["enabled"], json!(lsms.contains("selinux")));
    assert_eq!(linux["intelRdt"]["enabled"], json!(false));
}
