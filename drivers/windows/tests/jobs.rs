//! Containers of job objects, end to end: streams, exit codes, who may act on them, and what is left.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test says what it expects")]

mod support;

use execdriver_core::{
    Capture, ContainerState, Driver, Error, ExecRequest, ExitReason, Hooks, Mount, Pipes,
    ProcessConfig, Resources, RunOptions, Signal, Stdio, Target, WindowsCommand,
};
use std::time::Duration;
use support::{command, driver, payload, payload_path};

/// Runs a command of the multi-tool and collects what it says.
fn capture(
    arguments: &[&str],
    change: impl FnOnce(&mut execdriver_core::Command),
) -> (i32, String) {
    let root = tempfile::tempdir().unwrap();
    let mut command = command("one", arguments);
    change(&mut command);
    let output = Capture::new(1 << 20);
    let pipes = Pipes::null().stdout(&output).stderr(&output);
    let options = RunOptions::default();
    let status = driver(root.path(), "job").run(&command, &options, pipes, &Hooks::none());
    (status.unwrap().code, output.text())
}

#[test]
fn exit_codes_of_32_bits_are_exact() {
    for code in [0, 1, 255, 256, 259, 0xC000_0135_u32, u32::MAX] {
        let (got, _) = capture(&["exit", &code.to_string()], |_| {});
        assert_eq!(got, code.cast_signed(), "{code}");
    }
}

#[test]
fn a_crash_is_told_from_an_exit() {
    let root = tempfile::tempdir().unwrap();
    let (options, none) = (RunOptions::default(), Hooks::none());
    let crash = command("crash", &["crash"]);
    let status = driver(root.path(), "job").run(&crash, &options, Pipes::null(), &none);
    assert_eq!(status.unwrap().reason, ExitReason::Signalled);
}

#[test]
fn env_eq() {
    let (_, said) = capture(&["env"], |command| {
        command.process.env = vec!["B=x=y".into(), "A=1".into(), "a=2".into()];
    });
    let has = |line: &str| said.lines().any(|found| found == line);
    assert!(has("B=x=y") && has("a=2") && !has("A=1"), "{said}");
    assert!(
        said.lines()
            .any(|line| line.to_lowercase().starts_with("systemroot=")),
        "{said}"
    );
}

#[test]
fn defect_30_an_entry_point_with_blanks_and_arguments_with_quotes_arrive_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("with blanks").join("pay load.exe");
    std::fs::create_dir(program.parent().unwrap()).unwrap();
    std::fs::copy(payload_path(), &program).unwrap();
    let arguments = [
        "a b",
        "",
        r#"say "hi""#,
        r"back\",
        r"both \\ \",
        "x&y|z>%PATH%",
    ];
    let (_, said) = capture(&["args"], |command| {
        command.process.entrypoint = program.to_str().unwrap().to_owned();
        command
            .process
            .arguments
            .extend(arguments.map(str::to_owned));
    });
    assert_eq!(said.lines().collect::<Vec<_>>(), arguments);
}

#[test]
fn defect_30_an_exec_in_a_container_that_is_over_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let (options, none) = (RunOptions::default(), Hooks::none());
    let over = command("over", &["exit", "0"]);
    driver.run(&over, &options, Pipes::null(), &none).unwrap();
    let request = ExecRequest::new(payload(&["exit", "0"]));
    let refused = driver.exec("over", &request, Pipes::null(), &none);
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    assert!(driver.kill(&Target::from("over"), Signal::KILL).is_err());
}

#[test]
fn defect_30_a_start_that_failed_leaves_no_container() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let options = RunOptions::default();
    let mut missing = command("failed", &[]);
    missing.process.entrypoint = "no-such-program".into();
    let hooks = Hooks::none().on_start(|_| Err("not wanted".into()));
    let sleeper = command("failed", &["children", "2", "sleep"]);
    for (command, hooks) in [(&missing, &Hooks::none()), (&sleeper, &hooks)] {
        driver
            .run(command, &options, Pipes::null(), hooks)
            .unwrap_err();
        assert!(driver.list().unwrap().is_empty());
        assert!(std::fs::read_dir(root.path()).unwrap().next().is_none());
    }
    let again = command("failed", &["exit", "4"]);
    let status = driver.run(&again, &options, Pipes::null(), &Hooks::none());
    assert_eq!(status.unwrap().code, 4);
}

