//! What is wrong with the JSON of a command or of stats is said with the key's name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use execdriver_core::{Command, Error, ResourceStats};

/// The field and the reason of an `InvalidCommand`.
#[track_caller]
fn invalid<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::InvalidCommand { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refuses_json(cases: &[(&str, &str, &str)]) {
    for (json, expected, words) in cases {
        let (field, reason) = invalid(Command::from_json(json));
        assert_eq!(&field, expected, "{json}: {reason}");
        assert!(reason.contains(words), "{json}: {reason}");
    }
}

#[test]
fn text_that_is_not_one_json_object_is_refused() {
    refuses_json(&[
        ("", "command", "EOF"),
        ("{", "command", "EOF"),
        ("{} x", "command", "trailing characters"),
        ("[]", "command", "list, expected an object"),
        ("null", "command", "null, expected an object"),
        ("3", "command", "integer `3`, expected an object"),
        ("{\"id\":\"\u{1}\"}", "id", "control character"),
    ]);
    invalid(Command::from_json([
        b'{', b'"', 0xff, b'"', b':', b'1', b'}',
    ]));
}

#[test]
fn an_unknown_key_is_named() {
    refuses_json(&[
        (r#"{"foo":1}"#, "foo", "unknown field `foo`"),
        (r#"{"ID":"a"}"#, "ID", "unknown field `ID`"),
        (
            r#"{"process_config":{"env":[]}}"#,
            "process_config.env",
            "unknown",
        ),
        (
            r#"{"mounts":[{},{"bar":1}]}"#,
            "mounts[1].bar",
            "unknown field `bar`",
        ),
        (r#"{"ipc":{"host":true}}"#, "ipc.host", "expected one of"),
    ]);
    let (field, _) = invalid(ResourceStats::from_json(r#"{"CgroupStats":{"x":1}}"#));
    assert_eq!(field, "CgroupStats.x");
}

#[test]
fn a_key_of_a_wrong_type_is_named_with_what_was_expected() {
    refuses_json(&[
        (r#"{"id":1}"#, "id", "integer `1`, expected a string"),
        (r#"{"id":null}"#, "id", "null, expected a string"),
        (
            r#"{"process_config":null}"#,
            "process_config",
            "expected an object",
        ),
        (
            r#"{"process_config":{"tty":1}}"#,
            "process_config.tty",
            "expected a boolean",
        ),
        (
            r#"{"process_config":{"arguments":[1]}}"#,
            "process_config.arguments[0]",
            "a string",
        ),
        (r#"{"mounts":{}}"#, "mounts", "object, expected a list"),
        (
            r#"{"mounts":[null]}"#,
            "mounts[0]",
            "null, expected an object",
        ),
        (
            r#"{"mounts":[["a"]]}"#,
            "mounts[0]",
            "list, expected an object",
        ),
        (
            r#"{"mounts":[{"mountpropagation":"up"}]}"#,
            "mounts[0].mountpropagation",
            "`up`",
        ),
        (r#"{"ipc":[]}"#, "ipc", "list, expected an object"),
        (
            r#"{"profile":"lax"}"#,
            "profile",
            "expected `docker` or `strict`",
        ),
        (
            r#"{"profile":{"strict":null}}"#,
            "profile",
            "expected a string",
        ),
        (r#"{"sysctl":[]}"#, "sysctl", "expected an object or null"),
        (r#"{"sysctl":{"a":1}}"#, "sysctl.a", "expected a string"),
        (
            r#"{"network":{"interface":{"port_bindings":{"80/tcp":[["",""]]}}}}"#,
            "network.interface.port_bindings.80/tcp[0]",
            "expected an object",
        ),
        (
            r#"{"resources":{"memory":1.5}}"#,
            "resources.memory",
            "floating point `1.5`",
        ),
    ]);
    let (field, _) = invalid(ResourceStats::from_json(r#"{"read":"yesterday"}"#));
    assert_eq!(field, "read");
}

#[test]
fn a_number_out_of_range_is_named_with_its_range() {
    refuses_json(&[
        (
            r#"{"resources":{"blkio_weight":70000}}"#,
            "resources.blkio_weight",
            "0 to 65535",
        ),
        (
            r#"{"resources":{"memory":9223372036854775808}}"#,
            "resources.memory",
            "expected -9223372036854775808 to 9223372036854775807",
        ),
        (
            r#"{"oom_score_adj":3000000000}"#,
            "oom_score_adj",
            "expected -2147483648 to",
        ),
        (
            r#"{"autocreated_devices":[{"uid":-1}]}"#,
            "autocreated_devices[0].uid",
            "4294967295",
        ),
        (
            r#"{"autocreated_devices":[{"type":1}]}"#,
            "autocreated_devices[0].type",
            "99 (c)",
        ),
        (
            r#"{"remap_root":{"root_uid":4294967296}}"#,
            "remap_root.root_uid",
            "4294967296",
        ),
        (
            r#"{"process_config":{"console_size":[1,70000]}}"#,
            "process_config.console_size[1]",
            "0 to 65535",
        ),
    ]);
}

#[test]
fn a_key_twice_is_refused() {
    refuses_json(&[
        (r#"{"id":"a","id":"a"}"#, "command", "duplicate field `id`"),
        (
            r#"{"ipc":{"host_ipc":true,"host_ipc":true}}"#,
            "ipc",
            "duplicate field `host_ipc`",
        ),
        (
            r#"{"sysctl":{"a":"1","a":"2"}}"#,
            "sysctl",
            "duplicate key `a`",
        ),
    ]);
}

#[test]
fn keys_of_both_platforms_are_refused_and_both_named() {
    refuses_json(&[
        (
            r#"{"first_start":true,"cap_add":null}"#,
            "first_start",
            "`cap_add`",
        ),
        (
            r#"{"first_start":true,"mounts":[{},{"data":""}]}"#,
            "first_start",
            "`mounts[1].data`",
        ),
        (
            r#"{"network":{"mtu":1,"interface":null}}"#,
            "network.interface",
            "`network.mtu`",
        ),
        (
            r#"{"process_config":{"user":""},"layer_paths":null}"#,
            "layer_paths",
            "`process_config.user`",
        ),
        (
            r#"{"resources":{"rlimits":null},"endpoints":null}"#,
            "endpoints",
            "`resources.rlimits`",
        ),
    ]);
}

#[test]
fn only_common_keys_make_a_linux_command_and_nested_keys_decide_too() {
    for (json, platform) in [
        (r#"{"id":"a"}"#, "linux"),
        (r#"{"hostname":"a"}"#, "linux"),
        (r#"{"network":{"interface":null}}"#, "windows"),
        (r#"{"layer_folder":""}"#, "windows"),
        (r#"{"mounts":[{"data":""}]}"#, "linux"),
    ] {
        assert_eq!(
            Command::from_json(json).unwrap().platform.name(),
            platform,
            "{json}"
        );
    }
}

#[test]
fn null_and_empty_lists_are_the_same() {
    let null = Command::from_json(r#"{"mounts":null,"sysctl":null,"cap_add":null}"#).unwrap();
    let empty = Command::from_json(r#"{"mounts":[],"sysctl":{},"cap_add":[]}"#).unwrap();
    assert_eq!(null, empty);
    assert_eq!(null, Command::default());
}
