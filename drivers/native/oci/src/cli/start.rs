//! `start`: lets the program of a container run.

use super::failure::Answer;
use super::global::Global;

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    global.open()?.start(&args.id)?;
    Ok(0)
}
