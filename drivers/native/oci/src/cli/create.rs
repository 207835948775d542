//! `create`: makes a container whose program waits for `start`.

use super::failure::Answer;
use super::global::Global;
use super::making::Making;

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    making: Making,
}

pub(super) fn run(global: &Global, args: Args) -> Answer {
    args.making.make(global, true, false)?;
    Ok(0)
}
