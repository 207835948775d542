//! The verbs on a container that goes its way, from `create` to `delete`.
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
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use support::{Need, eventually, skip_unless};

#[test]
fn a_container_is_made_started_seen_and_deleted() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/touch", "/tmp/ran"]);
    bundle.edit(|config| config["annotations"] = json!({"a.b": "c"}));
    bundle.create();
    let state = bundle.state();
    assert_eq!(state["status"], "created");
    assert_eq!(state["id"], bundle.id);
    assert_eq!(state["bundle"], bundle.dir().to_str().unwrap());
    assert_eq!(state["annotations"]["a.b"], "c");
    assert!(state["pid"].as_u64().unwrap() > 1);
    let ran = bundle.rootfs.inside("tmp/ran");
    assert!(!ran.exists());
    bundle.done(&["start", &bundle.id]);
    eventually("the program ran", || ran.exists());
    bundle.await_status("stopped");
    assert_eq!(bundle.state()["pid"], 0);
    bundle.done(&["delete", &bundle.id]);
    assert!(!bundle.state_dir().exists());
    assert_eq!(bundle.status(), "none");
}

#[test]
fn a_run_in_the_foreground_passes_output_and_exit_code_on_and_leaves_nothing() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/seq", "echo", "hello", ",", "exit", "7"]);
    let said = bundle.say(&["run", &bundle.id]);
    assert_eq!((said.code(), said.stderr.as_str()), (7, ""));
    assert_eq!(said.stdout.trim(), "hello");
    assert!(!bundle.state_dir().exists());
}

#[test]
fn a_signal_to_a_run_in_the_foreground_is_for_its_program() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    // In the namespace of the host it is no PID 1, which would not die of it.
    bundle.edit(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|one| one["type"] != "pid");
    });
    let mut run = bundle.begin(&["run", &bundle.id]);
    bundle.await_status("running");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(run.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(128 + 15));
    assert_eq!(bundle.status(), "none");
}

#[test]
fn a_program_that_cannot_be_executed_is_told_by_create_in_the_words_that_clients_look_for() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    for (program, words) in [
        (
            "/nope",
            "exec: \"/nope\": stat /nope: no such file or directory",
        ),
        ("nope", "executable file not found in $PATH"),
        ("/etc", "permission denied"),
        ("/etc/passwd", "permission denied"),
    ] {
        let bundle = Bundle::of(&[program]);
        for verb in ["create", "run"] {
            let line = bundle.refused(&[verb, &bundle.id]);
            assert!(line.contains(words), "{verb} {program}: {line}");
            assert!(!bundle.state_dir().exists(), "{verb} {program}");
        }
    }
}

#[test]
fn a_program_that_the_kernel_does_not_know_how_to_execute_is_told_by_start() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/odd"]);
    bundle.rootfs.write("bin/odd", [0, 1, 2, 3]);
    bundle.rootfs.mode("bin/odd", 0o755);
    bundle.create();
    let line = bundle.refused(&["start", &bundle.id]);
    assert!(
        line.contains("exec: \"/bin/odd\": exec format error"),
        "{line}"
    );
    assert_eq!(bundle.status(), "stopped");
    bundle.done(&["delete", &bundle.id]);
}

#[test]
fn an_error_is_one_line_and_in_the_log_an_object_that_clients_parse() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/nope"]);
    let log = bundle.dir().join("log");
    let options = ["--log", log.to_str().unwrap(), "--log-format", "json"];
    let said = bundle.say(&[&options[..], &["create", &bundle.id]].concat());
    assert_eq!(said.code(), 1);
    let text = fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["level"], "error");
    assert_eq!(line["msg"], said.stderr.trim());
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn an_exec_has_its_own_status_user_directory_and_environment() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.run_detached();
    let id = bundle.id.as_str();
    let said = bundle.say(&["exec", id, "/bin/exit", "3"]);
    assert_eq!((said.code(), said.stderr.as_str()), (3, ""));
    let exec = |options: &[&str], command: &[&str]| {
        let args = [&["exec"], options, &[id], command].concat();
        bundle.say(&args).stdout
    };
    assert_eq!(exec(&["--cwd", "/tmp"], &["/bin/cwd"]).trim(), "/tmp");
    assert!(exec(&["--env", "A=b"], &["/bin/env"]).contains("A=b"));
    let whole = exec(&["--user", "1000:100"], &["/bin/id"]);
    assert!(whole.contains("1000") && whole.contains("100"), "{whole}");
    let process = bundle.dir().join("process.json");
    let document = json!({
        "args": ["/bin/env"], "cwd": "/", "env": ["ONLY=this"], "user": {"uid": 0, "gid": 0},
    });
    fs::write(&process, document.to_string()).unwrap();
    let env = exec(&["--process", process.to_str().unwrap()], &[]);
    assert!(
        env.starts_with("ONLY=this\n") && !env.contains("TERM="),
        "{env}"
    );
    // Its own failures are not to be taken for the program's.
    let said = bundle.say(&["exec", id, "/nope"]);
    assert_eq!(said.code(), 255);
    assert!(
        said.stderr
            .contains("stat /nope: no such file or directory")
    );
}

