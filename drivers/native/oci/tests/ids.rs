//! What may be a container's id: one answer, whichever verb is asked.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
mod saved;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use saved::{COUNT, NEEDS, script};
use std::fs;
use support::{FakeSystemd, Need, eventually, skip_unless, unique_id};

#[test]
fn an_id_with_each_character_that_is_allowed_is_taken_by_every_verb() {
    if skip_unless(&[Need::Root, Need::Freezer, Need::Cgroups]) {
        return;
    }
    // The second would be a file of the kernel's in a cgroup, by its beginning.
    for start in ["web.1+a_b-c", "pids.max", "-"] {
        let mut bundle = Bundle::of(&["/bin/pause"]);
        bundle.id = format!("{start}{}", unique_id("id"));
        let id = bundle.id.as_str();
        bundle.done(&["create", "--", id]);
        assert_eq!(bundle.done(&["list", "--quiet"]).trim(), id);
        bundle.done(&["start", "--", id]);
        for args in [
            &["state", "--", id][..],
            &["pause", "--", id],
            &["resume", "--", id],
            &["ps", "--format", "json", "--", id],
            &["events", "--stats", "--", id],
            &["update", "--pids-limit", "100", "--", id],
            &["exec", "--", id, "/bin/true"],
        ] {
            bundle.done(args);
        }
        // Each has something else to say about this container.
        let there = bundle.say(&["restore", "--image-path", "none", "--", id]);
        let saved = bundle.say(&["--criu", "/none", "checkpoint", "--", id]);
        for said in [there, saved] {
            assert_eq!(said.code(), 1, "{said:?}");
            assert!(!said.stderr.contains("invalid"), "{said:?}");
        }
        let text = fs::read_to_string(format!("/proc/{}/cgroup", bundle.state()["pid"])).unwrap();
        let own = text.lines().filter(|line| line.contains(id));
        let kernels = start == "pids.max";
        for place in own.map(|line| line.rsplit('/').next().unwrap()) {
            assert_eq!(place.starts_with('_'), kernels, "{place}");
        }
        bundle.done(&["kill", "--", id, "KILL"]);
        bundle.await_status("stopped");
        bundle.done(&["delete", "--", id]);
        bundle.done(&["run", "--detach", "--", id]);
        bundle.done(&["delete", "--force", "--", id]);
        assert!(!bundle.state_dir().exists());
    }
}

#[test]
fn a_container_with_such_an_id_is_saved_and_comes_back() {
    if skip_unless(&NEEDS) {
        return;
    }
    let mut bundle = script(COUNT);
    bundle.id = format!("pids.max+{}", unique_id("id"));
    bundle.count("before");
    bundle.checkpoint(&[]);
    assert_eq!(bundle.status(), "none");
    bundle.restored("after", &[]);
    eventually("it counts", || {
        bundle.last("after") > bundle.last("before") + 2
    });
    bundle.done(&["delete", "--force", &bundle.id]);
    assert!(!bundle.state_dir().exists());
}

#[test]
fn what_is_not_an_id_is_refused_by_every_verb_before_anything_is_made() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/true"]);
    for id in [
        "",
        ".",
        "..",
        "../x",
        "/etc",
        "a/b",
        "a b",
        "a\n",
        "ä",
        &"x".repeat(201),
    ] {
        for before in [
            &["create"][..],
            &["run"],
            &["restore"],
            &["start"],
            &["state"],
            &["kill"],
            &["delete"],
            &["delete", "--force"],
            &["pause"],
            &["resume"],
            &["ps"],
            &["events"],
            &["events", "--stats"],
            &["update", "--pids-limit", "100"],
            &["checkpoint"],
        ] {
            let line = bundle.refused(&[before, &[id]].concat());
            let words = "expected 1 to 200 of the letters, digits and _+-.";
            assert!(
                line.starts_with("invalid container ID"),
                "{before:?}: {line}"
            );
            assert!(line.contains(words), "{before:?} {id:?}: {line}");
        }
        let said = bundle.say(&["exec", id, "/bin/true"]);
        assert_eq!(said.code(), 255);
        assert!(said.stderr.contains("invalid container ID"), "{said:?}");
        let made = fs::read_dir(bundle.rootfs.state()).unwrap().count();
        assert_eq!(made, 0, "{id:?}");
    }
}

#[test]
fn a_cgroup_that_has_the_name_of_a_file_of_the_kernels_is_refused_and_nothing_is_left() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/true"]);
    let parent = unique_id("taken");
    for path in [
        format!("/{parent}/cgroup.procs"),
        format!("/{parent}/cgroup.procs/below"),
        format!("/{parent}/pids.current"),
    ] {
        bundle.edit(|config| config["linux"]["cgroupsPath"] = path.as_str().into());
        let line = bundle.refused(&["create", &bundle.id]);
        assert!(line.contains("linux.cgroupsPath"), "{line}");
        assert!(line.contains("a file of the kernel's"), "{line}");
        assert!(!bundle.state_dir().exists());
        for hierarchy in ["", "pids", "memory", "unified"] {
            let left = format!("/sys/fs/cgroup/{hierarchy}/{parent}");
            assert!(!fs::exists(&left).unwrap(), "{left}");
        }
    }
}

#[test]
fn systemd_gets_an_id_with_a_plus_in_its_own_form() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let mut bundle = Bundle::of(&["/bin/pause"]);
    bundle.id = format!("a+b.{}", unique_id("id"));
    let systemd = FakeSystemd::start(&bundle.rootfs.state(), &[]);
    for args in [
        &["create"][..],
        &["start"],
        &["pause"],
        &["resume"],
        &["delete", "--force"],
    ] {
        bundle.done_by(&systemd, &[args, &[bundle.id.as_str()]].concat());
    }
    let unit = format!("execdriver-{}.scope", bundle.id.replace('+', r"\x2b"));
    for call in ["StartTransientUnit", "StopUnit"] {
        let call = format!("{call} {unit}");
        assert!(systemd.was_called(&call), "{:?}", systemd.calls());
    }
}
