//! `execdriver update`: other limits for running containers.

use crate::failure::{Failure, chain, complain};
use crate::global::Global;
use crate::limits::LimitArgs;
use std::process::ExitCode;

/// What `update --help` says last.
pub(crate) const EXAMPLES: &str = "\
All of the limits of a container are changed or, on an error, none. What is not named stays.

Examples:
  execdriver update --memory 500m --memory-swap 1g web
  execdriver update --cpus 0.5 --pids-limit 100 web worker
  execdriver update --ulimit nofile=1024:2048 --oom-score-adj 500 web";

/// Arguments of `update`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The containers
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let Some(resources) = args.limits.changes()? else {
        return Err(Failure::message(
            "no limit is named: see `execdriver update --help`".to_owned(),
            2,
        ));
    };
    let driver = global.open()?;
    let mut code = ExitCode::SUCCESS;
    for id in &args.ids {
        if let Err(error) = driver.update(id, &resources) {
            complain(&chain(&error));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