#[test]
fn a_detached_exec_writes_its_pid_and_is_left_to_itself() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.run_detached();
    let file = bundle.dir().join("pid");
    let options = ["exec", "--detach", "--pid-file", file.to_str().unwrap()];
    bundle.done(&[&options[..], &[&bundle.id, "/bin/pause"]].concat());
    let pid: u64 = fs::read_to_string(&file).unwrap().parse().unwrap();
    let pids = || -> Vec<u64> {
        serde_json::from_str(&bundle.done(&["ps", "--format", "json", &bundle.id])).unwrap()
    };
    assert!(pids().contains(&pid), "{pid} in {:?}", pids());
    bundle.done(&["kill", "--all", &bundle.id, "KILL"]);
    bundle.await_status("stopped");
    bundle.done(&["delete", &bundle.id]);
}

#[test]
fn signals_go_by_number_and_by_name() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    for signal in ["9", "KILL", "SIGKILL", "sigkill"] {
        let bundle = Bundle::of(&["/bin/pause"]);
        bundle.create();
        bundle.done(&["kill", &bundle.id, signal]);
        bundle.await_status("stopped");
        bundle.done(&["delete", &bundle.id]);
    }
}

#[test]
fn a_paused_container_stands_still_refuses_an_exec_and_goes_on() {
    if skip_unless(&[Need::Root, Need::Freezer]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.run_detached();
    bundle.done(&["pause", &bundle.id]);
    assert_eq!(bundle.status(), "paused");
    let said = bundle.say(&["exec", &bundle.id, "/bin/true"]);
    assert_eq!(said.code(), 255);
    assert!(said.stderr.contains("paused"), "{said:?}");
    let mut waits = bundle.begin(&["exec", "--ignore-paused", &bundle.id, "/bin/exit", "4"]);
    assert!(waits.try_wait().unwrap().is_none());
    bundle.done(&["resume", &bundle.id]);
    assert_eq!(waits.wait().unwrap().code(), Some(4));
    assert_eq!(bundle.status(), "running");
    bundle.done(&["pause", &bundle.id]);
    bundle.done(&["delete", "--force", &bundle.id]);
    assert_eq!(bundle.status(), "none");
}

#[test]
fn the_list_has_every_container_in_each_form() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.create();
    let list: Value = serde_json::from_str(&bundle.done(&["list", "--format", "json"])).unwrap();
    assert_eq!(list[0]["id"], bundle.id);
    assert_eq!(list[0]["status"], "created");
    assert_eq!(bundle.done(&["list", "--quiet"]).trim(), bundle.id);
    let table = bundle.done(&["list"]);
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert!(table.lines().nth(1).unwrap().starts_with(&bundle.id));
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is_one() {
    let asked = |verb: &str, out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_execdriver-oci"));
        command.arg(verb).stdout(out).output().unwrap()
    };
    for verb in ["features", "--version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = asked(verb, writer.into());
        assert!(gone.status.success() && gone.stderr.is_empty(), "{gone:?}");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let full = asked(verb, full.into());
        let told = String::from_utf8_lossy(&full.stderr);
        assert_eq!((full.status.code(), told.lines().count()), (Some(1), 1));
        assert!(told.contains("standard output"), "{told}");
    }
}
