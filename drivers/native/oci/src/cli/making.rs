//! What `create` and `run` have in common.

use super::bundle::Bundle;
use super::console;
use super::failure::Failure;
use super::global::Global;
use super::pid_file;
use clap::Args;
use execdriver_native::oci::{Create, Launched, Runtime};
use std::path::PathBuf;

/// A container to make.
#[derive(Debug, Args)]
pub(super) struct Making {
    /// The bundle's directory.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// A socket to which the terminal's master is sent.
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// A file to which the first process's pid is written.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// The container's id.
    pub(super) id: String,
}

/// A container that was made.
pub(super) struct Made {
    pub(super) runtime: Runtime,
    pub(super) launched: Launched,
}

impl Making {
    /// Makes the container. `attended`: its terminal is taken by the calling process, else there has to be a socket for it.
    pub(super) fn make(
        &self,
        global: &Global,
        hold: bool,
        attended: bool,
    ) -> Result<Made, Failure> {
        let bundle = Bundle::read(&self.bundle)?;
        let process = bundle.document.process().as_ref();
        let terminal = process.is_some_and(|process| process.terminal().unwrap_or(false));
        console::check(self.console_socket.as_deref(), terminal, attended)?;
        let runtime = global.open()?;
        let mut create = Create::new(&self.id, bundle.document, &bundle.path);
        create.hold = hold;
        let launched = runtime.create(create)?;
        let mut made = Made { runtime, launched };
        match self.hand_over(&mut made) {
            Ok(()) => Ok(made),
            Err(failure) => {
                // The failure is the story; what cannot be removed now can be deleted.
                let _ = made.runtime.delete(&self.id, true);
                Err(failure)
            }
        }
    }

    fn hand_over(&self, made: &mut Made) -> Result<(), Failure> {
        if let Some(socket) = &self.console_socket
            && let Some(master) = made.launched.take_terminal()
        {
            console::send(socket, &master)?;
        }
        match &self.pid_file {
            Some(path) => pid_file::write(path, made.launched.pid()),
            None => Ok(()),
        }
    }
}
