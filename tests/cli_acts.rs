//! The verbs on a container that runs: exec, kill, pids, list, clean; and drivers and doctor.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod cli;
mod support;

use cli::{Cli, finish, start};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A running container, acted on and then killed.
fn with_container(work: impl FnOnce(&Cli, &str)) {
    let cli = Cli::new();
    let id = support::unique_id("acts");
    let going = cli.started(&id);
    work(&cli, &id);
    cli.call(&["kill", &id, "--signal", "KILL"]).says("");
    assert_eq!(going.done().code, 137);
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn exec_runs_one_more_program_and_gives_its_code() {
    with_container(|cli, id| {
        cli.call(&["exec", id, "--", "hostname"])
            .says(&format!("{id}\n"));
        cli.call(&["exec", id, "args", "-t", "--x"])
            .says("-t\n--x\n");
        for (program, code) in [
            (&["exit", "7"][..], 7),
            (&["signal", "9"], 137),
            (&["no-such"], 127),
            (&["/etc"], 126),
        ] {
            let done = cli.call(&[&["exec", id, "--"][..], program].concat());
            assert_eq!(done.code, code, "{program:?} {done:?}");
        }
        let done = cli.call(&["exec", "--timeout", &cli::timeout(200), id, "--", "pause"]);
        assert_eq!((done.code, done.err.as_str()), (124, ""));
    });
}

#[test]
fn exec_has_env_workdir_user_input_and_privileges() {
    with_container(|cli, id| {
        let done = cli.call(&["exec", "-e", "A=b", id, "--", "env"]);
        assert!(done.out.lines().any(|line| line == "A=b"), "{done:?}");
        cli.call(&["exec", "-w", "/var", id, "--", "cwd"])
            .says("/var\n");
        cli.call(&["exec", "-w", "/none", id, "--", "cwd"])
            .fails(125, &["/none"]);
        cli.call(&["exec", "-u", "nobody-such", id, "--", "id"])
            .fails(125, &["nobody-such"]);
        finish(cli.command(&["exec", "-i", id, "--", "drain"]), b"12345").says("5\n");
        let plain = cli.call(&["exec", id, "--", "status", "CapEff"]).out;
        let all = cli
            .call(&["exec", "--privileged", id, "--", "status", "CapEff"])
            .out;
        assert_ne!(plain, all);
        if support::is_root() {
            let done = cli.call(&["exec", "-u", "daemon", id, "--", "id"]);
            assert!(done.out.starts_with("uid=1 1 1 gid=1 1 1"), "{done:?}");
        }
    });
}

#[test]
fn kill_takes_names_and_numbers_and_reaches_an_exec() {
    let cli = Cli::new();
    for word in ["USR1", "SIGUSR1", "usr1", "10"] {
        let going = start(cli.run_command(&["--id", "k", "--", "trap", "USR1"]));
        cli.wait_for("k");
        cli.call(&["kill", "k", word]).says("");
        going.done().says("ready\ngot SIGUSR1\n");
    }
    with_container(|cli, id| {
        let exec = start(cli.command(&["exec", "--exec-id", "e1", id, "--", "trap", "HUP"]));
        support::eventually("the exec is hit", || {
            cli.call(&["kill", id, "--exec", "e1", "-s", "0"]).code == 0
        });
        std::thread::sleep(std::time::Duration::from_millis(200));
        cli.call(&["kill", id, "--exec", "e1", "HUP"]).says("");
        exec.done().says("ready\ngot SIGHUP\n");
        let none = format!("container {id:?} has no exec \"e1\"");
        cli.call(&["kill", id, "--exec", "e1"]).fails(1, &[&none]);
    });
}

#[test]
fn pids_and_list_are_stable_json_and_tables() {
    with_container(|cli, id| {
        let pids = json(&cli.call(&["pids", id, "--format", "json"]).out);
        let pids: Vec<u64> = pids
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert_eq!(pids.len(), 2, "init and the program: {pids:?}");
        let table = cli.call(&["pids", id]).out;
        assert_eq!(table.lines().next(), Some("PID"));
        let listed = json(&cli.call(&["list", "--format", "json"]).out);
        let one = &listed.as_array().unwrap()[0];
        let keys: Vec<&str> = one
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["command", "id", "pid", "started_unix_ms", "state"]);
        assert_eq!((&one["id"], &one["state"]), (&id.into(), &"running".into()));
        assert!(pids.contains(&one["pid"].as_u64().unwrap()));
        cli.call(&["list", "-q"]).says(&format!("{id}\n"));
        let table = cli.call(&["list"]).out;
        assert!(table.starts_with("ID "), "{table}");
        assert!(
            table.lines().nth(1).unwrap().contains("ignore-term"),
            "{table}"
        );
    });
}

