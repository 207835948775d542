//! The native driver keeps the contract.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../tests/support/mod.rs"]
mod support;

use execdriver_conformance::{Act, Subject, conformance_suite};
use execdriver_core::{Command, Driver, Options, ProcessConfig};
use execdriver_native::NativeDriver;
use std::sync::Arc;
use support::{Need, Rootfs, skip_unless};

/// A rootfs and a driver root for one test, gone with it.
struct Native(Rootfs);

impl Native {
    fn new() -> Self {
        let rootfs = Rootfs::new();
        rootfs.write("not-executable", "text");
        rootfs.mode("not-executable", 0o644);
        Self(rootfs)
    }

    fn words(act: &Act) -> Vec<String> {
        let words: &[&str] = match act {
            Act::Exit(code) => return vec!["/bin/exit".into(), code.to_string()],
            Act::Die(signal) => return vec!["/bin/signal".into(), signal.number().to_string()],
            Act::Print { stdout, stderr } if stderr.is_empty() => {
                return vec!["/bin/printf0".into(), stdout.clone()];
            }
            Act::Print { .. } => &["/bin/split"],
            Act::Cat => &["/bin/cat"],
            Act::SleepIgnoringTerm => &["/bin/ignore-term"],
            Act::Missing => &["/bin/no-such-program"],
            Act::NotExecutable => &["/not-executable"],
            // PID 1 has no default actions (pid_namespaces(7)): see `command`.
            _ => &["/bin/pause"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl Subject for Native {
    fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(NativeDriver::open(&self.0.state().join("native"), &mut Options::none()).unwrap())
    }

    fn command(&self, id: &str, act: &Act) -> Command {
        let words = Self::words(act);
        let command = Command::linux(id, self.0.path(), &words[0]).args(&words[1..]);
        command.with_linux(|linux| linux.init = matches!(act, Act::Sleep | Act::Die(_)))
    }

    fn process(&self, act: &Act) -> ProcessConfig {
        let words = Self::words(act);
        ProcessConfig::new(&words[0]).args(&words[1..])
    }
}

conformance_suite!(Native::new());

#[test]
fn the_suite_needs_user_namespaces_for_an_ordinary_user() {
    skip_unless(&[Need::UserNamespaces]);
}
