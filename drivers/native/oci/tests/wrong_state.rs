//! What bad input and verbs in the wrong state get: one line, code 1, and nothing changed.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use std::fs;
use support::{Need, eventually, skip_unless};

#[test]
fn a_container_that_is_not_there_is_said_to_be_so() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/true"]);
    for verb in [
        "state", "start", "delete", "pause", "resume", "ps", "events",
    ] {
        let line = bundle.refused(&[verb, "nobody"]);
        assert!(
            line.contains("container \"nobody\" does not exist"),
            "{verb}: {line}"
        );
    }
    let line = bundle.refused(&["kill", "nobody", "9"]);
    assert!(line.contains("does not exist"), "{line}");
    let said = bundle.say(&["exec", "nobody", "/bin/true"]);
    assert_eq!(said.code(), 255);
    bundle.done(&["delete", "--force", "nobody"]);
}

#[test]
fn verbs_in_the_wrong_state_say_which_it_is() {
    if skip_unless(&[Need::Root, Need::Freezer]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    let id = bundle.id.as_str();
    let refused = |args: &[&str], words: &str| {
        let line = bundle.refused(&[args, &[id]].concat());
        assert!(line.contains(words), "{args:?}: {line}");
    };
    bundle.create();
    refused(&["create"], "container with given ID already exists");
    refused(&["run"], "container with given ID already exists");
    refused(
        &["resume"],
        "cannot resume a container in the created state",
    );
    bundle.done(&["start", id]);
    refused(&["start"], "cannot start a container in the running state");
    refused(
        &["resume"],
        "cannot resume a container in the running state",
    );
    refused(&["delete"], "that is not stopped: running");
    bundle.done(&["pause", id]);
    refused(&["start"], "cannot start a container in the paused state");
    refused(&["pause"], "cannot pause a container in the paused state");
    refused(&["delete"], "that is not stopped: paused");
    bundle.done(&["kill", id, "KILL"]);
    bundle.await_status("stopped");
    refused(&["start"], "cannot start a container in the stopped state");
    refused(&["kill"], "container not running");
    refused(&["pause"], "container not running");
    refused(&["ps"], "container not running");
    refused(&["update", "--memory", "1000000"], "container not running");
    refused(&["create"], "container with given ID already exists");
    // What clients send to a container whose first process is no more.
    bundle.done(&["kill", "--all", id, "9"]);
    bundle.done(&["delete", id]);
    refused(&["delete"], "does not exist");
}

#[test]
fn a_container_that_is_not_started_can_be_paused_and_tells_what_it_uses() {
    if skip_unless(&[Need::Root, Need::Freezer]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    let id = bundle.id.as_str();
    let used = |status: &str| {
        let used = bundle.used();
        assert_eq!(used["pids"]["current"], 1, "{status}: {used}");
        assert_eq!(bundle.status(), status);
    };
    bundle.create();
    used("created");
    bundle.done(&["pause", id]);
    used("paused");
    for verb in ["start", "pause"] {
        let line = bundle.refused(&[verb, id]);
        let words = format!("cannot {verb} a container in the paused state");
        assert!(line.contains(&words), "{line}");
    }
    bundle.done(&["resume", id]);
    used("created");
    bundle.done(&["start", id]);
    used("running");
    bundle.done(&["delete", "--force", id]);
    // One that was never let go on again can be ended too.
    bundle.create();
    bundle.done(&["pause", id]);
    bundle.done(&["kill", id, "KILL"]);
    bundle.await_status("stopped");
    bundle.done(&["delete", id]);
}

#[test]
fn events_of_a_container_that_is_not_started_go_on_until_its_end() {
    if skip_unless(&[Need::UserNamespaces, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.create();
    let (mut events, out) = bundle.events();
    let told = || fs::read_to_string(&out).unwrap().lines().count();
    eventually("an event", || told() > 0);
    // Whoever has read enough ends it without a word.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut unread = bundle.command(&["events", "--interval", "50ms", &bundle.id]);
    let unread = unread.stdout(writer).output().unwrap();
    assert_eq!((unread.status.code(), unread.stderr), (Some(0), Vec::new()));
    bundle.done(&["start", &bundle.id]);
    let before = told();
    eventually("an event of the program", || told() > before);
    bundle.done(&["kill", &bundle.id, "KILL"]);
    assert!(events.wait().unwrap().success());
}

#[test]
fn a_document_that_cannot_be_read_leaves_nothing_behind() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/true"]);
    let config = bundle.dir().join("config.json");
    let whole = fs::read_to_string(&config).unwrap();
    let half = &whole[..whole.len() / 2];
    let huge = " ".repeat(17 << 20);
    for text in ["", "{", half, huge.as_str(), "{\"ociVersion\": 1}"] {
        fs::write(&config, text).unwrap();
        let line = bundle.refused(&["create", &bundle.id]);
        assert!(line.contains("config.json"), "{line}");
        assert!(!bundle.state_dir().exists());
    }
    fs::remove_file(&config).unwrap();
    let line = bundle.refused(&["create", &bundle.id]);
    assert!(line.contains("config.json: no such file"), "{line}");
    let line = bundle.refused(&["create", "--bundle", "/nowhere", &bundle.id]);
    assert!(line.contains("bundle /nowhere"), "{line}");
}

#[test]
fn a_wrong_command_line_is_code_1_and_one_line_that_is_in_the_log_too() {
    let bundle = Bundle::of(&["/bin/true"]);
    let log = bundle.dir().join("log");
    for (args, words) in [
        (&["no-such-verb"][..], "no-such-verb"),
        (&["create"], "<ID>"),
        (&["create", "--bogus", "x"], "--bogus"),
        (&["kill", "x", "NOSIGNAL"], "NOSIGNAL"),
        (&["update", "--memory", "much", "x"], "--memory"),
        (&["update", "--memory", "-5", "x"], "memory.limit: got -5"),
        (&["--log-format", "yaml", "list"], "yaml"),
        (&[], "verb"),
    ] {
        let line = bundle.refused(args);
        assert!(line.contains(words), "{args:?}: {line}");
        let logged = ["--log", log.to_str().unwrap(), "--log-format", "json"];
        if args.first() != Some(&"--log-format") {
            assert_eq!(line, bundle.refused(&[&logged, args].concat()));
            let text = fs::read_to_string(&log).unwrap();
            let told: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&told["level"], &told["msg"]),
                (&"error".into(), &line.into())
            );
            fs::remove_file(&log).unwrap();
        }
    }
    assert_eq!(bundle.say(&["--help"]).code(), 0);
    let version = bundle.done(&["--version"]);
    assert!(version.starts_with("execdriver-oci version "));
    assert_eq!(bundle.done(&["version"]), version);
}

#[test]
fn output_that_is_lost_is_an_error_and_a_reader_that_went_away_is_none() {
    let bundle = Bundle::of(&["/bin/true"]);
    for args in [
        &["--help"][..],
        &["create", "--help"],
        &["--version"],
        &["list"],
        &["features"],
    ] {
        let mut full = bundle.command(args);
        full.stdout(fs::File::create("/dev/full").unwrap());
        let full = full.output().unwrap();
        let told = String::from_utf8(full.stderr).unwrap();
        assert_eq!(full.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains("no space left on device"), "{args:?}: {told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = bundle.command(args);
        closed.stdout(writer);
        let closed = closed.output().unwrap();
        let told = String::from_utf8(closed.stderr).unwrap();
        assert_eq!((closed.status.code(), told.as_str()), (Some(0), ""));
    }
}

#[test]
fn an_error_that_nobody_reads_changes_no_exit_code() {
    let bundle = Bundle::of(&["/bin/true"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = bundle.command(&["state", "nobody"]);
    command.stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn an_argument_that_is_not_utf_8_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bundle = Bundle::of(&["/bin/true"]);
    let mut command = bundle.command(&["state"]);
    command.arg(OsStr::from_bytes(b"a\xffb"));
    let said = bundle.say_with(command);
    assert_eq!(said.code(), 1);
    assert!(said.stderr.contains("not UTF-8: \"a\\xFFb\""), "{said:?}");
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_before_anything_is_done() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let missing = "open /nope/x: no such file or directory";
    let bundle = Bundle::of(&["/bin/true"]);
    let line = bundle.refused(&["--log", "/nope/x", "create", &bundle.id]);
    assert!(line.starts_with(missing), "{line}");
    assert!(!bundle.state_dir().exists());
    let line = bundle.refused(&["--log", "/nope/x", "features"]);
    assert!(line.starts_with(missing), "{line}");
    let directory = bundle.dir().to_str().unwrap();
    let line = bundle.refused(&["--log", directory, "list"]);
    assert!(line.contains("is a directory"), "{line}");
    let version = bundle.done(&["--log", "/nope/x", "--version"]);
    assert!(version.starts_with("execdriver-oci"), "{version}");
    let log = bundle.dir().join("log");
    bundle.done(&["--log", log.to_str().unwrap(), "list"]);
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
}

#[test]
fn an_update_of_what_this_host_has_not_got_changes_nothing_and_of_kernel_memory_warns() {
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    let id = bundle.id.as_str();
    bundle.run_detached();
    let limit = || bundle.used()["memory"]["usage"]["limit"].clone();
    let before = limit();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for (option, value) in [
        ("--l3-cache-schema", "L3:0=f"),
        ("--mem-bw-schema", "MB:0=50"),
    ] {
        let line = bundle.refused(&["update", "--memory", "64m", option, value, id]);
        let without = match mounts.contains(" - resctrl ") {
            true => "a container that was made without it",
            false => "resctrl is not mounted",
        };
        assert!(line.contains("linux.intelRdt"), "{line}");
        assert!(line.contains(without), "{line}");
        assert_eq!(limit(), before);
    }
    for option in ["--kernel-memory", "--kernel-memory-tcp"] {
        let said = bundle.say(&["update", option, "100m", "--memory", "64m", id]);
        assert_eq!(said.code(), 0, "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        assert!(said.stderr.contains("kernel memory"), "{said:?}");
        let line = bundle.refused(&["update", option, "much", id]);
        assert!(line.contains(option), "{line}");
    }
    assert_eq!(limit(), 64 << 20);
    // Each option takes the word after it.
    for option in ["--cpu-share", "--cpu-rt-runtime", "--blkio-weight"] {
        let line = bundle.refused(&["update", option, "-x", id]);
        assert!(line.contains("'-x'") && line.contains(option), "{line}");
    }
}

#[test]
fn a_terminal_has_to_go_somewhere_and_a_socket_has_to_get_one() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/true"]);
    let line = bundle.refused(&["create", "--console-socket", "/tmp/none", &bundle.id]);
    assert!(line.contains("process.terminal is false"), "{line}");
    bundle.edit(|config| config["process"]["terminal"] = true.into());
    let line = bundle.refused(&["create", &bundle.id]);
    assert!(line.contains("without --console-socket"), "{line}");
    // Nobody listens: what was made is removed again.
    let line = bundle.refused(&["create", "--console-socket", "/nowhere/s", &bundle.id]);
    assert!(line.contains("console socket /nowhere/s"), "{line}");
    assert!(!bundle.state_dir().exists());
}
