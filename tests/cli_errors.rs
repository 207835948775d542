//! Bad input on the command line: the right exit code, one line that names what was wrong, and nothing left.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod cli;
mod support;

use cli::{Cli, finish};
use std::fs;
use support::{Need, skip_unless};

/// Checks `run FLAGS -- true` in our rootfs for each case, and that nothing was left.
#[track_caller]
fn refused(cases: &[(&[&str], i32, &[&str])]) {
    let cli = Cli::new();
    for (flags, code, words) in cases {
        cli.run(&[flags, &["--", "true"][..]].concat())
            .fails(*code, words);
    }
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn an_id_that_is_no_id_is_refused_and_named() {
    let long = "a".repeat(300);
    for id in ["", "a/b", "..", ".", "a b", "a\n", "-a.b", "ä"] {
        refused(&[(&[&format!("--id={id}")], 125, &["invalid id"])]);
    }
    refused(&[(
        &["--id", &long],
        125,
        &["invalid id", "300 bytes", "1 to 200"],
    )]);
}

#[test]
fn a_rootfs_that_is_missing_a_file_or_a_link_is_refused_and_named() {
    let cli = Cli::new();
    let link = cli.fs.outside().join("link");
    std::os::unix::fs::symlink(cli.fs.path(), &link).unwrap();
    let file = cli.fs.inside("etc/passwd");
    for (path, word) in [
        ("/no-such-rootfs", "No such file"),
        ("no-such/relative", "No such file"),
        ("", "rootfs"),
        (link.to_str().unwrap(), "symbolic link"),
        (file.to_str().unwrap(), "directory"),
    ] {
        let done = cli.call(&["run", "--rootfs", path, "--", "true"]);
        assert!(matches!(done.code, 125 | 2), "{done:?}");
        done.fails(done.code, &["rootfs", word]);
    }
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_relative_rootfs_starts_at_the_current_directory() {
    let cli = Cli::new();
    for (dir, rootfs) in [
        (cli.fs.all().to_owned(), "rootfs"),
        (cli.fs.all().to_owned(), "./rootfs/"),
        (cli.fs.path(), "."),
    ] {
        let mut command = cli.command(&["run", "--quiet", "--rootfs", rootfs, "--", "cwd"]);
        command.current_dir(dir);
        finish(command, b"").says("/\n");
    }
}

#[test]
fn values_that_do_not_parse_are_usage_errors_that_name_the_flag() {
    refused(&[
        (&["--timeout", "soon"], 2, &["--timeout", "\"soon\"", "10s"]),
        (&["--ulimit", "nope=1"], 2, &["--ulimit", "nofile"]),
        (
            &["--ulimit", "nofile=9:1"],
            2,
            &["--ulimit", "above the hard"],
        ),
        (&["--tmpfs", "opt"], 2, &["--tmpfs", "absolute"]),
        (&["--volume", "/x"], 2, &["--volume", "SRC:DST"]),
        (&["--volume", "/x:/y:zz"], 2, &["--volume", "\"/x:/y:zz\""]),
        (&["--device", "null"], 2, &["--device", "HOST[:CONTAINER]"]),
        (
            &["--network", "bridge"],
            2,
            &["--network", "none, private, host"],
        ),
        (&["--ipc", "container:"], 2, &["--ipc"]),
        (&["--ephemeral=lots"], 2, &["--ephemeral", "64m"]),
        (&["--profile", "lax"], 2, &["--profile", "docker, strict"]),
        (&["--bogus"], 2, &["--bogus"]),
    ]);
}

#[test]
fn an_argument_that_is_not_utf_8_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let cli = Cli::new();
    let mut command = cli.run_command(&["--", "true"]);
    command.arg(OsStr::from_bytes(b"a\xffb"));
    finish(command, b"").fails(2, &["not UTF-8", "\"a\\xFFb\""]);
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn output_that_is_lost_is_an_error_and_a_reader_that_went_away_is_none() {
    let cli = Cli::new();
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["help"],
        &["--version"],
        &["ps"],
        &["drivers"],
        &["doctor"],
        &["stats", "--no-stream"],
    ] {
        let mut full = cli.command(args);
        full.stdout(fs::File::create("/dev/full").unwrap());
        let full = full.output().unwrap();
        let told = String::from_utf8(full.stderr).unwrap();
        assert_eq!(full.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains("No space left on device"), "{args:?}: {told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = cli.command(args);
        closed.stdout(writer);
        let closed = closed.output().unwrap();
        let told = String::from_utf8(closed.stderr).unwrap();
        assert_eq!((closed.status.code(), told.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_value_that_begins_with_a_hyphen_is_judged_as_the_value_of_its_flag() {
    let cli = Cli::new();
    let duration = &["\"-1s\"", "10s"][..];
    for (flags, words) in [
        (["--cpus", "-1"], &["\"-1\"", "0.01 to 8192"][..]),
        (["--memory", "-5"], &["\"-5\"", "-1"]),
        (["--pids-limit", "-x"], &["-x"]),
        (["--blkio-weight", "-1"], &["-1", "65535"]),
        (["--blkio-weight-device", "-1"], &["\"-1\"", "/dev/sda"]),
        (["--device-read-bps", "-1"], &["\"-1\"", "/dev/sda"]),
        (["--hugepages", "-1"], &["\"-1\"", "2MB=64m"]),
        (["--ulimit", "-1"], &["\"-1\""]),
        (["--timeout", "-1s"], duration),
        (["--kill-grace", "-1s"], duration),
    ] {
        let done = cli.run(&[&flags[..], &["--", "true"]].concat());
        done.fails(2, words);
        assert!(done.err.contains(flags[0]), "{done:?}");
        assert!(!done.err.contains("tip:"), "{done:?}");
    }
    for (flags, words) in [
        (["--pids-limit", "-7"], ["pids_limit", "got -7"]),
        (["--cpuset-cpus", "-1"], ["cpuset_cpus", "\"-1\""]),
        (["--cpuset-mems", "-1"], ["cpuset_mems", "\"-1\""]),
        (["--user", "-1"], ["user", "-1"]),
    ] {
        cli.run(&[&flags[..], &["--", "true"]].concat())
            .fails(125, &words);
    }
    cli.call(&["kill", "web", "-9"]).fails(2, &["-9", "SIGNAL"]);
    // As Docker has it, no limit.
    cli.run(&["--pids-limit", "-1", "--memory", "-1", "--", "true"])
        .says("");
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn what_the_container_or_the_host_lacks_is_named() {
    refused(&[
        (
            &["--user", "nobody-such"],
            125,
            &["user", "nobody-such", "/etc/passwd"],
        ),
        (&["--user", "99999999999"], 125, &["user", "99999999999"]),
        (&["--cap-add", "NOPE"], 125, &["cap_add", "NOPE"]),
        (&["--cap-drop", "NOPE"], 125, &["cap_drop", "NOPE"]),
        (
            &["--device", "/dev/no-such"],
            125,
            &["device", "/dev/no-such"],
        ),
        (&["--device", "/etc/passwd"], 125, &["not a device node"]),
        (
            &["--volume", "/no-such-dir:/x"],
            125,
            &["volume", "/no-such-dir"],
        ),
        (
            &["--workdir", "relative"],
            125,
            &["working_dir", "relative"],
        ),
        (&["--hostname", "a b"], 125, &["hostname", "a b"]),
        (&["--network", "container:none-such"], 125, &["none-such"]),
        (
            &["--network", "ns:/no-such-ns"],
            125,
            &["network", "/no-such-ns"],
        ),
        (&["--env", "=x"], 125, &["env", "K=V"]),
        (&["--env", ""], 125, &["env", "K=V"]),
        (&["--driver", "lxc"], 125, &["lxc", "native"]),
        (
            &["--exec-opt", "native.speed=9"],
            125,
            &["native.speed", "native.cgroupdriver"],
        ),
        (
            &["--exec-opt", "native.cgroupdriver=x"],
            125,
            &["native.cgroupdriver", "\"x\""],
        ),
        (&["--exec-opt", "novalue"], 125, &["novalue", "key=value"]),
        (
            &["--privileged", "--profile", "strict"],
            125,
            &["privileged", "docker"],
        ),
    ]);
}

#[test]
fn an_unknown_group_is_named() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    refused(&[
        (&["--group-add", "strangers"], 125, &["group", "strangers"]),
        (
            &["--user", "root:strangers"],
            125,
            &["user", "strangers", "group"],
        ),
    ]);
}

#[test]
fn a_device_directory_without_devices_is_refused() {
    let cli = Cli::new();
    let outside = cli.fs.outside();
    cli.run(&["--device", outside.to_str().unwrap(), "--", "true"])
        .fails(125, &["not a device node"]);
}

#[test]
fn a_missing_verb_or_program_is_a_usage_error() {
    let cli = Cli::new();
    cli.call(&["run"]).fails(2, &["PROGRAM"]);
    cli.call(&["frobnicate"]).fails(2, &["frobnicate"]);
    cli.call(&["kill"]).fails(2, &["ID"]);
    cli.call(&["exec", "web"]).fails(2, &["PROGRAM"]);
    cli.call(&["kill", "web", "NOSUCH"]).fails(2, &["NOSUCH"]);
    cli.call(&["list", "--format", "xml"])
        .fails(2, &["xml", "json"]);
    cli.call(&[]).fails(2, &["no verb"]);
}

#[test]
fn a_command_file_is_held_to_the_exact_words() {
    let cli = Cli::new();
    let file = cli.fs.outside().join("c.json");
    let name = file.to_str().unwrap();
    for (json, words) in [
        ("{", &["invalid command"][..]),
        (r#"{"bogus": 1}"#, &["bogus"]),
        (r#"{"id": 1}"#, &["id", "integer `1`", "string"]),
        (
            r#"{"process_config": {"tty": "yes"}}"#,
            &["process_config.tty", "boolean"],
        ),
        (
            r#"{"hv_partition": true, "pid": {"host_pid": true}}"#,
            &["hv_partition"],
        ),
        (r#"{"oom_score_adj": 99999999999}"#, &["oom_score_adj"]),
    ] {
        fs::write(&file, json).unwrap();
        let done = cli.call(&["run", "--command", name]);
        done.fails(125, words);
        assert!(done.err.contains(name), "{done:?}");
    }
    cli.call(&["run", "--command", "/no-such.json"])
        .fails(125, &["/no-such.json", "No such file"]);
    cli.call(&["run", "--command", name, "--read-only"])
        .fails(2, &["--command", "cannot be used with"]);
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_second_run_of_a_live_id_is_refused_and_the_first_goes_on() {
    let cli = Cli::new();
    let first = cli.started("twice");
    cli.run(&["--id", "twice", "--", "true"])
        .fails(125, &["twice", "exists already"]);
    cli.call(&["kill", "twice", "KILL"]).says("");
    assert_eq!(first.done().code, 137);
    cli.run(&["--id", "twice", "--", "true"]).says("");
}

#[test]
fn what_does_not_run_cannot_be_acted_on() {
    let cli = Cli::new();
    for (args, code) in [
        (&["exec", "ghost", "--", "true"][..], 125),
        (&["kill", "ghost"], 1),
        (&["pids", "ghost"], 1),
    ] {
        cli.call(args).fails(code, &["no container \"ghost\""]);
    }
    // There is nothing of it, which is what was asked for.
    cli.call(&["clean", "ghost"]).says("");
    cli.call(&["kill", "../x"]).fails(1, &["invalid id"]);
}

#[test]
fn a_hostile_word_in_an_error_stays_on_its_line() {
    let cli = Cli::new();
    let done = cli.run(&["--", "no\u{1b}[2J\nsuch"]);
    done.fails(127, &["no\\u{1b}[2J"]);
    assert!(
        !done.err.trim_end().contains(|c: char| c.is_control()),
        "{done:?}"
    );
}
