//! The command line's `--seccomp`: a file, none, and files that are no filter.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod cli;
mod support;

use cli::{Cli, Done};
use std::path::PathBuf;

const CHMOD: [&str; 4] = ["--", "chmod", "700", "/tmp"];
/// chmod with all its names, so that no C library gets around it.
const NO_CHMOD: &str = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["chmod", "fchmod", "fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO"}]}"#;
/// A call that the default filter refuses everybody, and the kernel without one does not.
const KEYCTL: &str = if cfg!(target_arch = "x86_64") {
    "250"
} else {
    "219"
};

/// A file of this text.
fn file(cli: &Cli, text: &str) -> PathBuf {
    let path = cli.fs.outside().join("profile.json");
    std::fs::write(&path, text).unwrap();
    path
}

/// A program under `--seccomp` of it.
fn run(cli: &Cli, seccomp: &str, program: &[&str]) -> Done {
    let mut all = vec!["--seccomp", seccomp];
    all.extend(program);
    cli.run(&all)
}

/// The applet says what it was refused with, and fails.
#[track_caller]
fn refused(done: Done) {
    let seen = (done.code, done.out.as_str(), done.err.as_str());
    assert_eq!(seen, (1, "EPERM\n", ""));
}

#[test]
fn a_profile_in_a_file_filters_and_unconfined_does_not() {
    let cli = Cli::new();
    let path = file(&cli, NO_CHMOD);
    let chmod = &CHMOD;
    cli.run(chmod).says("ok\n");
    refused(run(&cli, path.to_str().unwrap(), chmod));
    run(&cli, "unconfined", chmod).says("ok\n");
    // The keyring that it looks at is its own session's; the last argument says that none is made.
    let keyctl = ["--", "syscall", KEYCTL, "0", "0xfffffffd", "0"];
    refused(cli.run(&keyctl));
    let done = run(&cli, "unconfined", &keyctl);
    assert_ne!(done.out, "EPERM\n", "{done:?}");
}

#[test]
fn a_program_of_this_machine_is_filtered_too() {
    let cli = Cli::new();
    let path = file(&cli, NO_CHMOD);
    let script = "touch /tmp/a; chmod 600 /tmp/a 2>/dev/null || echo refused";
    let seccomp = ["--seccomp", path.to_str().unwrap()];
    let call = |flags: &[&str]| {
        let mut all = vec!["run", "--quiet"];
        all.extend(flags);
        all.extend(["--", "sh", "-c", script]);
        cli.call(&all)
    };
    call(&seccomp).says("refused\n");
    call(&[]).says("");
}

#[test]
fn a_file_that_is_no_profile_is_named_and_nothing_runs() {
    let cli = Cli::new();
    for (text, words) in [
        ("", "it holds no JSON object"),
        ("unconfined", "it holds no JSON object"),
        ("{", "decoding seccomp profile failed"),
        (
            r#"{"defaultAction": "MAYBE"}"#,
            "string MAYBE is not a valid action",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#,
            "it denies execve, without which no program is started",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"name": "mkdir", "action": "SCMP_ACT_NOTIFY"}]}"#,
            "it asks a listener",
        ),
    ] {
        let path = file(&cli, text);
        let path = path.to_str().unwrap();
        run(&cli, path, &CHMOD).fails(125, &["invalid seccomp: ", path, words]);
    }
    let missing = cli.fs.outside().join("missing.json");
    let missing = missing.to_str().unwrap();
    run(&cli, missing, &CHMOD).fails(125, &["seccomp", missing, "o such file"]);
    let directory = cli.fs.outside();
    let directory = directory.to_str().unwrap();
    run(&cli, directory, &CHMOD).fails(125, &["seccomp", directory, "s a directory"]);
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_file_of_that_name_is_reached_by_its_path() {
    let cli = Cli::new();
    std::fs::write(cli.fs.outside().join("unconfined"), NO_CHMOD).unwrap();
    let mut command = cli.run_command(&["--seccomp", "./unconfined"]);
    command.args(CHMOD).current_dir(cli.fs.outside());
    refused(cli::finish(command, b""));
}
