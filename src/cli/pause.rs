//! `execdriver pause` and `execdriver unpause`: every process of containers stopped, and let go on.

use crate::failure::{Failure, chain, complain};
use crate::global::Global;
use execdriver::{Driver, Result};
use std::process::ExitCode;

/// What `pause --help` says last.
pub(crate) const EXAMPLES: &str = "\
A paused container takes no exec; `kill ID KILL` ends it, and so does a timeout of its run.

Examples:
  execdriver pause web db
  execdriver list            tells its state
  execdriver unpause web db";

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The containers
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(crate) fn pause(global: &Global, args: &Args) -> std::result::Result<ExitCode, Failure> {
    each(global, args, |driver, id| driver.pause(id))
}

pub(crate) fn unpause(global: &Global, args: &Args) -> std::result::Result<ExitCode, Failure> {
    each(global, args, |driver, id| driver.unpause(id))
}

/// Does all that can be done, and tells of the others.
fn each(
    global: &Global,
    args: &Args,
    act: impl Fn(&dyn Driver, &str) -> Result<()>,
) -> std::result::Result<ExitCode, Failure> {
    let driver = global.open()?;
    let mut code = ExitCode::SUCCESS;
    for id in &args.ids {
        if let Err(error) = act(driver.as_ref(), id) {
            complain(&chain(&error));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
