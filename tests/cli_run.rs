//! The flags of `run --rootfs`: each shows inside what it says.
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
use support::{Need, is_root, skip_unless};

/// The link of one of this process's own namespaces.
fn own_namespace(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    link.to_string_lossy().into_owned()
}

#[test]
fn env_sets_a_value_or_takes_the_callers() {
    let cli = Cli::new();
    let mut command = cli.run_command(&[
        "--env",
        "A=b=c",
        "-e",
        "EMPTY=",
        "-e",
        "MINE",
        "-e",
        "NOT_SET_ANYWHERE",
        "--",
        "env",
    ]);
    command.env("MINE", "hers").env_remove("NOT_SET_ANYWHERE");
    let done = finish(command, b"");
    let has = |line: &str| done.out.lines().any(|l| l == line);
    assert!(
        has("A=b=c") && has("EMPTY=") && has("MINE=hers"),
        "{done:?}"
    );
    assert!(has("HOME=/root") || has("HOME=/"), "{done:?}");
    assert!(done.out.contains("PATH=/usr/local/sbin:"), "{done:?}");
    assert!(!done.out.contains("NOT_SET_ANYWHERE"), "{done:?}");
    assert!(!done.out.contains("CARGO"), "{done:?}");
}

#[test]
fn workdir_hostname_and_id_are_seen_inside() {
    let cli = Cli::new();
    cli.run(&["--workdir", "/var", "--", "cwd"]).says("/var\n");
    cli.run(&["--hostname", "box", "--", "hostname"])
        .says("box\n");
    cli.run(&["--id", "web-1", "--", "hostname"])
        .says("web-1\n");
}

#[test]
fn user_is_by_name_or_number() {
    let cli = Cli::new();
    cli.run(&["--user", "root", "--", "true"]).says("");
    if skip_unless(&[Need::Root]) {
        return;
    }
    let done = cli.run(&["--user", "daemon", "--", "id"]);
    assert!(done.out.starts_with("uid=1 1 1 gid=1 1 1"), "{done:?}");
    let done = cli.run(&["--user", "12:34", "--group-add", "audio", "--", "id"]);
    assert!(
        done.out.starts_with("uid=12 12 12 gid=34 34 34"),
        "{done:?}"
    );
    assert!(done.out.contains("29"), "{done:?}");
}

#[test]
fn an_ordinary_users_container_has_one_user_and_says_so() {
    if skip_unless(&[Need::OrdinaryUser]) {
        return;
    }
    let cli = Cli::new();
    for user in ["12:34", "daemon", "nobody"] {
        cli.run(&["--user", user, "--", "true"])
            .fails(125, &["process_config.user"]);
    }
}

#[test]
fn volumes_are_writable_unless_ro() {
    let cli = Cli::new();
    let outside = cli.fs.outside();
    let path = outside.to_str().unwrap();
    cli.run(&["-v", &format!("{path}:/data"), "--", "touch", "/data/new"])
        .says("ok\n");
    assert!(outside.join("new").exists());
    let done = cli.run(&[
        "-v",
        &format!("{path}:/data:ro"),
        "--",
        "touch",
        "/data/two",
    ]);
    assert!(done.out.contains("EROFS"), "{done:?}");
    let mut command = cli.command(&[
        "run",
        "--quiet",
        "--rootfs",
        "rootfs",
        "-v",
        "outside:/data",
        "--",
    ]);
    command.args(["ls", "/data"]).current_dir(cli.fs.all());
    finish(command, b"").says("new\n");
}

#[test]
fn tmpfs_takes_options() {
    let cli = Cli::new();
    let done = cli.run(&["--tmpfs", "/opt:size=64k,mode=700", "--", "mounts"]);
    let line = done
        .out
        .lines()
        .find(|line| line.contains(" /opt "))
        .unwrap_or_default();
    assert!(
        line.contains("size=64k") && line.contains("mode=700"),
        "{done:?}"
    );
    cli.run(&["--tmpfs", "/var", "--", "touch", "/var/x"])
        .says("ok\n");
    assert!(!cli.fs.inside("var/x").exists());
}