#[test]
fn a_hostile_command_line_is_escaped_in_the_table() {
    let cli = Cli::new();
    let going = start(cli.run_command(&["--id", "h", "--", "sleep", "60", "\u{1b}[2J\nx\u{202e}"]));
    cli.wait_for("h");
    let table = cli.call(&["list"]).out;
    assert_eq!(table.lines().count(), 2, "{table:?}");
    assert!(table.contains("\\u{1b}[2J\\nx\\u{202e}"), "{table:?}");
    cli.call(&["kill", "h", "9"]).says("");
    going.done();
}

#[test]
fn clean_spares_what_runs_unless_forced() {
    let cli = Cli::new();
    let going = cli.started("live");
    let refused = cli.call(&["clean", "live"]);
    refused.fails(1, &["\"live\" is running", "clean --force"]);
    assert!(!refused.err.contains("terminate"), "{refused:?}");
    cli.call(&["clean", "--all"]).says("");
    cli.call(&["list", "-q"]).says("live\n");
    cli.call(&["clean", "--force", "live"]).says("");
    assert_eq!(going.done().code, 137);
    let (one, two) = (cli.started("one"), cli.started("two"));
    cli.call(&["clean", "--all", "--force"]).says("");
    assert_eq!((one.done().code, two.done().code), (137, 137));
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn drivers_and_doctor_are_readable_by_people_and_programs() {
    let cli = Cli::new();
    cli.call(&["drivers"]).says("NAME    DEFAULT\nnative  *\n");
    let drivers = json(&cli.call(&["drivers", "--format", "json"]).out);
    assert_eq!(
        drivers,
        serde_json::json!([{"name": "native", "default": true}])
    );
    let text = cli.call(&["doctor"]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    assert!(text.out.starts_with("driver native\n") && text.out.contains("on this host"));
    let controls = json(&cli.call(&["doctor", "--format", "json"]).out);
    for control in controls.as_array().unwrap() {
        let missing = control["state"] == "unavailable";
        let told = |key: &str| control[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(!missing || told("reason") && told("mend"), "{control}");
    }
    let has = |name: &str| {
        let wanted = |c: &Value| c["group"] == "seccomp" && c["name"] == name;
        controls.as_array().unwrap().iter().any(wanted)
    };
    assert!(has("filter") && has("notify"), "{controls}");
}

#[test]
fn every_verb_has_help_on_standard_output() {
    let cli = Cli::new();
    for verb in [
        "run", "exec", "kill", "list", "pids", "pause", "unpause", "stats", "clean", "drivers",
        "doctor",
    ] {
        let done = cli.call(&[verb, "--help"]);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{verb}");
        assert!(done.out.contains("Usage: execdriver"), "{verb}");
        assert!(
            done.out.lines().all(|line| line.chars().count() <= 100),
            "{}",
            done.out
        );
    }
    assert!(!cli.call(&["--help"]).out.contains("__tty-guard"));
}

#[test]
fn the_help_shows_examples_under_headings_and_wraps_no_line_badly() {
    let cli = Cli::new();
    let help = cli.call(&["run", "--help"]).out;
    for heading in [
        "Usage: execdriver run [OPTIONS] [--] PROGRAM",
        "Process:",
        "File system:",
        "Isolation:",
        "Privileges:",
        "Global options:",
        "Examples:",
        "Exit code:",
    ] {
        assert!(help.contains(heading), "{heading}");
    }
    for verb in ["run", "exec", "kill", "pause", "stats", "clean"] {
        let text = cli.call(&[verb, "--help"]).out;
        let stray = text.lines().find(|line| {
            !line.is_empty()
                && !line.starts_with(' ')
                && !line.contains(' ')
                && !line.ends_with([':', '.'])
        });
        assert_eq!(stray, None, "{text}");
    }
}

#[test]
fn strict_names_what_the_host_does_not_enforce_and_else_it_is_a_warning() {
    let cli = Cli::new();
    let done = cli.run(&["--strict", "--", "true"]);
    let rootfs = cli.fs.path();
    let root = rootfs.to_str().unwrap();
    let loud = cli.call(&["run", "--rootfs", root, "--", "true"]);
    assert_eq!(loud.code, 0);
    if done.code != 0 {
        done.fails(125, &["strict", "host"]);
        let begin = "execdriver: WARNING: not enforced on this host: ";
        assert!(loud.err.starts_with(begin), "{loud:?}");
        assert_eq!(loud.err.lines().count(), 1, "{loud:?}");
    } else {
        assert_eq!(loud.err, "");
    }
    cli.run(&["--", "true"]).says("");
    assert_eq!(cli.left(), [""; 0]);
}
