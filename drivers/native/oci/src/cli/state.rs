//! `state`: the state of a container as JSON.

use super::failure::Answer;
use super::global::Global;
use super::output;

/// Arguments of `state`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let state = global.open()?.state(&args.id)?;
    output::pretty(&state)
}
