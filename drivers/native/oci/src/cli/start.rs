//! `start`: lets the program of a container run.

use super::failure::Answer;
use super::global::Global;
use super::notify;

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let runtime = global.open()?;
    let notices = notify::Notices::open(&runtime, &args.id)?;
    runtime.start(&args.id)?;
    if let Some(notices) = notices {
        notices.hand_on();
    }
    Ok(0)
}