#[test]
fn defect_30_stats_pause_update_and_pids_answer() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let hooks = Hooks::none().on_start(|context| {
        // As another program would.
        let other = support::driver(root.path(), "job");
        assert_eq!(other.pids(context.id)?[0], context.pid);
        let limits = Resources {
            memory: 64 << 20,
            ..Resources::default()
        };
        other.update(context.id, &limits)?;
        let stats = other.stats(context.id)?;
        assert_eq!(stats.memory_limit, 64 << 20);
        assert!(stats.cgroup.unwrap().memory_stats.usage.usage > 0);
        other.pause(context.id)?;
        assert_eq!(other.list()?[0].state, ContainerState::Paused);
        other.unpause(context.id)?;
        assert_eq!(other.list()?[0].state, ContainerState::Running);
        Ok(other.kill(&Target::from(context.id), Signal::KILL)?)
    });
    let sleeper = command("acted-on", &["children", "2", "sleep"]);
    let status = driver
        .run(&sleeper, &RunOptions::default(), Pipes::null(), &hooks)
        .unwrap();
    assert_eq!(
        (status.code, status.reason),
        (137, ExitReason::KilledByCaller)
    );
}

#[test]
fn exec_env_is_its_own_or_the_containers() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let hooks = Hooks::none().on_start(|context| {
        for (own, expected) in [(None, "A=container"), (Some("A=own"), "A=own")] {
            let mut process = payload(&["env"]);
            process.env.extend(own.map(str::to_owned));
            let output = Capture::new(1 << 16);
            let pipes = Pipes::null().stdout(&output);
            driver.exec(
                context.id,
                &ExecRequest::new(process),
                pipes,
                &Hooks::none(),
            )?;
            let said = output.text();
            assert!(said.lines().any(|line| line == expected), "{said}");
        }
        Ok(driver.kill(&Target::from(context.id), Signal::KILL)?)
    });
    let mut sleeper = command("with-env", &["sleep"]);
    sleeper.process.env = vec!["A=container".into()];
    driver
        .run(&sleeper, &RunOptions::default(), Pipes::null(), &hooks)
        .unwrap();
}

#[test]
fn big_output() {
    let bytes = 20 << 20;
    let output = Capture::new(bytes + 1);
    let root = tempfile::tempdir().unwrap();
    let big = command("big", &["big", &bytes.to_string()]);
    let pipes = Pipes::null().stdout(&output);
    let (options, none) = (RunOptions::default(), Hooks::none());
    let status = driver(root.path(), "job")
        .run(&big, &options, pipes, &none)
        .unwrap();
    assert_eq!((status.code, output.bytes().len()), (0, bytes));
    let line: Vec<u8> = (0..=250).cycle().take(251 * 64).collect();
    assert!(
        output
            .bytes()
            .chunks(line.len())
            .all(|part| part == &line[..part.len()])
    );
}

#[test]
fn what_outlives_the_first_process_is_ended_and_lets_go_of_the_outputs() {
    let root = tempfile::tempdir().unwrap();
    let output = Capture::new(1 << 10);
    let parent = command("parent", &["children", "3", "exit", "6"]);
    let (options, none) = (RunOptions::default(), Hooks::none());
    let began = std::time::Instant::now();
    let pipes = Pipes::null().stdout(&output);
    let status = driver(root.path(), "job")
        .run(&parent, &options, pipes, &none)
        .unwrap();
    assert_eq!((status.code, output.text().as_str()), (6, "started\n"));
    assert!(!status.output_truncated, "nothing waited for the grace");
    assert!(began.elapsed() < options.output_grace + Duration::from_secs(20));
}

#[test]
fn a_directory_that_is_none_is_refused_by_its_field() {
    let root = tempfile::tempdir().unwrap();
    let mut lost = command("lost", &["cwd"]);
    lost.working_dir = "C:\\no\\such\\directory".into();
    let (options, none) = (RunOptions::default(), Hooks::none());
    let refused = driver(root.path(), "job").run(&lost, &options, Pipes::null(), &none);
    let named =
        matches!(&refused, Err(Error::InvalidCommand { field, .. }) if field == "working_dir");
    assert!(named, "{refused:?}");
    let (_, said) = capture(&["cwd"], |command| {
        command.working_dir = "C:\\windows".into()
    });
    assert_eq!(said.trim().to_lowercase(), "c:\\windows");
}

