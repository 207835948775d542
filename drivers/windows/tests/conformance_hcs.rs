//! The back-end of the compute service keeps the contract, over the fake one.
#![cfg(windows)]

mod support;

use execdriver_conformance::{Act, Subject, conformance_suite};
use execdriver_core::{Command, Driver, ProcessConfig};
use std::sync::{Arc, LazyLock};
use support::hcs::Folders;

/// One root for the whole program, opened anew by every handle.
static FOLDERS: LazyLock<Folders> = LazyLock::new(Folders::new);

struct Hcs;

impl Subject for Hcs {
    fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(FOLDERS.driver(&[]))
    }

    fn command(&self, id: &str, act: &Act) -> Command {
        Command {
            id: id.to_owned(),
            process: self.process(act),
            ..FOLDERS.command("any", &[])
        }
    }

    fn process(&self, act: &Act) -> ProcessConfig {
        support::act(FOLDERS.root(), act)
    }
}

conformance_suite!(Hcs);

/// The same where containers would be virtual machines, which can be paused.
mod hyperv {
    use super::*;

    struct HyperV;

    impl Subject for HyperV {
        fn driver(&self) -> Arc<dyn Driver> {
            Arc::new(FOLDERS.driver(&["isolation=hyperv"]))
        }

        fn command(&self, id: &str, act: &Act) -> Command {
            Hcs.command(id, act)
        }

        fn process(&self, act: &Act) -> ProcessConfig {
            Hcs.process(act)
        }
    }

    conformance_suite!(HyperV);
}
