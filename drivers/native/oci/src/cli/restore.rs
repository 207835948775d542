//! `restore`: makes a container from saved processes, by CRIU.

use super::bundle::Bundle;
use super::failure::{Answer, Failure};
use super::global::Global;
use super::images::Images;
use super::{console, foreground, log, pid_file};
use execdriver_native::oci::{Create, Launched, Restore, Runtime};
use std::path::PathBuf;

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    images: Images,
    /// The bundle's directory.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Return as soon as the programs go on.
    #[arg(long, short)]
    detach: bool,
    /// A socket to which the terminal's master is sent.
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// A file to which the first process's pid is written.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// For clients that say it: the container's processes are children of this one either way.
    #[arg(long)]
    no_subreaper: bool,
    /// For clients that say it: CRIU decides how the root is entered.
    #[arg(long)]
    no_pivot: bool,
    /// Another AppArmor profile or SELinux label than the saved one.
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// The SELinux context of the mounts.
    #[arg(long, value_name = "CONTEXT")]
    lsm_mount_context: Option<String>,
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: Args) -> Answer {
    let bundle = Bundle::read(&args.bundle)?;
    log::warnings(global, &bundle.warnings);
    let process = bundle.document.process().as_ref();
    let terminal = process.is_some_and(|process| process.terminal().unwrap_or(false));
    let attended = !args.detach && args.console_socket.is_none();
    console::check(args.console_socket.as_deref(), terminal, attended)?;
    let signals = match args.detach {
        true => None,
        false => Some(foreground::Signals::block()?),
    };
    let runtime = global.open()?;
    let restore = Restore {
        create: Create::new(&args.id, bundle.document, &bundle.path),
        criu: args.images.criued(global)?,
        lsm_profile: args.lsm_profile,
        lsm_mount_context: args.lsm_mount_context,
    };
    let mut launched = runtime.restore(restore)?;
    log::shortcomings(global, launched.warnings());
    let sockets = (args.console_socket.as_ref(), args.pid_file.as_ref());
    if let Err(failure) = hand_over(sockets, &mut launched) {
        remove(&runtime, &args.id);
        return Err(failure);
    }
    let Some(signals) = signals else {
        return Ok(0);
    };
    let outcome = foreground::attend(launched, &signals);
    log::warnings(global, &runtime.delete(&args.id, true)?);
    outcome
}

fn hand_over(
    (console_socket, pid_file): (Option<&PathBuf>, Option<&PathBuf>),
    launched: &mut Launched,
) -> Result<(), Failure> {
    if let Some(socket) = console_socket
        && let Some(master) = launched.take_terminal()
    {
        console::send(socket, &master)?;
    }
    match pid_file {
        Some(path) => pid_file::write(path, launched.pid()),
        None => Ok(()),
    }
}

fn remove(runtime: &Runtime, id: &str) {
    // The failure is the story; what cannot be removed now can be deleted.
    let _ = runtime.delete(id, true);
}
