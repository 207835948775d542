//! The job back-end keeps the contract.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test says what it expects")]

mod support;

use execdriver_conformance::{Act, Subject, conformance_suite};
use execdriver_core::{Command, Driver, ProcessConfig};
use std::sync::{Arc, LazyLock};

/// One root for the whole program, opened anew by every handle.
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
static ROOT: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

struct Job;

impl Subject for Job {
    fn driver(&self) -> Arc<dyn Driver> {
        support::dynamic(ROOT.path(), "job")
    }

    fn command(&self, id: &str, act: &Act) -> Command {
        Command {
            process: self.process(act),
            ..Command::windows(id, "", "")
        }
    }

    fn process(&self, act: &Act) -> ProcessConfig {
        support::act(ROOT.path(), act)
    }
}

conformance_suite!(Job);
