//! Documents that are read, and what bad ones get.

use super::*;
use serde_json::json;

fn minimal() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["sh"]},
        "linux": {},
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = minimal();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = value;
    document
}

#[track_caller]
fn error(document: &Value) -> String {
    match config(document.to_string().as_bytes()) {
        Ok(read) => panic!("read {read:?}"),
        Err(error) => error,
    }
}

#[test]
fn config_extensibility_unknown_properties_are_ignored() {
    let document = with("/linux/new", json!({"a": [1, null, {"b": 2.5}]}));
    let read = config(document.to_string().as_bytes()).unwrap();
    assert!(read.warnings.is_empty());
    assert_eq!(read.content.version(), "1.3.0");
}

#[test]
fn config_specification_version_is_one_point_something() {
    for good in ["1.0.0", "1.0.2-dev", "1.4.0", "1.3.0+own"] {
        config(with("/ociVersion", json!(good)).to_string().as_bytes()).unwrap();
    }
    for bad in [
        "2.0.0",
        "0.5.0",
        "1",
        "1.x.0",
        "",
        "1.3.0.1",
        "1.03.0",
        "1.3.0-",
        "1.3.0-01",
        "1.3.0+a..b",
    ] {
        let error = error(&with("/ociVersion", json!(bad)));
        assert!(error.starts_with("ociVersion: got"), "{error}");
    }
}

#[test]
fn what_is_required_is_named_when_it_is_missing() {
    let with_null = |pointer| with(pointer, Value::Null);
    for (document, field) in [
        (with_null("/ociVersion"), "ociVersion"),
        (with_null("/root"), "root"),
        (with("/root", json!({})), "root.path"),
        (with_null("/process"), "process"),
        (with_null("/process/cwd"), "process.cwd"),
        (with_null("/process/user"), "process.user"),
        (with_null("/process/args"), "process.args"),
        (with("/process/args", json!([])), "process.args"),
        (
            with(
                "/process/rlimits",
                json!([{"type": "RLIMIT_CPU", "soft": 1}]),
            ),
            "process.rlimits[0].hard",
        ),
        (
            with("/mounts", json!([{"destination": "/a"}, {"type": "proc"}])),
            "mounts[1].destination",
        ),
        (
            with("/linux/namespaces", json!([{}])),
            "linux.namespaces[0].type",
        ),
        (
            with(
                "/linux/devices",
                json!([{"type": "c", "path": "/dev/x", "major": 1}]),
            ),
            "linux.devices[0].minor",
        ),
        (
            with("/linux/uidMappings", json!([{"containerID": 0, "size": 1}])),
            "linux.uidMappings[0].hostID",
        ),
        (
            with("/linux/seccomp", json!({})),
            "linux.seccomp.defaultAction",
        ),
        (
            with("/hooks", json!({"poststop": [{}]})),
            "hooks.poststop[0].path",
        ),
        (
            with("/linux/resources", json!({"devices": [{"access": "r"}]})),
            "linux.resources.devices[0].allow",
        ),
    ] {
        let error = error(&document);
        assert!(
            error.starts_with(&format!("{field}: got none")),
            "{field}: {error}"
        );
    }
    let pipe = json!([{"type": "p", "path": "/dev/pipe"}]);
    config(with("/linux/devices", pipe).to_string().as_bytes()).unwrap();
}

