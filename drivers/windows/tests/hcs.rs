//! The driver over a compute service, end to end: the fake one, whose processes are real.
#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use execdriver_core::{
    Capture, Driver, Error, ExecRequest, ExitReason, ExitStatus, Hooks, Mount, Network,
    NetworkInterface, Pipes, PortBinding, Resources, RunOptions, Signal, Stdio, Target, WindowSize,
    WindowsResources,
};
use execdriver_windows::WindowsDriver;
use std::time::Duration;
use support::hcs::{Folders, eventually, while_running};
use support::payload;

fn run(driver: &WindowsDriver, command: &execdriver_core::Command) -> (ExitStatus, String, String) {
    let (out, err) = (Capture::new(1 << 20), Capture::new(1 << 20));
    let pipes = Pipes::null().stdout(&out).stderr(&err);
    let status = driver.run(command, &RunOptions::default(), pipes, &Hooks::none());
    (status.unwrap(), out.text(), err.text())
}

#[test]
fn a_program_runs_with_its_streams_its_environment_and_its_exit_code() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let (status, out, err) = run(&driver, &folders.command("a", &["print", "one\n", "two\n"]));
    assert_eq!(
        (status.code, out.as_str(), err.as_str()),
        (0, "one\n", "two\n")
    );
    for code in [0, 1, 255, 256, 259, 3_221_225_786_u32] {
        let (status, ..) = run(&driver, &folders.command("a", &["exit", &code.to_string()]));
        assert_eq!(status.code, code.cast_signed());
    }
    let command = folders.command("a", &["env"]).env("EXECDRIVER_TEST", "x=y");
    let (_, out, _) = run(&driver, &command);
    assert!(out.contains("EXECDRIVER_TEST=x=y\n"), "{out}");
    let mut command = folders.command("a", &["args", "a b", "c\"d", "", r"e\"]);
    command.working_dir = folders.root().to_str().unwrap().to_owned();
    let (_, out, _) = run(&driver, &command);
    assert_eq!(out, "a b\nc\"d\n\ne\\\n");
    assert!(driver.list().unwrap().is_empty());
}

#[test]
fn input_is_handed_on_and_its_end_is_seen_inside() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let out = Capture::new(1 << 20);
    let pipes = Pipes::null()
        .stdin(Stdio::reader(&b"blahblah"[..]))
        .stdout(&out);
    let command = folders.command("a", &["cat"]);
    let status = driver
        .run(&command, &RunOptions::default(), pipes, &Hooks::none())
        .unwrap();
    assert_eq!((status.code, out.text().as_str()), (0, "blahblah"));
    let command = folders.command("a", &["big", "3000000"]);
    let out = Capture::new(4 << 20);
    let pipes = Pipes::null().stdout(&out);
    driver
        .run(&command, &RunOptions::default(), pipes, &Hooks::none())
        .unwrap();
    assert_eq!(out.bytes().len(), 3_000_000);
}

/// Defect 30 of the original: its copier stayed for as long as its input.
#[test]
fn windows_stdin_copier_is_gone_when_run_returns_although_its_input_stays_open() {
    use std::io::Write;
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let (input, mut open) = os_pipe::pipe().unwrap();
    let (options, none) = (RunOptions::default(), Hooks::none());
    let command = folders.command("a", &["exit", "0"]);
    let status = driver.run(&command, &options, Pipes::null().stdin(input), &none);
    assert_eq!(status.unwrap().code, 0);
    open.write_all(b"x").unwrap_err();
}

