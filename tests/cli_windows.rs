//! The command line on Windows: every verb that applies there, on containers of jobs.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test says what it expects")]

use execdriver::{ExitReason, Hooks, Options, Pipes, Registry, RunOptions, Signal, Target};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program with a root of its own.
struct Cli(tempfile::TempDir);

impl Cli {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_execdriver"));
        command.arg("--root").arg(self.0.path());
        command
            .args(["--exec-opt", "windows.backend=job"])
            .args(arguments);
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A container `web` that sleeps, once it runs.
    fn sleeper(&self) -> Child {
        let program = payload();
        let arguments = [
            "run",
            "--id",
            "web",
            "--",
            program.to_str().unwrap(),
            "sleep",
        ];
        let mut command = self.command(&arguments);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while !self.says(&["list"]).contains("running") {
            assert!(Instant::now() < end, "it does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }
}

/// The multi-tool, beside the program: `cargo build -p payload` for the same target.
fn payload() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_execdriver")).with_file_name("payload.exe");
    assert!(path.is_file(), "{path:?}: cargo build -p payload first");
    path
}

#[test]
fn run_says_hello() {
    let said = Cli::new().says(&["run", "--", "cmd", "/c", "echo hello"]);
    assert_eq!(said, "hello\r\n");
}

#[test]
fn exit_codes_of_run_are_the_programs_and_the_shells() {
    let cli = Cli::new();
    let program = payload();
    let program = program.to_str().unwrap();
    let code = |arguments: &[&str]| cli.call(arguments).status.code().unwrap();
    assert_eq!(code(&["run", "--", program, "exit", "7"]), 7);
    // Wine hands all 32 bits to a program of Windows; to one of Unix only the low eight.
    let large = code(&["run", "--", program, "exit", "3221225786"]);
    assert_eq!(large.cast_unsigned() & 0xff, 0xC000_013A & 0xff);
    assert_eq!(
        code(&["run", "--timeout", "1s", "--", program, "sleep"]),
        124
    );
    assert_eq!(
        code(&["run", "--cap-add", "CHOWN", "--", program, "exit", "0"]),
        125
    );
    assert_eq!(
        code(&["run", "--rootfs", "C:\\x", "--", program, "exit", "0"]),
        125
    );
    let text = cli.0.path().join("text.exe");
    std::fs::write(&text, "no program").unwrap();
    assert_eq!(code(&["run", "--", text.to_str().unwrap()]), 126);
    assert_eq!(code(&["run", "--", "no-such-program"]), 127);
    assert_eq!(code(&["run"]), 2);
}

#[test]
fn every_verb_acts_on_a_container_of_another_program() {
    let cli = Cli::new();
    let mut run = cli.sleeper();
    let program = payload();
    let program = program.to_str().unwrap();
    assert_eq!(
        cli.says(&["exec", "web", "--", program, "print", "inside"]),
        "inside"
    );
    assert!(cli.says(&["pids", "web"]).lines().count() >= 2);
    cli.says(&["pause", "web"]);
    assert!(cli.says(&["list"]).contains("paused"));
    let refused = cli.call(&["exec", "web", "--", program, "exit", "0"]);
    assert_eq!(refused.status.code(), Some(125));
    cli.says(&["unpause", "web"]);
    cli.says(&["update", "--memory", "64m", "web"]);
    assert!(cli.says(&["stats", "--no-stream"]).contains("64MiB"));
    assert!(!cli.call(&["clean", "web"]).status.success());
    cli.says(&["kill", "--signal", "KILL", "web"]);
    assert_eq!(run.wait().unwrap().code(), Some(137));
    assert!(!cli.says(&["list"]).contains("web"));
    cli.says(&["clean", "web"]);
}

#[test]
fn input_and_its_end_reach_the_program() {
    let cli = Cli::new();
    let program = payload();
    let mut command = cli.command(&["run", "-i", "--", program.to_str().unwrap(), "cat"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"through").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(0), &b"through"[..])
    );
}

#[test]
fn doctor_says_what_a_job_does_not_isolate() {
    let cli = Cli::new();
    let said = cli.says(&["doctor"]);
    for line in [
        "  no   files:",
        "  no   network:",
        "  no   registry:",
        "  yes  pause",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(cli.says(&["drivers"]).contains("windows"));
}

#[test]
fn ctrl_c_is_handed_on_and_a_second_one_that_is_not_heard_kills() {
    // A console event reaches a program through the driver that runs it: the command line runs in a container itself.
    let (outer, inner) = (tempfile::tempdir().unwrap(), Cli::new());
    let options = Options::parse(["windows.backend=job"]).unwrap();
    let driver = Registry::with_builtin()
        .open("windows", outer.path(), options)
        .unwrap();
    let (cli, program) = (env!("CARGO_BIN_EXE_execdriver"), payload());
    for (applet, events) in [("sleep", 1), ("sleep-ignoring", 2)] {
        let root = inner.0.path().to_str().unwrap();
        let inside = [
            "run",
            "--id",
            "inside",
            "--",
            program.to_str().unwrap(),
            applet,
        ];
        let arguments = ["--root", root, "--exec-opt", "windows.backend=job"]
            .into_iter()
            .chain(inside);
        let command = execdriver::Command::windows("cli", "", cli).args(arguments);
        let hooks = Hooks::none().on_start(|context| {
            while !inner.says(&["list"]).contains("running") {
                std::thread::sleep(Duration::from_millis(20));
            }
            // The program inside needs a moment to say that it ignores such events.
            std::thread::sleep(Duration::from_secs(1));
            for _ in 0..events {
                driver.kill(&Target::from(context.id), Signal::INT)?;
                std::thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        });
        let options = RunOptions::default().timeout(Duration::from_secs(120));
        let status = driver
            .run(&command, &options, Pipes::null(), &hooks)
            .unwrap();
        assert_ne!(status.reason, ExitReason::TimedOut, "{applet}");
        assert!(events == 1 || status.code == 137, "{applet}: {status:?}");
        assert!(!inner.says(&["list"]).contains("inside"));
    }
}
