//! `kill`: a signal, by number or name, for the first process or for all.

use super::failure::{Answer, Failure};
use super::global::Global;
use execdriver_core::Signal;

/// Arguments of `kill`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Signal every process of the container's cgroup.
    #[arg(long, short)]
    all: bool,
    /// The container's id.
    id: String,
    /// A number or a name, with or without SIG.
    #[arg(default_value = "SIGTERM")]
    signal: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let signal: Signal = args
        .signal
        .parse()
        .map_err(|_| Failure::usage(format!("unknown signal {:?}", args.signal)))?;
    global.open()?.kill(&args.id, signal.number(), args.all)?;
    Ok(0)
}