#[test]
fn what_a_job_cannot_do_is_refused_before_anything_is_made() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(root.path(), "job");
    let with = |change: fn(&mut execdriver_core::Command)| {
        let mut command = command("refused", &["exit", "0"]);
        change(&mut command);
        command
    };
    let windows = |change: fn(&mut WindowsCommand)| {
        let mut command = command("refused", &["exit", "0"]);
        change(command.as_windows_mut().unwrap());
        command
    };
    let commands = [
        execdriver_core::Command::linux("refused", "/", "sh"),
        with(|command| command.rootfs = "C:\\x".into()),
        with(|command| command.mounts.push(Mount::bind("C:\\a", "C:\\b"))),
        with(|command| command.network = Some(execdriver_core::Network::of_container("x"))),
        windows(|windows| windows.hostname = "name".into()),
        windows(|windows| windows.isolation = execdriver_core::Isolation::Process),
        windows(|windows| windows.isolation = execdriver_core::Isolation::HyperV),
        windows(|windows| windows.hv_partition = true),
        windows(|windows| windows.layer_paths.push("C:\\layer".into())),
        windows(|windows| windows.endpoints.push("endpoint".into())),
    ];
    let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
    for command in commands {
        let refused = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
        let typed = matches!(
            refused,
            Err(Error::WrongPlatform { .. } | Error::Unsupported { .. })
        );
        assert!(typed, "{refused:?} of {command:?}");
        assert!(std::fs::read_dir(root.path()).unwrap().next().is_none());
    }
}

#[test]
fn a_script_of_cmds_is_no_program() {
    let root = tempfile::tempdir().unwrap();
    let script = root.path().join("script.bat");
    std::fs::write(&script, "@echo %1").unwrap();
    let mut command = command("script", &["\"&calc&\""]);
    command.process = ProcessConfig::new(script.to_str().unwrap()).args(["\"&calc&\""]);
    let (options, none) = (RunOptions::default(), Hooks::none());
    let refused = driver(root.path(), "job").run(&command, &options, Pipes::null(), &none);
    assert!(
        matches!(refused, Err(Error::ProgramNotExecutable { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_terminal_carries_what_is_shown_and_what_is_typed() {
    // Wine attaches a console to the names CONIN$ and CONOUT$ alone, not to the standard handles; cmd passes them on.
    let root = tempfile::tempdir().unwrap();
    let mut shell = command("terminal", &[]);
    let shown = format!(
        "\"\"{}\" cat <CONIN$ >CONOUT$ 2>CONOUT$\"",
        payload_path().display()
    );
    shell.process = ProcessConfig::new("cmd").args(["/c", &shown]);
    shell.as_windows_mut().unwrap().args_escaped = true;
    shell.process.tty = true;
    let output = Capture::new(1 << 20);
    let pipes = Pipes::null()
        .stdin(Stdio::reader(&b"typed\r"[..]))
        .stdout(&output);
    let options = RunOptions::default().timeout(Duration::from_secs(60));
    let status = driver(root.path(), "job")
        .run(&shell, &options, pipes, &Hooks::none())
        .unwrap();
    assert!(
        output.text().contains("typed"),
        "{:?} {status:?}",
        output.text()
    );
}

#[test]
fn a_restricted_token_runs_a_program() {
    let root = tempfile::tempdir().unwrap();
    let texts = ["windows.backend=job", "windows.token=restricted"];
    let mut options = execdriver_core::Options::parse(texts).unwrap();
    let driver = execdriver_windows::WindowsDriver::open(root.path(), &mut options).unwrap();
    let command = command("restricted", &["exit", "3"]);
    let status = driver.run(
        &command,
        &RunOptions::default(),
        Pipes::null(),
        &Hooks::none(),
    );
    assert_eq!(status.unwrap().code, 3);
}

#[test]
fn capabilities_say_what_a_job_does_not_isolate() {
    let root = tempfile::tempdir().unwrap();
    let capabilities = driver(root.path(), "job").capabilities();
    for name in ["files", "network", "registry", "processes"] {
        assert!(!capabilities.enforces("isolation", name), "{name}");
        assert!(
            capabilities
                .controls
                .iter()
                .any(|control| control.name == name)
        );
    }
}
