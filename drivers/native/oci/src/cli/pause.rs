//! `pause` and `resume`.

use super::failure::Answer;
use super::global::Global;

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The container's id.
    id: String,
}

pub(super) fn pause(global: &Global, args: &Args) -> Answer {
    global.open()?.pause(&args.id)?;
    Ok(0)
}

pub(super) fn resume(global: &Global, args: &Args) -> Answer {
    global.open()?.resume(&args.id)?;
    Ok(0)
}
