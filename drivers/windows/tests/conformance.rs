//! The job back-end keeps the contract.
#![cfg(windows)]

mod support;

use execdriver_conformance::{Act, Subject, conformance_suite};
use execdriver_core::{Command, Driver, ProcessConfig, Signal};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// One root for the whole program, opened anew by every handle.
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
            Act::NotExecutable => return ProcessConfig::new(text_file().to_str().unwrap()),
            _ => unreachable!("the suite knows no more"),
        };
        support::payload(&arguments)
    }
}

/// A file that is no program.
fn text_file() -> PathBuf {
    let path = ROOT.path().join("text.exe");
    std::fs::write(&path, "no program").unwrap();
    path
}

conformance_suite!(Job);