#[test]
fn read_only_is_read_only_and_ephemeral_is_thrown_away() {
    let cli = Cli::new();
    let done = cli.run(&["--read-only", "--", "touch", "/x"]);
    assert!(done.out.contains("EROFS"), "{done:?}");
    cli.run(&["--", "touch", "/kept"]).says("ok\n");
    assert!(cli.fs.inside("kept").exists());
    if skip_unless(&[Need::Overlay]) {
        return;
    }
    cli.run(&["--ephemeral", "--", "touch", "/gone"])
        .says("ok\n");
    cli.run(&["--ephemeral=1m", "--", "write", "/etc/passwd", "mine"])
        .says("ok\n");
    assert!(!cli.fs.inside("gone").exists());
    assert!(
        fs::read_to_string(cli.fs.inside("etc/passwd"))
            .unwrap()
            .contains("daemon")
    );
}

#[test]
fn capabilities_are_added_and_dropped() {
    let cli = Cli::new();
    let effective = |flags: &[&str]| {
        let done = cli.run(&[flags, &["--", "status", "CapEff"][..]].concat());
        let digits = done
            .out
            .trim()
            .trim_start_matches("CapEff")
            .trim()
            .to_owned();
        u64::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("{done:?}"))
    };
    let (chown, admin) = (1, 1 << 12);
    assert_eq!(effective(&[]) & (chown | admin), chown);
    assert_eq!(effective(&["--cap-add", "NET_ADMIN"]) & admin, admin);
    assert_eq!(effective(&["--cap-drop", "CHOWN"]) & chown, 0);
    assert_eq!(
        effective(&["--cap-drop", "ALL", "--cap-add", "CHOWN"]),
        chown
    );
    assert_eq!(effective(&["--privileged"]) & (1 << 21), 1 << 21);
}

#[test]
fn a_device_comes_with_the_right_to_use_it() {
    if skip_unless(&[Need::Path("/dev/fuse")]) {
        return;
    }
    let cli = Cli::new();
    if is_root() {
        let refused = cli.run(&["--", "open", "/dev/fuse", "rw"]);
        assert!(refused.out.contains("EPERM"), "{refused:?}");
    }
    // Without device rules a part of the uses cannot be given.
    let flag = match is_root() {
        true => "/dev/fuse:/dev/sub/fusion:rw",
        false => "/dev/fuse:/dev/sub/fusion",
    };
    let seen = cli.run(&["--device", flag, "--", "stat", "/dev/sub/fusion"]);
    assert!(
        seen.out.starts_with("c ") && seen.out.contains(" 10 229 "),
        "{seen:?}"
    );
    if is_root() {
        cli.run(&["--device", flag, "--", "open", "/dev/sub/fusion", "rw"])
            .says("ok\n");
    }
}

#[test]
fn a_device_directory_gives_all_that_is_in_it() {
    if skip_unless(&[Need::Path("/dev/net/tun")]) {
        return;
    }
    let cli = Cli::new();
    let done = cli.run(&["--device", "/dev/net", "--", "ls", "/dev/net"]);
    assert!(done.out.lines().any(|name| name == "tun"), "{done:?}");
}

#[test]
fn ulimits_hold() {
    let cli = Cli::new();
    let done = cli.run(&[
        "--ulimit",
        "nofile=100:200",
        "--ulimit",
        "core=0",
        "--",
        "limits",
    ]);
    let has = |line: &str| done.out.lines().any(|l| l.eq_ignore_ascii_case(line));
    assert!(has("nofile 100 200") && has("core 0 0"), "{done:?}");
}

