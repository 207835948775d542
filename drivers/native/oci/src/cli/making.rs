//! What `create` and `run` have in common.

use super::bundle::Bundle;
use super::console;
use super::failure::Failure;
use super::global::Global;
use super::log;
use super::notify;
use super::pid_file;
use super::preserved;
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
    /// A socket to which a pidfd of the first process is sent.
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// Descriptors from 3 on that the program gets, beside those that LISTEN_FDS names.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    preserve_fds: u16,
    /// Leave the caller's session keyring to the program.
    #[arg(long)]
    no_new_keyring: bool,
    /// For clients that say it: where pivot_root(2) cannot be, in an initramfs, the old root is covered in any case, and
    /// elsewhere the pivot stays, which leaves no way back to it.
    #[arg(long)]
    no_pivot: bool,
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
        let mut bundle = Bundle::read(&self.bundle)?;
        log::warnings(global, &bundle.warnings);
        let process = bundle.document.process().as_ref();
        let terminal = process.is_some_and(|process| process.terminal().unwrap_or(false));
        console::check(self.console_socket.as_deref(), terminal, attended)?;
        let preserved = match bundle.document.process_mut() {
            Some(process) => preserved::take(self.preserve_fds, process)?,
            None => Vec::new(),
        };
        let runtime = global.open()?;
        let mut create = Create::new(&self.id, bundle.document, &bundle.path);
        create.hold = hold;
        create.strict = global.is_strict();
        create.preserved = preserved;
        create.keep_keyring = self.no_new_keyring;
        create.notify = notify::is_wanted();
        let launched = runtime.create(create)?;
        log::shortcomings(global, launched.warnings());
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
        if let Some(socket) = &self.pidfd_socket {
            console::send_descriptor(socket, "pidfd socket", made.launched.pidfd())?;
        }
        match &self.pid_file {
            Some(path) => pid_file::write(path, made.launched.pid()),
            None => Ok(()),
        }
    }
}
