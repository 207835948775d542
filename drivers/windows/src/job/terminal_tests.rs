//! The host program's own console, seen by a program that has one: this test program, in a container with a terminal.

use crate::WindowsDriver;
use crate::sys::console::{ConsoleInput, RawConsole, mode};
use crate::sys::interrupt::Interruptible;
use execdriver_core::{
    Capture, Command, Driver, Error, Hooks, Options, Pipes, ProcessConfig, RunOptions, Target,
    WindowSize,
};
use std::io::{self, Read};
use std::os::windows::io::AsHandle;
use std::time::Duration;

const REPORT: &str = "EXECDRIVER_TEST_CONSOLE";

/// Not a test of its own: what the other one runs at a terminal.
#[test]
fn the_program_at_the_console() {
    let Some(report) = std::env::var_os(REPORT) else {
        return;
    };
    let look = || mode(io::stdin().as_handle()).unwrap();
    let before = look();
    let raw = RawConsole::enter().unwrap().unwrap();
    let during = look();
    drop(raw);
    let dropped = look();
    let panicked = std::panic::catch_unwind(|| {
        let _raw = RawConsole::enter().unwrap();
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    let (mut input, interrupter) = Interruptible::new(ConsoleInput::open().unwrap()).unwrap();
    let reader = std::thread::spawn(move || input.read(&mut [0; 16]).unwrap_err().kind());
    std::thread::sleep(Duration::from_millis(100));
    interrupter.interrupt();
    let freed = reader.join().unwrap();
    let said = format!("{before} {during} {dropped} {} {freed:?}", look());
    std::fs::write(report, said).unwrap();
}

/// This program, at a terminal: Wine attaches a console to these names alone.
fn at_terminal(id: &str, line: &str) -> Command {
    let line = format!("\"{line} <CONIN$ >CONOUT$ 2>CONOUT$\"");
    let mut command = Command {
        process: ProcessConfig::new("cmd").args(["/c", &line]),
        ..Command::windows(id, "", "")
    };
    command.process.tty = true;
    command.as_windows_mut().unwrap().args_escaped = true;
    command
}

fn driver(root: &tempfile::TempDir) -> WindowsDriver {
    let mut options = Options::parse(["windows.backend=job"]).unwrap();
    WindowsDriver::open(root.path(), &mut options).unwrap()
}

#[test]
fn a_raw_console_is_put_back_also_by_a_panic_and_who_reads_it_is_freed() {
    let root = tempfile::tempdir().unwrap();
    let report = root.path().join("report");
    let own = std::env::current_exe().unwrap();
    let name = "job::terminal_tests::the_program_at_the_console";
    let mut command = at_terminal("console", &format!("\"{}\" --exact {name}", own.display()));
    command.process.env = vec![format!("{REPORT}={}", report.display())];
    let output = Capture::new(1 << 20);
    let options = RunOptions::default().timeout(Duration::from_secs(60));
    let pipes = Pipes::null().stdout(&output);
    let status = driver(&root).run(&command, &options, pipes, &Hooks::none());
    let said = std::fs::read_to_string(&report);
    let said = said.unwrap_or_else(|error| panic!("{error}: {status:?} {}", output.text()));
    let words: Vec<&str> = said.split(' ').collect();
    let [before, during, dropped, panicked, freed] = words[..] else {
        panic!("{said}");
    };
    let during: u32 = during.parse().unwrap();
    // Lines, echo and Ctrl-C (1, 2 and 4) are off; sequences (0x200) are on.
    assert_eq!((during & 7, during & 0x200), (0, 0x200), "{said}");
    assert_eq!((dropped, panicked), (before, before), "{said}");
    assert_ne!(before.parse::<u32>().unwrap(), during, "{said}");
    assert_eq!(freed, "TimedOut");
}

#[test]
fn a_size_is_set_or_the_system_says_that_it_cannot_and_one_out_of_range_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let driver = driver(&root);
    let size = |rows, columns| WindowSize { rows, columns };
    let hooks = Hooks::none().on_start(|context| {
        let target = Target::from(context.id);
        match driver.resize(&target, size(50, 100)) {
            Ok(()) => {}
            // The call was made: Wine answers ResizePseudoConsole by E_NOTIMPL.
            Err(Error::Driver { operation, .. }) => assert!(operation.contains("resize")),
            Err(other) => panic!("{other:?}"),
        }
        for bad in [size(0, 80), size(24, 0), size(40_000, 80)] {
            let refused = driver.resize(&target, bad);
            let named = matches!(refused, Err(Error::InvalidCommand { .. }));
            assert!(named, "{bad}: {refused:?}");
        }
        Ok(driver.terminate(context.id)?)
    });
    let command = at_terminal("sized", "pause");
    let options = RunOptions::default().timeout(Duration::from_secs(60));
    let status = driver
        .run(&command, &options, Pipes::null(), &hooks)
        .unwrap();
    assert_eq!(status.code, 137);
}