#[test]
fn a_terminal_is_one_stream_that_can_be_resized_while_it_lasts() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let mut command = folders.command("a", &["print", "out", "err"]);
    command.process.tty = true;
    command.process.console_size = Some(WindowSize {
        rows: 33,
        columns: 77,
    });
    let (out, err) = (Capture::new(1 << 20), Capture::new(1 << 20));
    let kept = std::cell::RefCell::new(None);
    let hooks = Hooks::none().on_start(|context| {
        let terminal = context.terminal.clone().ok_or("there is a terminal")?;
        // The program may have ended by now.
        let _ = terminal.resize(WindowSize {
            rows: 10,
            columns: 20,
        });
        *kept.borrow_mut() = Some(terminal);
        Ok(())
    });
    let pipes = Pipes::null().stdout(&out).stderr(&err);
    let status = driver
        .run(&command, &RunOptions::default(), pipes, &hooks)
        .unwrap();
    assert_eq!(status.code, 0);
    assert!(
        out.text().contains("out") && out.text().contains("err"),
        "{:?}",
        out.text()
    );
    assert_eq!(err.text(), "");
    let terminal = kept.borrow_mut().take().unwrap();
    let late = terminal.resize(WindowSize {
        rows: 1,
        columns: 1,
    });
    assert!(matches!(late, Err(Error::NotRunning { .. })), "{late:?}");
    command.process.console_size = Some(WindowSize {
        rows: 0,
        columns: 0,
    });
    let refused = driver.run(
        &command,
        &RunOptions::default(),
        Pipes::null(),
        &Hooks::none(),
    );
    assert!(
        matches!(refused, Err(Error::InvalidCommand { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_container_is_acted_upon_while_it_runs() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let command = folders.command("a", &["sleep"]);
    let status = while_running(&driver, &command, |driver| {
        let request = ExecRequest::new(payload(&["print", "from the exec", ""]));
        let out = Capture::new(100);
        let status = driver.exec(
            &folders.id("a"),
            &request,
            Pipes::null().stdout(&out),
            &Hooks::none(),
        );
        assert_eq!(status.unwrap().code, 0);
        assert_eq!(out.text(), "from the exec");
        assert_eq!(driver.pids(&folders.id("a")).unwrap().len(), 1);
        let stats = driver.stats(&folders.id("a")).unwrap();
        let counted = stats.cgroup.unwrap();
        assert_eq!(counted.cpu_stats.cpu_usage.total_usage, 3_000_000);
        assert_eq!(counted.memory_stats.usage.usage, 4 << 20);
        let limits = Resources {
            memory: 300 << 20,
            cpu_shares: 500,
            ..Resources::default()
        };
        driver.update(&folders.id("a"), &limits).unwrap();
        assert_eq!(
            driver.stats(&folders.id("a")).unwrap().memory_limit,
            300 << 20
        );
        let cap = Resources {
            windows: Some(WindowsResources {
                cpu_maximum: 5_000,
                ..WindowsResources::default()
            }),
            ..Resources::default()
        };
        driver.update(&folders.id("a"), &cap).unwrap();
        driver
            .kill(&Target::Container(folders.id("a")), Signal::KILL)
            .unwrap();
    });
    assert_eq!(
        (status.code, status.reason),
        (137, ExitReason::KilledByCaller)
    );
    let stopped = driver.stats(&folders.id("a"));
    assert!(
        matches!(stopped, Err(Error::NotFound { .. })),
        "{stopped:?}"
    );
}

/// The service pauses the one; the processes of the other are suspended, and no others.
#[test]
fn a_virtual_machine_and_another_container_stand_still_while_they_are_paused_and_can_be_killed_then()
 {
    for isolation in ["isolation=hyperv", "isolation=process"] {
        stands_still(isolation);
    }
}

fn stands_still(isolation: &str) {
    let folders = Folders::new();
    let driver = folders.driver(&[isolation]);
    let command = folders.command("a", &["count"]);
    let out = Capture::new(1 << 24);
    // It counts up to the end of its input.
    let (input, _open) = os_pipe::pipe().unwrap();
    let pipes = Pipes::null().stdin(Stdio::reader(input)).stdout(&out);
    let status = support::hcs::while_running_with(&driver, &command, pipes, |driver| {
        eventually("it counts", || out.bytes().len() > 2);
        driver.pause(&folders.id("a")).unwrap();
        driver.pause(&folders.id("a")).unwrap();
        // What was on its way has arrived when two looks are the same.
        let mut before = 0;
        eventually("it stands still", || {
            std::thread::sleep(Duration::from_millis(200));
            std::mem::replace(&mut before, out.bytes().len()) == out.bytes().len()
        });
        driver.unpause(&folders.id("a")).unwrap();
        eventually("it goes on", || out.bytes().len() > before);
        driver.pause(&folders.id("a")).unwrap();
        driver
            .kill(&Target::Container(folders.id("a")), Signal::KILL)
            .unwrap();
    });
    assert_eq!(status.code, 137);
}

#[test]
fn term_is_a_console_event_that_a_program_ends_of() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let status = while_running(&driver, &folders.command("a", &["sleep"]), |driver| {
        driver
            .kill(&Target::Container(folders.id("a")), Signal::TERM)
            .unwrap();
    });
    assert_eq!(status.signal, Some(Signal::TERM));
    assert_eq!(status.reason, ExitReason::KilledByCaller);
    // A start that takes as long as that is an error, which a slow host may come to.
    let status = [1, 5, 30].into_iter().find_map(|seconds| {
        let options = RunOptions::default().timeout(Duration::from_secs(seconds));
        let command = folders.command("a", &["sleep"]);
        match driver.run(&command, &options, Pipes::null(), &Hooks::none()) {
            Err(Error::Timeout { .. }) => None,
            ended => Some(ended.unwrap()),
        }
    });
    let status = status.expect("a start within 30 seconds");
    assert_eq!((status.code, status.reason), (137, ExitReason::TimedOut));
}

#[test]
fn a_program_that_is_missing_or_none_and_a_directory_that_is_missing_are_told() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let run = |command: &execdriver_core::Command| {
        let options = RunOptions::default();
        driver
            .run(command, &options, Pipes::null(), &Hooks::none())
            .unwrap_err()
    };
    let mut command = folders.command("a", &[]);
    command.process.entrypoint = r"C:\no\such\program.exe".into();
    assert_eq!(run(&command).exit_code(), 127);
    let text = folders.root().join("text.exe");
    std::fs::write(&text, "no program").unwrap();
    command.process.entrypoint = text.to_str().unwrap().into();
    assert_eq!(run(&command).exit_code(), 126);
    let mut command = folders.command("a", &["exit", "0"]);
    command.working_dir = r"C:\no\such\directory".into();
    let error = run(&command);
    assert!(error.to_string().contains("working directory"), "{error}");
    let mut command = folders.command("a", &["exit", "0"]);
    command.mounts = vec![Mount::bind(r"C:\no\such", r"C:\data")];
    assert!(matches!(run(&command), Error::InvalidCommand { .. }));
    command.mounts.clear();
    command
        .as_windows_mut()
        .unwrap()
        .layer_paths
        .push(r"C:\no\such".into());
    assert!(matches!(run(&command), Error::InvalidCommand { .. }));
    assert!(driver.list().unwrap().is_empty());
}

#[test]
fn options_for_a_library_that_is_not_there_are_an_error_and_without_them_there_is_the_job() {
    let folders = Folders::new();
    let open = |texts: &[&str]| {
        let mut options = execdriver_core::Options::parse(texts).unwrap();
        WindowsDriver::open(folders.root(), &mut options)
    };
    let missing = open(&["windows.backend=hcs", r"windows.hcs.library=C:\no\such.dll"]);
    let text = missing.unwrap_err().to_string();
    assert!(text.contains(r"C:\no\such.dll"), "{text}");
    assert!(matches!(
        open(&["windows.backend=hcs", "dummy=1"]),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn a_port_is_the_containers_while_it_runs_and_free_again_then() {
    let folders = Folders::new();
    let driver = folders.driver(&[]);
    let with_port = |name: &str, arguments: &[&str], bridge: &str| {
        let mut command = folders.command(name, arguments);
        let binding = PortBinding {
            host_port: "8080".into(),
            ..PortBinding::default()
        };
        command.network = Some(Network {
            interface: Some(NetworkInterface {
                bridge: bridge.into(),
                port_bindings: [("80/tcp".to_owned(), vec![binding])].into(),
                ..NetworkInterface::default()
            }),
            ..Network::default()
        });
        command
    };
    let run = |command| {
        driver.run(
            &command,
            &RunOptions::default(),
            Pipes::null(),
            &Hooks::none(),
        )
    };
    let unknown = run(with_port("b", &["exit", "0"], "no-such")).unwrap_err();
    assert!(unknown.to_string().contains("known: nat"), "{unknown}");
    while_running(&driver, &with_port("a", &["sleep"], "nat"), |driver| {
        let taken = run(with_port("b", &["exit", "0"], "nat")).unwrap_err();
        let cause = std::error::Error::source(&taken).map(ToString::to_string);
        assert!(
            cause.is_some_and(|cause| cause.contains("in use")),
            "{taken}"
        );
        driver.terminate(&folders.id("a")).unwrap();
    });
    for _ in 0..2 {
        let free = run(with_port("b", &["exit", "0"], "nat"));
        assert_eq!(free.unwrap().code, 0);
    }
}
