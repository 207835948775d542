//! What the tests of the Windows driver share: its roots, and the multi-tool that containers run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]
#![allow(dead_code, reason = "not every test program uses all of it")]

pub(crate) mod hcs;

use execdriver_conformance::Act;
use execdriver_core::{Command, Driver, Options, ProcessConfig, Signal};
use execdriver_windows::WindowsDriver;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The driver on `root` with a back-end.
pub(crate) fn driver(root: &Path, backend: &str) -> WindowsDriver {
    let mut options = Options::parse([format!("windows.backend={backend}")]).unwrap();
    let driver = WindowsDriver::open(root, &mut options).unwrap();
    options.reject_rest("windows").unwrap();
    driver
}

/// The same as the trait.
pub(crate) fn dynamic(root: &Path, backend: &str) -> Arc<dyn Driver> {
    Arc::new(driver(root, backend))
}

/// A process of the multi-tool.
pub(crate) fn payload(arguments: &[&str]) -> ProcessConfig {
    let program = payload_path().to_str().unwrap().to_owned();
    ProcessConfig::new(program).args(arguments.iter().copied())
}

/// A command for it.
pub(crate) fn command(id: &str, arguments: &[&str]) -> Command {
    Command {
        process: payload(arguments),
        ..Command::windows(id, "", "")
    }
}

/// Where the multi-tool is: `EXECDRIVER_PAYLOAD`, or where cargo puts it (`cargo build -p payload` for the same target).
pub(crate) fn payload_path() -> PathBuf {
    let named = std::env::var_os("EXECDRIVER_PAYLOAD").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let own = std::env::current_exe().unwrap();
        own.parent().unwrap().parent().unwrap().join("payload.exe")
    });
    assert!(path.is_file(), "{path:?}: cargo build -p payload first");
    path
}

/// A process that does what the suite asks for; `folder` is for a file that it may need.
pub(crate) fn act(folder: &Path, act: &Act) -> ProcessConfig {
    let code;
    let arguments = match act {
        Act::Exit(number) => {
            code = number.to_string();
            vec!["exit", &code]
        }
        Act::Die(signal) => {
            // Windows has no signals: a process that the driver, or anybody in its way, ended has this code.
            assert_eq!(*signal, Signal::KILL);
            vec!["exit", "137"]
        }
        Act::Print { stdout, stderr } => vec!["print", stdout, stderr],
        Act::Cat => vec!["cat"],
        Act::Sleep => vec!["sleep"],
        Act::SleepIgnoringTerm => vec!["sleep-ignoring"],
        Act::Missing => return ProcessConfig::new("C:\\no\\such\\program.exe"),
        Act::NotExecutable => return ProcessConfig::new(text_file(folder).to_str().unwrap()),
        _ => unreachable!("the suite knows no more"),
    };
    payload(&arguments)
}

/// A file that is no program.
fn text_file(folder: &Path) -> PathBuf {
    let path = folder.join("text.exe");
    std::fs::write(&path, "no program").unwrap();
    path
}
