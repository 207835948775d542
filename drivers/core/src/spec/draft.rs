//! A specification that becomes that of the next command of the same shape.

use super::{Spec, texts, translate};
use crate::{Command, Error, ProcessConfig, Result};

/// A command's specification, to be kept and made into another command's: what a host runs over and over mostly differs in its id,
/// its root file system and its words.
///
/// The shape is all else: mounts, limits, namespaces, devices, capabilities, labels, attributes.
///
/// ```
/// use execdriver_core::{Command, Spec, spec::Draft};
/// let mut draft = Draft::of(&Command::linux("job-1", "/srv/1", "/bin/sh"), "native")?;
/// let next = Command::linux("job-2", "/srv/2", "/bin/sh").args(["-c", "exit 3"]);
/// assert!(draft.suits(&next));
/// draft.become_of(&next)?;
/// assert_eq!(*draft.spec(), Spec::from_command(&next, "native")?);
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Draft {
    /// Without what is not of the shape.
    shape: Box<Command>,
    spec: Box<Spec>,
}

impl Draft {
    /// Translates a command, as [`Spec::from_command`] does.
    ///
    /// # Errors
    /// As there.
    pub fn of(command: &Command, driver: &str) -> Result<Self> {
        let spec = Spec::boxed_from_command(command, driver)?;
        let process = &command.process;
        let shape = Box::new(Command {
            mount_label: command.mount_label.clone(),
            mounts: command.mounts.clone(),
            network: command.network.clone(),
            process: ProcessConfig {
                tty: process.tty,
                privileged: process.privileged,
                user: process.user.clone(),
                ..ProcessConfig::default()
            },
            process_label: command.process_label.clone(),
            resources: command.resources.clone(),
            platform: command.platform.clone(),
            ..Command::default()
        });
        Ok(Self { shape, spec })
    }

    /// The specification of the last command.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Whether a command is of this shape.
    pub fn suits(&self, command: &Command) -> bool {
        // Each field by its name, so that a new one is decided on.
        let Command {
            id: _,
            init_path: _,
            mount_label,
            mounts,
            network,
            process,
            process_label,
            resources,
            rootfs: _,
            working_dir: _,
            tmp_dir: _,
            container_pid: _,
            platform,
        } = command;
        let ProcessConfig {
            tty,
            entrypoint: _,
            arguments: _,
            privileged,
            user,
            console_size: _,
            env: _,
        } = process;
        let shape = &self.shape;
        (*tty, *privileged) == (shape.process.tty, shape.process.privileged)
            && *user == shape.process.user
            && *platform == shape.platform
            && *resources == shape.resources
            && *mounts == shape.mounts
            && *network == shape.network
            && *mount_label == shape.mount_label
            && *process_label == shape.process_label
    }

    /// Makes it the specification of a command that it suits.
    ///
    /// # Errors
    /// [`Error::InvalidCommand`]: as [`Spec::from_command`] has it of this command, after which the draft is of no use; and for one
    /// that it does not suit.
    pub fn become_of(&mut self, command: &Command) -> Result<()> {
        let linux = command.as_linux().filter(|_| self.suits(command));
        let linux = linux.ok_or_else(|| {
            Error::invalid("command", "got one of another shape than the draft's")
        })?;
        translate::check(command, linux)?;
        translate::fill_own(&mut self.spec, command, linux)
    }

    /// Takes out what may be secret, arguments and environment.
    pub fn forget_words(&mut self) {
        if let Some(process) = self.spec.oci.process_mut() {
            process.set_args(None);
            process.env_mut().iter_mut().for_each(texts::wipe);
        }
    }
}
