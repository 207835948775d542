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

/// Entries of a list of a shape that is kept.
const FEW: usize = 64;

/// Bytes of a profile that is a name.
const NAME: usize = 255;

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

    /// Whether it is small enough to be kept for long: of a container with a profile of its own, or with a hundred mounts, a second
    /// one may never come.
    pub fn is_small(&self) -> bool {
        let few = |count: usize| count <= FEW;
        self.shape.as_linux().is_some_and(|linux| {
            few(self.shape.mounts.len())
                && few(linux.allowed_devices.len())
                && few(linux.autocreated_devices.len())
                && few(linux.sysctl.len())
                && few(linux.group_add.len())
                && linux.seccomp_profile.len() <= NAME
        })
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

    /// Drops the arguments and wipes the environment: both may be secret.
    pub fn forget_words(&mut self) {
        if let Some(process) = self.spec.oci.process_mut() {
            process.set_args(None);
            process.env_mut().iter_mut().for_each(texts::wipe);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mount, Network, Resources, WindowSize};

    fn first() -> Command {
        let mut command = Command::linux("job-1", "/srv/1", "sh").env("A", "1");
        command.process.tty = true;
        command
    }

    type Change = (&'static str, fn(&mut Command));

    #[test]
    fn what_is_of_the_shape_makes_another_one() {
        let changes: [Change; 11] = [
            ("mounts", |c| c.mounts.push(Mount::bind("/a", "/b"))),
            ("network", |c| c.network = Some(Network::default())),
            ("tty", |c| c.process.tty = false),
            ("privileged", |c| c.process.privileged = true),
            ("user", |c| c.process.user = "7".into()),
            ("resources", |c| c.resources = Some(Resources::default())),
            ("mount_label", |c| c.mount_label = "l".into()),
            ("process_label", |c| c.process_label = "l".into()),
            ("capability", |c| {
                *c = c
                    .clone()
                    .with_linux(|linux| linux.cap_add.push("KILL".into()));
            }),
            ("parent", |c| {
                *c = c
                    .clone()
                    .with_linux(|linux| linux.cgroup_parent = "/p".into());
            }),
            ("system", |c| {
                c.platform = Command::windows("", "", "").platform
            }),
        ];
        let mut draft = Draft::of(&first(), "native").unwrap();
        for (what, change) in changes {
            let mut other = first();
            change(&mut other);
            assert!(!draft.suits(&other), "{what}");
            assert!(draft.become_of(&other).is_err(), "{what}");
        }
        assert_eq!(
            *draft.spec(),
            Spec::from_command(&first(), "native").unwrap()
        );
    }

    #[test]
    fn what_is_not_of_the_shape_is_the_next_commands() {
        let changes: [Change; 8] = [
            ("id", |c| c.id = "job-2".into()),
            ("rootfs", |c| c.rootfs = "/srv/2".into()),
            ("program", |c| c.process.entrypoint = "true".into()),
            ("arguments", |c| c.process.arguments = vec!["-c".into(); 9]),
            ("environment", |c| {
                c.process.env = vec!["HOSTNAME=x".into(), "B=2".into()]
            }),
            ("no environment", |c| c.process.env.clear()),
            ("directory", |c| c.working_dir = "/tmp".into()),
            ("size", |c| {
                c.process.console_size = Some(WindowSize {
                    rows: 9,
                    columns: 8,
                })
            }),
        ];
        let mut draft = Draft::of(&first(), "native").unwrap();
        for (what, change) in changes {
            let mut next = first();
            change(&mut next);
            draft.forget_words();
            assert!(draft.suits(&next), "{what}");
            draft.become_of(&next).unwrap();
            assert_eq!(
                *draft.spec(),
                Spec::from_command(&next, "native").unwrap(),
                "{what}"
            );
        }
        let mut bad = first();
        bad.id = "../x".into();
        let refused = draft.become_of(&bad).unwrap_err().to_string();
        assert_eq!(
            refused,
            Spec::from_command(&bad, "native").unwrap_err().to_string()
        );
    }

    #[test]
    fn a_large_shape_is_none_to_keep() {
        let is_small = |command: &Command| Draft::of(command, "native").unwrap().is_small();
        assert!(is_small(&first()));
        let mut many = first();
        many.mounts = (0..65)
            .map(|n| Mount::bind("/a", format!("/m{n}")))
            .collect();
        assert!(!is_small(&many));
        let profile = format!("{{{}}}", " ".repeat(300));
        assert!(!is_small(
            &first().with_linux(|linux| linux.seccomp_profile = profile)
        ));
    }
}
