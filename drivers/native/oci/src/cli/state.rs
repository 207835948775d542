//! `state`: the state of a container as JSON.

use super::failure::{Answer, Failure};
use super::global::Global;

/// Arguments of `state`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let state = global.open()?.state(&args.id)?;
    let text = serde_json::to_string_pretty(&state);
    println!("{}", text.map_err(|error| Failure::system("state", error))?);
    Ok(0)
}