#[test]
fn config_valid_values_others_are_refused_by_their_field() {
    for (pointer, value, field) in [
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}]),
            "process.rlimits[0].type",
        ),
        (
            "/linux/namespaces",
            json!([{"type": "galaxy"}]),
            "linux.namespaces[0].type",
        ),
        (
            "/linux/namespaces",
            json!([{"type": "pid", "path": "ns/pid"}]),
            "linux.namespaces[0].path",
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_NONE"}),
            "linux.seccomp.defaultAction",
        ),
        (
            "/process/user",
            json!({"uid": -1, "gid": 0}),
            "process.user.uid",
        ),
        ("/process/cwd", json!("tmp"), "process.cwd"),
        ("/root", json!({"path": 7}), "root.path"),
        (
            "/linux/resources",
            json!({"memory": {"limit": "1g"}}),
            "linux.resources.memory.limit",
        ),
        (
            "/linux/personality",
            json!({"domain": "UNIX"}),
            "linux.personality.domain",
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_NONE"}),
            "process.scheduler.policy",
        ),
        ("/annotations", json!({"a": 1}), "annotations.a"),
        ("/annotations", json!({"": "x"}), "annotations"),
        (
            "/mounts",
            json!([{"destination": "/a", "uidMappings": []}]),
            "mounts[0]",
        ),
    ] {
        let error = error(&with(pointer, value));
        assert!(error.starts_with(&format!("{field}: ")), "{field}: {error}");
    }
}

#[test]
fn config_linux_process_capabilities_that_are_unknown_are_warned_of() {
    let caps = json!({"bounding": ["CAP_CHOWN", "CAP_MOON"], "ambient": ["CAP_MOON"]});
    let read = config(with("/process/capabilities", caps).to_string().as_bytes()).unwrap();
    assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
    assert!(read.warnings[0].contains("process.capabilities.bounding: \"CAP_MOON\""));
    let caps = read
        .content
        .process()
        .as_ref()
        .unwrap()
        .capabilities()
        .clone()
        .unwrap();
    assert_eq!(caps.bounding().as_ref().unwrap().len(), 1);
}

#[test]
fn config_linux_process_every_flag_of_a_scheduler_is_known() {
    let flags = [
        "SCHED_FLAG_RESET_ON_FORK",
        "SCHED_FLAG_RECLAIM",
        "SCHED_FLAG_DL_OVERRUN",
        "SCHED_FLAG_KEEP_POLICY",
        "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN",
        "SCHED_FLAG_UTIL_CLAMP_MAX",
    ];
    let scheduler = json!({"policy": "SCHED_OTHER", "flags": flags});
    config(with("/process/scheduler", scheduler).to_string().as_bytes()).unwrap();
}

#[test]
fn config_linux_seccomp_errnos_belong_to_some_actions_and_metadata_to_a_listener() {
    for (seccomp, field) in [
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}),
            "linux.seccomp.defaultErrnoRet",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]}),
            "linux.seccomp.syscalls[0].errnoRet",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_KILL"}]}),
            "linux.seccomp.syscalls[0].names",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}),
            "linux.seccomp.listenerMetadata",
        ),
    ] {
        let error = error(&with("/linux/seccomp", seccomp));
        assert!(error.starts_with(&format!("{field}: ")), "{field}: {error}");
    }
}

#[test]
fn a_key_that_is_there_twice_is_named() {
    for (text, path) in [
        (
            r#"{"ociVersion": "1.0.0", "ociVersion": "1.0.1"}"#,
            "ociVersion",
        ),
        (
            r#"{"mounts": [{"destination": "/a"}, {"type": "x", "type": "y"}]}"#,
            "mounts[1].type",
        ),
        (
            r#"{"linux": {"sysctl": {"a": "1", "a": "2"}}}"#,
            "linux.sysctl.a",
        ),
    ] {
        let error = config(text.as_bytes()).unwrap_err();
        assert!(
            error.starts_with(&format!("{path} is there twice")),
            "{error}"
        );
    }
}

#[test]
fn a_text_that_is_cut_or_is_none_says_where() {
    let whole = minimal().to_string();
    for end in 0..whole.len() {
        let error = config(&whole.as_bytes()[..end]).unwrap_err();
        assert!(error.contains("line 1 column"), "{error}");
    }
    for text in ["[]", "7", "\"x\"", "null"] {
        assert_eq!(config(text.as_bytes()).unwrap_err(), "expected an object");
    }
    let error = config(format!("{whole} {{}}").as_bytes()).unwrap_err();
    assert!(error.contains("trailing"), "{error}");
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    assert!(
        config(deep.as_bytes())
            .unwrap_err()
            .contains("recursion limit")
    );
    assert!(config(b"\xff\xfe").is_err());
}
