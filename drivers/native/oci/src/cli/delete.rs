//! `delete`: removes a container and what it used.

use super::failure::Answer;
use super::global::Global;
use super::log;

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Kill it first if it runs; one that is not there is fine.
    #[arg(long, short)]
    force: bool,
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    log::warnings(global, &global.open()?.delete(&args.id, args.force)?);
    Ok(0)
}
