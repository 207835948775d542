//! Exit codes, streams and signals of `run`: what a script relies on.
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
use nix::sys::signal::Signal;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_exit_code_is_the_programs() {
    let cli = Cli::new();
    for code in [0, 1, 2, 7, 125, 255] {
        let done = cli.run(&["--", "exit", &code.to_string()]);
        assert_eq!(
            (done.code, done.out, done.err),
            (code, "".into(), "".into())
        );
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    let cli = Cli::new();
    for signal in [2, 9, 11, 15] {
        let done = cli.run(&["--", "signal", &signal.to_string()]);
        assert_eq!((done.code, done.err.as_str()), (128 + signal, ""));
        let done = cli.run(&["--no-init", "--", "fork", "signal", &signal.to_string()]);
        assert_eq!(done.code, 128 + signal, "{done:?}");
    }
}

#[test]
fn a_program_that_is_missing_is_127_and_one_that_cannot_be_executed_126() {
    let cli = Cli::new();
    cli.fs.write("bin/text", "no program");
    cli.fs.write("bin/garbage", "\u{1}garbage");
    cli.fs.mode("bin/garbage", 0o755);
    cli.fs.write("bin/orphan-script", "#!/no/interpreter\n");
    cli.fs.mode("bin/orphan-script", 0o755);
    for (program, code) in [
        ("no-such-program", 127),
        ("/bin/no-such-program", 127),
        ("/bin/true/x", 127),
        ("/bin/orphan-script", 127),
        ("/etc", 126),
        ("/bin/text", 126),
        ("/bin/garbage", 126),
    ] {
        cli.run(&["--", program]).fails(code, &[program]);
    }
    cli.run(&["--", ""]).fails(125, &["entrypoint"]);
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_timeout_is_124_and_silent() {
    let cli = Cli::new();
    let begin = Instant::now();
    let done = cli.run(&["--timeout", &cli::timeout(300), "--", "sleep", "60"]);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (124, "", "")
    );
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn the_outputs_are_exactly_the_programs() {
    let cli = Cli::new();
    let done = cli.run(&["--", "split"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out\n", "err\n"));
    assert_eq!(cli.run(&["--", "big", "300000"]).out.len(), 300_000);
}

#[test]
fn standard_input_is_empty_unless_interactive() {
    let cli = Cli::new();
    finish(cli.run_command(&["--", "drain"]), b"word").says("0\n");
    finish(cli.run_command(&["-i", "--", "drain"]), b"word").says("4\n");
}

#[test]
fn the_program_needs_no_dashes_and_keeps_its_own_flags() {
    let cli = Cli::new();
    cli.run(&["args", "--id", "x", "-t"]).says("--id\nx\n-t\n");
    cli.run(&["--", "args", "--", "-t"]).says("--\n-t\n");
}

#[test]
fn signals_reach_the_program() {
    let cli = Cli::new();
    for (signal, name) in [
        (Signal::SIGINT, "SIGINT"),
        (Signal::SIGTERM, "SIGTERM"),
        (Signal::SIGHUP, "SIGHUP"),
        (Signal::SIGQUIT, "SIGQUIT"),
        (Signal::SIGUSR1, "SIGUSR1"),
        (Signal::SIGUSR2, "SIGUSR2"),
        (Signal::SIGWINCH, "SIGWINCH"),
        (Signal::SIGCONT, "SIGCONT"),
    ] {
        let mut command = cli.run_command(&["--id", name, "--", "trap", name]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut ready = [0; 6];
        out.read_exact(&mut ready).unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, format!("got {name}\n"));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
    }
}

#[test]
fn ctrl_c_ends_a_program_that_does_not_care() {
    let cli = Cli::new();
    let going = start(cli.run_command(&["--id", "c", "--", "sleep", "60"]));
    cli.wait_for("c");
    going.signal(Signal::SIGINT);
    let done = going.done();
    assert_eq!((done.code, done.err.as_str()), (130, ""));
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_signal_at_any_moment_neither_hangs_nor_leaves_anything() {
    let cli = Cli::new();
    for step in 0..40 {
        let going = start(cli.run_command(&["--", "sleep", "0.03"]));
        std::thread::sleep(Duration::from_millis(step * 2));
        going.signal(Signal::SIGTERM);
        let done = going.done();
        // Before our handler -15, during the start and later 143, after the end 0.
        assert!(matches!(done.code, -15 | 143 | 0), "{done:?}");
    }
    support::eventually("nothing is left", || {
        cli.call(&["clean", "--all"]);
        cli.left().is_empty()
    });
}

#[test]
fn what_the_caller_ignores_stays_ignored() {
    let cli = Cli::new();
    let mut command = std::process::Command::new("nohup");
    let run = cli.run_command(&["--id", "n", "--", "sleep", "0.8"]);
    command
        .arg(run.get_program())
        .args(run.get_args())
        .stdin(Stdio::null());
    let going = start(command);
    cli.wait_for("n");
    going.signal(Signal::SIGHUP);
    assert_eq!(going.done().code, 0);
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    let cli = Cli::new();
    let mut command = cli.run_command(&["--", "big", "100000000"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(128 + 13));
}

#[test]
fn closed_outputs_are_no_panic() {
    let cli = Cli::new();
    for line in [
        "list >&-",
        "run -- /no-such >&- 2>&-",
        "list | true",
        "--help | true",
    ] {
        let script = format!("\"$0\" --root \"$1\" {line}; exit $?");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_execdriver")]);
        command.arg(cli.fs.state()).stdin(Stdio::null());
        let done = finish(command, b"");
        assert!(!done.err.contains("panicked"), "{line}: {done:?}");
        assert!(matches!(done.code, 0 | 127), "{line}: {done:?}");
    }
}

#[test]
fn a_killed_command_line_takes_its_container_with_it() {
    let cli = Cli::new();
    let going = cli.started("orphan");
    going.signal(Signal::SIGKILL);
    assert_eq!(going.done().code, -9);
    support::eventually("the container is gone", || {
        let listed = cli.call(&["list", "--format", "json"]).out;
        !listed.contains("running")
    });
    cli.call(&["clean", "--all"]).says("");
    assert_eq!(cli.left(), [""; 0]);
}
