//! The fake keeps the contract.

use execdriver_conformance::{Act, Subject, conformance_suite};
use execdriver_core::{Command, Driver, ProcessConfig};
use execdriver_fake::{FakeDriver, Script, StartFailure};
use std::sync::Arc;

/// One fake for all handles, as one root would be; each act is a program of its own name.
struct Fake(FakeDriver);

impl Fake {
    fn new() -> Self {
        Self(FakeDriver::new())
    }

    fn teach(&self, act: &Act) -> String {
        let name = format!("{act:?}");
        let script = match act {
            Act::Exit(code) => Script::exits(*code),
            Act::Die(signal) => Script {
                signal: Some(*signal),
                ..Script::default()
            },
            Act::Print { stdout, stderr } => Script {
                stderr: stderr.clone().into(),
                ..Script::prints(stdout.clone())
            },
            Act::Cat => Script {
                echo_stdin: true,
                ..Script::default()
            },
            Act::SleepIgnoringTerm => Script {
                stdout: b"ready\n".to_vec(),
                ignores: vec![execdriver_core::Signal::TERM],
                ..Script::forever()
            },
            Act::Missing => Script::fails(StartFailure::ProgramNotFound),
            Act::NotExecutable => Script::fails(StartFailure::ProgramNotExecutable),
            _ => Script::forever(),
        };
        let _ = self.0.clone().script(&name, script);
        name
    }
}

impl Subject for Fake {
    fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(self.0.clone())
    }

    fn command(&self, id: &str, act: &Act) -> Command {
        Command::linux(id, "/rootfs", self.teach(act))
    }

    fn process(&self, act: &Act) -> ProcessConfig {
        ProcessConfig::new(self.teach(act))
    }
}

conformance_suite!(Fake::new());
