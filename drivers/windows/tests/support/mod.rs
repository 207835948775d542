//! What the tests of the Windows driver share: its roots, and the multi-tool that containers run.
#![allow(dead_code, reason = "not every test program uses all of it")]

use execdriver_core::{Command, Driver, Options, ProcessConfig};
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
