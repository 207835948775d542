//! Many runs, failing ones among them, and then nothing more than before.

use crate::WindowsDriver;
use crate::sys::snapshot;
use execdriver_core::{
    Capture, Command, Driver, Hooks, Options, Pipes, ProcessConfig, RunOptions, Signal, Stdio,
    Target,
};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Runs of each kind in [`one`], 500 in all.
const KINDS: usize = 10;
const ROUNDS: usize = 50;

fn payload(arguments: &[&str]) -> ProcessConfig {
    let named = std::env::var_os("EXECDRIVER_PAYLOAD").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let own = std::env::current_exe().unwrap();
        own.parent().unwrap().parent().unwrap().join("payload.exe")
    });
    assert!(path.is_file(), "{path:?}: cargo build -p payload first");
    ProcessConfig::new(path.to_str().unwrap()).args(arguments.iter().copied())
}

/// One run; the first half of the kinds succeeds.
fn one(driver: &WindowsDriver, kind: usize) {
    let id = format!("leak-{kind}");
    let run = |process: ProcessConfig, pipes: Pipes, hooks: &Hooks<'_>, options: RunOptions| {
        let command = Command {
            process,
            ..Command::windows(&id, "", "")
        };
        driver.run(&command, &options, pipes, hooks)
    };
    let (none, usual) = (Hooks::none(), RunOptions::default);
    let output = Capture::new(64);
    let captured = || Pipes::null().stdout(&output).stderr(&output);
    match kind {
        0 => {
            let status = run(payload(&["exit", "0"]), Pipes::null(), &none, usual());
            assert_eq!(status.unwrap().code, 0);
        }
        1 => {
            let status = run(payload(&["print", "a", "b"]), captured(), &none, usual());
            assert_eq!((status.unwrap().code, output.text().len()), (0, 2));
        }
        2 => {
            let pipes = captured().stdin(Stdio::reader(&b"in"[..]));
            run(payload(&["cat"]), pipes, &none, usual()).unwrap();
            assert_eq!(output.text(), "in");
        }
        3 => {
            let children = payload(&["children", "2", "exit", "3"]);
            assert_eq!(run(children, captured(), &none, usual()).unwrap().code, 3);
        }
        4 => {
            let hooks = Hooks::none().on_start(|context| {
                driver.pause(context.id)?;
                Ok(driver.kill(&Target::from(context.id), Signal::KILL)?)
            });
            let status = run(payload(&["sleep"]), captured(), &hooks, usual());
            assert_eq!(status.unwrap().code, 137);
        }
        5 => drop(run(ProcessConfig::new("no-such"), captured(), &none, usual()).unwrap_err()),
        6 => {
            let hooks = Hooks::none().on_pre_start(|_| Err("not wanted".into()));
            drop(run(payload(&["sleep"]), captured(), &hooks, usual()).unwrap_err());
        }
        7 => {
            let hooks = Hooks::none().on_start(|_| Err("not wanted".into()));
            drop(run(payload(&["sleep"]), captured(), &hooks, usual()).unwrap_err());
        }
        8 => {
            // Either its start or its program meets the end of its time.
            let short = usual().timeout(Duration::from_millis(20));
            drop(run(payload(&["sleep"]), captured(), &none, short));
        }
        _ => {
            let text = std::env::temp_dir().join("execdriver-no-program.exe");
            std::fs::write(&text, "no program").unwrap();
            let program = ProcessConfig::new(text.to_str().unwrap());
            drop(run(program, captured(), &none, usual()).unwrap_err());
        }
    }
}

/// Handles and threads of this process, and how many programs of its own run.
fn census() -> (u32, u32, usize) {
    let all = snapshot::processes().unwrap();
    let own = all
        .iter()
        .find(|one| one.pid == std::process::id())
        .unwrap();
    (own.handles, own.threads, all.len())
}

#[test]
#[ignore = "counts what the whole program has, so it needs it for itself: cargo test -- --ignored --test-threads=1"]
fn five_hundred_runs_leave_no_handle_thread_process_or_job() {
    let root = tempfile::tempdir().unwrap();
    let mut options = Options::parse(["windows.backend=job"]).unwrap();
    let driver = WindowsDriver::open(root.path(), &mut options).unwrap();
    // What is made once and kept is not counted: one of each first.
    (0..KINDS).for_each(|kind| one(&driver, kind));
    let before = census();
    assert!(
        before.0 > 0 && before.1 > 0,
        "the system counts neither handles nor threads"
    );
    for _ in 0..ROUNDS {
        (0..KINDS).for_each(|kind| one(&driver, kind));
    }
    // A process that was terminated takes a moment to be gone. A job is there as long as a handle of it.
    let end = Instant::now() + Duration::from_secs(30);
    let settled =
        |now: (u32, u32, usize)| now.0 <= before.0 && now.1 <= before.1 && now.2 <= before.2;
    while !settled(census()) {
        assert!(Instant::now() < end, "{before:?} became {:?}", census());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(std::fs::read_dir(root.path()).unwrap().next().is_none());
}
