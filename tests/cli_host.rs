//! `run` without `--rootfs`: a program of this machine, on its `/`, which it can read and not change.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod cli;
mod support;

use cli::{Cli, Done, finish};
use std::fs;
use std::path::Path;
use support::{Need, is_root, skip_unless};

/// `run FLAGS -- sh -c SCRIPT` in a directory.
fn sh(cli: &Cli, dir: &Path, flags: &[&str], script: &str) -> Done {
    let mut command = cli.command(&["run", "--quiet"]);
    command
        .args(flags)
        .args(["--", "sh", "-c", script])
        .current_dir(dir);
    finish(command, b"")
}

#[test]
fn the_first_command_of_the_readme_works() {
    let cli = Cli::new();
    let done = sh(
        &cli,
        Path::new("/"),
        &["--id", "readme"],
        "echo hello from $(hostname)",
    );
    done.says("hello from readme\n");
}

#[test]
fn the_hosts_files_are_there_and_cannot_be_changed() {
    let cli = Cli::new();
    let script = "cat /etc/passwd; touch /etc/x /usr/x /x 2>/dev/null && echo wrote";
    let done = sh(&cli, Path::new("/"), &[], script);
    assert_eq!(done.out, fs::read_to_string("/etc/passwd").unwrap());
}

#[test]
fn an_ephemeral_layer_takes_what_is_written_to_the_hosts_root() {
    if skip_unless(&[Need::Root, Need::Overlay]) {
        return;
    }
    let cli = Cli::new();
    let script = "echo kept > /etc/execdriver-gone && cat /etc/execdriver-gone";
    sh(&cli, Path::new("/"), &["--ephemeral"], script).says("kept\n");
    assert!(!Path::new("/etc/execdriver-gone").exists());
    let both = ["--ephemeral", "--read-only"];
    let done = sh(&cli, Path::new("/"), &both, script);
    assert!(done.code != 0 && done.err.contains("Read-only"), "{done:?}");
}

#[test]
fn tmp_run_dev_and_proc_are_private() {
    let cli = Cli::new();
    let script = "touch /tmp/a /run/b && ls /tmp /run && ls /proc | grep -c '^[0-9]'; ls /dev";
    let done = sh(&cli, Path::new("/"), &[], script);
    assert!(done.out.starts_with("/run:\nb\n\n/tmp:\na\n"), "{done:?}");
    assert!(!Path::new("/run/b").exists());
    assert!(
        !done.out.contains("vda") && !done.out.contains("kmsg"),
        "{done:?}"
    );
    assert!(
        done.out.contains("null") && done.out.contains("pts"),
        "{done:?}"
    );
    let processes: u32 = done
        .out
        .lines()
        .nth(5)
        .and_then(|n| n.parse().ok())
        .unwrap_or(99);
    assert!(processes < 10, "{done:?}");
}

#[test]
fn the_current_directory_is_kept_and_read_only_unless_rw() {
    let cli = Cli::new();
    // It lies below /tmp, which is private inside.
    let here = cli.fs.outside().canonicalize().unwrap();
    fs::write(here.join("mine"), "").unwrap();
    let script = "pwd; ls; touch new 2>/dev/null && ls";
    let shown = format!("{}\nmine\n", here.display());
    let done = sh(&cli, &here, &[], script);
    assert_eq!((done.code, done.out), (1, shown.clone()));
    let done = sh(&cli, &here, &["--rw"], script);
    done.says(&format!("{shown}mine\nnew\n"));
    // Its neighbours below /tmp are not shown.
    let done = sh(&cli, &here, &[], "ls ..");
    done.says("outside\n");
}

#[test]
fn directories_that_are_private_inside_work_as_the_current_one() {
    let cli = Cli::new();
    for dir in [
        "/", "/tmp", "/run", "/dev", "/proc", "/dev/shm", "/usr/bin", "/sys",
    ] {
        sh(&cli, Path::new(dir), &[], "pwd").says(&format!("{dir}\n"));
    }
    sh(&cli, Path::new("/tmp"), &[], "ls").says("");
    sh(&cli, Path::new("/"), &["--rw"], "true").fails(125, &["rw", "/"]);
}

#[test]
fn a_workdir_a_volume_and_a_tmpfs_of_the_callers_win() {
    let cli = Cli::new();
    let outside = cli.fs.outside().canonicalize().unwrap();
    fs::write(outside.join("mine"), "").unwrap();
    let volume = format!("{}:/tmp/shared", outside.display());
    sh(
        &cli,
        Path::new("/"),
        &["-v", &volume],
        "ls /tmp /tmp/shared",
    )
    .says("/tmp:\nshared\n\n/tmp/shared:\nmine\n");
    sh(&cli, Path::new("/"), &["--workdir", "/usr"], "pwd").says("/usr\n");
    let done = sh(
        &cli,
        Path::new("/"),
        &["--tmpfs", "/tmp:size=12k"],
        "grep ' /tmp ' /proc/mounts",
    );
    assert!(done.out.contains("size=12k"), "{done:?}");
}

#[test]
fn it_has_no_capability_and_can_gain_none_and_no_network() {
    let cli = Cli::new();
    let script = "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ls /sys/class/net; tail -n +3 /proc/net/dev";
    let done = sh(&cli, Path::new("/"), &[], script);
    assert!(done.out.contains("CapEff:\t0000000000000000"), "{done:?}");
    assert!(done.out.contains("NoNewPrivs:\t1"), "{done:?}");
    assert_eq!(
        done.out
            .lines()
            .filter(|line| line.contains(':') && line.contains(" 0 "))
            .count(),
        1,
        "{done:?}"
    );
}

#[test]
fn privileged_takes_the_profile_that_has_it() {
    let cli = Cli::new();
    let done = sh(
        &cli,
        Path::new("/"),
        &["--privileged"],
        "grep CapEff /proc/self/status",
    );
    assert!(!done.out.contains("0000000000000000"), "{done:?}");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
}

#[test]
fn a_current_directory_that_is_gone_is_an_error_that_says_so() {
    let cli = Cli::new();
    let gone = cli.fs.outside().join("gone");
    fs::create_dir(&gone).unwrap();
    let binary = env!("CARGO_BIN_EXE_execdriver");
    let mut command = std::process::Command::new("sh");
    let script = r#"cd "$2" && rmdir "$2" && exec "$0" --root "$1" run -- true"#;
    command
        .args(["-c", script, binary])
        .arg(cli.fs.state())
        .arg(gone);
    finish(command, b"").fails(125, &["current directory"]);
}

#[test]
fn the_help_says_what_it_sees() {
    let cli = Cli::new();
    let help = cli.call(&["run", "--help"]).out;
    let words = help
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    assert!(words.contains("every file that you can read"), "{help}");
}

#[test]
fn the_default_state_directory_is_the_callers_own() {
    let cli = Cli::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_execdriver"));
    command.args(["list", "-q"]);
    let base = cli.fs.outside();
    command.env("XDG_RUNTIME_DIR", &base);
    assert_eq!(finish(command, b"").code, 0);
    assert_eq!(base.join("execdriver").exists(), !is_root());
}
