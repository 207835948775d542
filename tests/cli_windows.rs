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

#[test]
fn lists_and_counters_are_json_for_programs() {
    let cli = Cli::new();
    let mut run = cli.sleeper();
    let list: serde_json::Value =
        serde_json::from_str(&cli.says(&["ps", "--format", "json"])).unwrap();
    assert_eq!(
        (&list[0]["id"], &list[0]["state"]),
        (&"web".into(), &"running".into())
    );
    assert!(list[0]["pid"].as_u64().unwrap() > 0);
    assert!(
        list[0]["command"][0]
            .as_str()
            .unwrap()
            .ends_with("payload.exe")
    );
    let stats = cli.says(&["stats", "--no-stream", "--format", "json", "web"]);
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["id"], "web");
    assert_eq!(cli.says(&["list", "--quiet"]), "web\n");
    let doctor: serde_json::Value =
        serde_json::from_str(&cli.says(&["doctor", "--format", "json"])).unwrap();
    assert!(doctor.is_object() || doctor.is_array());
    cli.says(&["kill", "web"]);
    run.wait().unwrap();
    assert_eq!(cli.says(&["list", "--format", "json"]).trim(), "[]");
}

#[test]
fn verbs_on_what_is_not_there_fail_by_its_name() {
    let cli = Cli::new();
    for arguments in [
        &["kill", "ghost"][..],
        &["pause", "ghost"],
        &["unpause", "ghost"],
        &["pids", "ghost"],
        &["stats", "--no-stream", "ghost"],
        &["update", "--memory", "64m", "ghost"],
    ] {
        let output = cli.call(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("ghost"), "{arguments:?}: {said}");
    }
    let output = cli.call(&["exec", "ghost", "--", "cmd"]);
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn what_windows_lacks_and_paths_of_windows_are_told_in_the_callers_words() {
    let cli = Cli::new();
    let folder = cli.0.path().to_str().unwrap();
    let (volume, missing) = (format!(r"{folder}:C:\b:ro"), r"C:\no\such:C:\b");
    for (arguments, words) in [
        (["--volume", &volume], "mounts: a job sees the host's files"),
        (["--volume", missing], r"C:\\no\\such"),
        (["--volume", r"C:\a:b"], "absolute destination"),
        (["--rootfs", r"C:\x"], "rootfs: a job sees the host's files"),
        (["--workdir", r"C:\no\such"], r"C:\no\such"),
        (["--cap-drop", "ALL"], "this is Windows"),
        (["--exec-opt", "windows.token=root"], "own, restricted"),
        (
            ["--exec-opt", "native.cgroupdriver=systemd"],
            "windows.backend",
        ),
    ] {
        let [flag, value] = arguments;
        let output = cli.call(&["run", flag, value, "--", "cmd", "/c", "exit"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(cli.says(&["list", "--quiet"]), "", "{arguments:?}");
    }
}

#[test]
fn help_speaks_of_windows() {
    let cli = Cli::new();
    for verb in ["run", "exec"] {
        let said = cli.says(&[verb, "--help"]);
        assert!(said.contains("cmd") && !said.contains("/bin/sh"), "{said}");
    }
    assert!(cli.says(&["--help"]).contains("cmd /c echo hello"));
}

#[test]
fn what_is_typed_at_the_callers_console_reaches_a_program_with_a_terminal() {
    // Two terminals: this program gives the command line one, and that gives its program another. Wine attaches a console
    // to the names CONIN$ and CONOUT$ alone; scripts pass them on.
    let (outer, inner) = (tempfile::tempdir().unwrap(), Cli::new());
    let script = |name: &str, line: String| {
        let path = outer.path().join(name);
        std::fs::write(&path, format!("@{line} <CONIN$ >CONOUT$ 2>CONOUT$\r\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let inside = script("inside.cmd", format!("\"{}\" shout", payload().display()));
    let (cli, root) = (env!("CARGO_BIN_EXE_execdriver"), inner.0.path().display());
    let around = script(
        "around.cmd",
        format!(
            "\"{cli}\" --root \"{root}\" --exec-opt windows.backend=job run -it -- cmd /c \"{inside}\""
        ),
    );
    let root = outer.path().join("root");
    let options = Options::parse(["windows.backend=job"]).unwrap();
    let driver = Registry::with_builtin()
        .open("windows", &root, options)
        .unwrap();
    let mut command = execdriver::Command::windows("outer", "", "cmd").args(["/c", &around]);
    command.process.tty = true;
    let (reader, keyboard) = os_pipe::pipe().unwrap();
    let output = execdriver::Capture::new(1 << 20);
    let pipes = Pipes::null().stdin(reader).stdout(&output);
    let hooks = Hooks::none().on_start(|_| {
        while !inner.says(&["list"]).contains("running") {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Its end comes when it was seen.
        std::io::Write::write_all(&mut &keyboard, b"typed")?;
        Ok(())
    });
    let options = RunOptions::default().timeout(Duration::from_secs(90));
    let status = std::thread::scope(|scope| {
        let typist = scope.spawn(|| {
            let end = Instant::now() + Duration::from_secs(60);
            while !output.text().contains("typed") && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::io::Write::write_all(&mut &keyboard, b"\r").unwrap();
        });
        let status = driver.run(&command, &options, pipes, &hooks).unwrap();
        typist.join().unwrap();
        status
    });
    assert!(
        output.text().contains("TYPED"),
        "{status:?}: {:?}",
        output.text()
    );
    assert_eq!(status.code, 0, "{:?}", output.text());
}