#[test]
fn namespaces_are_its_own_the_hosts_or_anothers() {
    let cli = Cli::new();
    let inside = |flags: &[&str], kind: &str| {
        let done = cli.run(&[flags, &["--", "ns", kind][..]].concat());
        assert_eq!(done.code, 0, "{flags:?} {done:?}");
        done.out
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .to_owned()
    };
    for (flag, kind) in [
        ("--network", "net"),
        ("--ipc", "ipc"),
        ("--uts", "uts"),
        ("--pid", "pid"),
    ] {
        let own = own_namespace(kind);
        assert_ne!(inside(&[], kind), own, "{flag}");
        assert_eq!(inside(&[flag, "host"], kind), own, "{flag} host");
    }
    let first = cli.started("first");
    let ns = |args: &[&str]| {
        cli.call(args)
            .out
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .to_owned()
    };
    for (flag, kind) in [
        ("--network", "net"),
        ("--ipc", "ipc"),
        ("--uts", "uts"),
        ("--pid", "pid"),
    ] {
        let theirs = ns(&["exec", "first", "--", "ns", kind]);
        assert_eq!(inside(&[flag, "container:first"], kind), theirs, "{flag}");
    }
    if is_root() {
        let pid: u32 = cli
            .call(&["pids", "first", "--format", "json"])
            .out
            .split(|c: char| !c.is_ascii_digit())
            .find_map(|word| word.parse().ok())
            .unwrap();
        let path = format!("ns:/proc/{pid}/ns/net");
        assert_eq!(
            inside(&["--network", &path], "net"),
            ns(&["exec", "first", "--", "ns", "net"])
        );
    }
    cli.call(&["kill", "first", "KILL"]).says("");
    first.done();
}

#[test]
fn a_command_file_is_run_and_some_flags_go_with_it() {
    let cli = Cli::new();
    let file = cli.fs.outside().join("c.json");
    let json = serde_json::json!({
        "id": "from-file", "rootfs": cli.fs.path(), "hostname": "filed",
        "process_config": {"entrypoint": "/bin/hostname", "arguments": []},
    });
    fs::write(&file, json.to_string()).unwrap();
    let name = file.to_str().unwrap();
    cli.call(&["run", "--quiet", "--command", name])
        .says("filed\n");
    cli.call(&["run", "--quiet", "--command", name, "--", "/bin/cwd"])
        .says("/\n");
    let command = cli.command(&["run", "--quiet", "--id", "other", "--command", "-"]);
    finish(command, json.to_string().as_bytes()).says("filed\n");
    let done = cli.call(&[
        "run",
        "--quiet",
        "--timeout",
        &cli::timeout(200),
        "--command",
        name,
        "--",
        "/bin/pause",
    ]);
    assert_eq!(done.code, 124, "{done:?}");
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn the_init_stays_as_the_first_process_unless_it_is_not_wanted() {
    let cli = Cli::new();
    let pid = |done: cli::Done| {
        done.out
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(pid(cli.run(&["--no-init", "--", "session"])), "pid=1");
    assert_ne!(pid(cli.run(&["--", "session"])), "pid=1");
}

#[test]
fn what_confines_the_program_and_how_it_is_scheduled_can_be_said() {
    let cli = Cli::new();
    let done = cli.run(&[
        "--nice",
        "7",
        "--ionice",
        "best-effort:6",
        "--",
        "seq",
        "nice",
        ",",
        "ioprio",
    ]);
    assert_eq!(done.out, "7\nclass 2 level 6\n", "{done:?}");
    let done = cli.run(&["--cpu-affinity", "0", "--", "status", "Cpus_allowed_list"]);
    assert_eq!(done.out, "Cpus_allowed_list 0\n", "{done:?}");
    let done = cli.run(&["--cpu-affinity", "3-1", "--", "true"]);
    assert_eq!(done.code, 125, "{done:?}");
    assert!(done.err.contains("attributes.cpus"), "{done:?}");
    let done = cli.run(&["--landlock", "rx=/bin", "--", "true"]);
    assert_eq!(done.code, 2, "{done:?}");
    if skip_unless(&[Need::Landlock(3)]) {
        return;
    }
    let done = cli.run(&["--landlock", "ro=/bin", "--", "open", "/etc/passwd"]);
    assert_eq!(done.out, "EACCES\n", "{done:?}");
}
