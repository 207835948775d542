//! `exec`: one more process in a container.

use super::bundle;
use super::console;
use super::failure::{Answer, Failure};
use super::foreground;
use super::global::Global;
use super::log;
use super::pid_file;
use super::preserved;
use crate::document;
use execdriver_native::oci::{Exec, Runtime};
use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, Process};
use std::path::{Path, PathBuf};

/// The exit code of an exec that did not come about.
const OWN: u8 = 255;

/// Arguments of `exec`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file with the process as in config.json; the options that say parts of it are then not looked at.
    #[arg(long, short, value_name = "FILE")]
    process: Option<PathBuf>,
    /// Give it a terminal.
    #[arg(long, short)]
    tty: bool,
    /// Return as soon as the program runs.
    #[arg(long, short)]
    detach: bool,
    /// A file to which its pid is written.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// A socket to which the terminal's master is sent.
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// UID or UID:GID.
    #[arg(long, short, value_name = "UID[:GID]")]
    user: Option<String>,
    /// More groups.
    #[arg(long, short = 'g', value_name = "GID")]
    additional_gids: Vec<u32>,
    /// The working directory.
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// NAME=value; may be given again.
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// One more capability; may be given again.
    #[arg(long, short, value_name = "NAME")]
    cap: Vec<String>,
    /// Give the program no rights that its parent does not have.
    #[arg(long)]
    no_new_privs: bool,
    /// The AppArmor profile.
    #[arg(long, value_name = "NAME")]
    apparmor: Option<String>,
    /// The SELinux label.
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// A socket to which a pidfd of the process is sent.
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// Descriptors from 3 on that the program gets, beside those that LISTEN_FDS names.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    preserve_fds: u16,
    /// A cgroup below the container's for it, PATH or CONTROLLER:PATH (controllers apart by commas); may be given again.
    #[arg(long, value_name = "CGROUP")]
    cgroup: Vec<String>,
    /// In a paused container, wait until it goes on.
    #[arg(long)]
    ignore_paused: bool,
    /// The container's id.
    id: String,
    /// The program and its arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    start(global, args).map_err(|failure| Failure {
        code: OWN,
        ..failure
    })
}

fn start(global: &Global, args: &Args) -> Answer {
    let runtime = global.open()?;
    let mut process = args.process(global, &runtime)?;
    let terminal = process.terminal().unwrap_or(false);
    console::check(args.console_socket.as_deref(), terminal, !args.detach)?;
    let signals = match args.detach {
        true => None,
        false => Some(foreground::Signals::block()?),
    };
    let preserved = preserved::take(args.preserve_fds, &mut process)?;
    let mut exec = Exec::new(&args.id, process);
    exec.cgroups.clone_from(&args.cgroup);
    exec.ignore_paused = args.ignore_paused;
    exec.preserved = preserved;
    let mut launched = runtime.exec(exec)?;
    log::shortcomings(global, launched.warnings());
    let handed = args.hand_over(&mut launched);
    if let Err(failure) = handed {
        launched.signal(libc::SIGKILL);
        let _ = launched.wait();
        return Err(failure);
    }
    match signals {
        Some(signals) => foreground::attend(launched, &signals),
        None => Ok(0),
    }
}

impl Args {
    fn hand_over(&self, launched: &mut execdriver_native::oci::Launched) -> Result<(), Failure> {
        if let Some(socket) = &self.console_socket
            && let Some(master) = launched.take_terminal()
        {
            console::send(socket, &master)?;
        }
        if let Some(socket) = &self.pidfd_socket {
            console::send_descriptor(socket, "pidfd socket", launched.pidfd())?;
        }
        match &self.pid_file {
            Some(path) => pid_file::write(path, launched.pid()),
            None => Ok(()),
        }
    }

    fn process(&self, global: &Global, runtime: &Runtime) -> Result<Process, Failure> {
        if let Some(path) = &self.process {
            let mut process = read(global, path)?;
            if self.tty {
                process.set_terminal(Some(true));
            }
            return Ok(process);
        }
        if self.command.is_empty() {
            return Err(Failure::usage(
                "exec: which program? Give its words, or --process",
            ));
        }
        let mut process = runtime.process(&self.id)?;
        process.set_args(Some(self.command.clone()));
        process.set_terminal(Some(self.tty));
        process.set_console_size(None);
        if self.no_new_privs {
            process.set_no_new_privileges(Some(true));
        }
        if let Some(cwd) = &self.cwd {
            process.set_cwd(cwd.clone());
        }
        if self.apparmor.is_some() {
            process.set_apparmor_profile(self.apparmor.clone());
        }
        if self.process_label.is_some() {
            process.set_selinux_label(self.process_label.clone());
        }
        let mut env = process.env().clone().unwrap_or_default();
        env.extend(self.env.iter().cloned());
        process.set_env(Some(env));
        self.set_user(&mut process)?;
        self.set_capabilities(&mut process)?;
        Ok(process)
    }

    fn set_user(&self, process: &mut Process) -> Result<(), Failure> {
        let mut user = process.user().clone();
        if let Some(text) = &self.user {
            let (uid, gid) = text.split_once(':').unwrap_or((text, "0"));
            let number = |text: &str| {
                let wrong =
                    || Failure::usage(format!("--user {text:?}: expected UID[:GID] in numbers"));
                text.parse::<u32>().map_err(|_| wrong())
            };
            user.set_uid(number(uid)?);
            if text.contains(':') {
                user.set_gid(number(gid)?);
            }
        }
        if !self.additional_gids.is_empty() {
            let mut gids = user.additional_gids().clone().unwrap_or_default();
            gids.extend(&self.additional_gids);
            user.set_additional_gids(Some(gids));
        }
        process.set_user(user);
        Ok(())
    }

    /// In every set, so that the program has it whoever it runs as.
    fn set_capabilities(&self, process: &mut Process) -> Result<(), Failure> {
        if self.cap.is_empty() {
            return Ok(());
        }
        let mut asked = Capabilities::new();
        for name in &self.cap {
            asked.insert(capability(name)?);
        }
        let mut sets = process.capabilities().clone().unwrap_or_else(|| {
            let mut none = LinuxCapabilities::default();
            none.set_bounding(None)
                .set_effective(None)
                .set_permitted(None);
            none.set_inheritable(None).set_ambient(None);
            none
        });
        let with = |set: &Option<Capabilities>| {
            let known = set.iter().flatten().copied();
            Some(known.chain(asked.iter().copied()).collect::<Capabilities>())
        };
        let (bounding, effective) = (with(sets.bounding()), with(sets.effective()));
        let (permitted, inheritable) = (with(sets.permitted()), with(sets.inheritable()));
        let ambient = with(sets.ambient());
        sets.set_bounding(bounding)
            .set_effective(effective)
            .set_permitted(permitted);
        sets.set_inheritable(inheritable).set_ambient(ambient);
        process.set_capabilities(Some(sets));
        Ok(())
    }
}

fn capability(name: &str) -> Result<Capability, Failure> {
    let wanted = name.to_ascii_uppercase();
    let wanted = if wanted.starts_with("CAP_") {
        wanted
    } else {
        format!("CAP_{wanted}")
    };
    let found: Result<Capability, _> = serde_json::from_value(wanted.clone().into());
    found.map_err(|_| Failure::usage(format!("--cap {name:?}: unknown capability")))
}

fn read(global: &Global, path: &Path) -> Result<Process, Failure> {
    let read = document::process(&bundle::text(path)?);
    let read = read.map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))?;
    log::warnings(global, &read.warnings);
    Ok(read.content)
}
