//! Many runs over the fake compute service, failing ones among them, and then nothing more than before.

use crate::WindowsDriver;
use crate::sys::snapshot;
use execdriver_core::{
    Capture, Command, Driver, ExecRequest, Hooks, Isolation, Options, Pipes, ProcessConfig,
    RunOptions, Signal, Stdio, Target,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs of each kind in [`one`], 500 in all.
const KINDS: usize = 10;
const ROUNDS: usize = 50;

/// A file beside this test program, or a directory above it.
fn beside(name: &str, above: usize) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(above + 1).unwrap().join(name);
    assert!(
        path.is_file(),
        "{path:?}: cargo build -p payload -p fake-hcs first"
    );
    path
}

fn payload(arguments: &[&str]) -> ProcessConfig {
    let program = beside("payload.exe", 1).to_str().unwrap().to_owned();
    ProcessConfig::new(program).args(arguments.iter().copied())
}

fn command(folders: &Path, kind: usize, process: ProcessConfig) -> Command {
    let mut command = Command {
        process,
        ..Command::windows(format!("leak-{kind}"), r"\\?\Volume{fake}", "")
    };
    let windows = command.as_windows_mut().unwrap();
    windows.layer_folder = folders.join("scratch");
    windows.layer_paths = vec![folders.join("base")];
    // Those of even numbers are paused process by process.
    if kind.is_multiple_of(2) {
        windows.isolation = Isolation::Process;
    }
    command
}

/// One run; from kind 5 on they fail.
fn one(driver: &WindowsDriver, folders: &Path, kind: usize) {
    let run = |process: ProcessConfig, pipes: Pipes, hooks: &Hooks<'_>, options: RunOptions| {
        driver.run(&command(folders, kind, process), &options, pipes, hooks)
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
            let hooks = Hooks::none().on_start(|context| {
                driver.pause(context.id)?;
                driver.unpause(context.id)?;
                let request = ExecRequest::new(payload(&["exit", "4"]));
                let exec = driver.exec(context.id, &request, Pipes::null(), &Hooks::none())?;
                assert_eq!(exec.code, 4);
                Ok(driver.kill(&Target::from(context.id), Signal::TERM)?)
            });
            let status = run(payload(&["sleep"]), captured(), &hooks, usual());
            assert_eq!(status.unwrap().signal, Some(Signal::TERM));
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
            // The service can be told by ids what is to fail.
            drop(run(payload(&["exit", "0"]), captured(), &none, usual()).unwrap_err());
        }
    }
}

/// Handles and threads of this process, and how many programs run on this machine.
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
fn five_hundred_runs_leave_no_handle_thread_process_or_system() {
    let folders = tempfile::tempdir().unwrap();
    let root = folders.path();
    for folder in ["scratch", "base/UtilityVM"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let library = format!(
        "windows.hcs.library={}",
        beside("vmcompute.dll", 0).display()
    );
    let texts = ["windows.backend=hcs", "isolation=hyperv", &library];
    let driver = WindowsDriver::open(&root.join("state"), &mut Options::parse(texts).unwrap());
    let driver = driver.unwrap();
    let told = std::env::temp_dir().join(format!("fake-hcs-{}", std::process::id()));
    std::fs::create_dir_all(&told).unwrap();
    let line = "-leak-9- HcsStartComputeSystem fail 0x80070005";
    std::fs::write(told.join("9.txt"), line).unwrap();
    // What is made once and kept is not counted: one of each first.
    (0..KINDS).for_each(|kind| one(&driver, root, kind));
    let before = settled();
    assert!(
        before.0 > 0 && before.1 > 0,
        "the system counts neither handles nor threads"
    );
    for _ in 0..ROUNDS {
        (0..KINDS).for_each(|kind| one(&driver, root, kind));
    }
    // A process that was terminated takes a moment to be gone, and so does the thread that tells of its end.
    let end = Instant::now() + Duration::from_secs(30);
    let fits = |now: (u32, u32, usize)| now.0 <= before.0 && now.1 <= before.1 && now.2 <= before.2;
    while !fits(census()) {
        assert!(Instant::now() < end, "{before:?} became {:?}", census());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_dir_all(told).unwrap();
    assert!(
        std::fs::read_dir(root.join("state"))
            .unwrap()
            .next()
            .is_none()
    );
}

/// The census once nothing of the first runs is on its way out any more.
fn settled() -> (u32, u32, usize) {
    let mut last = census();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        let now = census();
        if now == last {
            return now;
        }
        last = now;
    }
    last
}
