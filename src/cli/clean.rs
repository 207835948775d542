//! `execdriver clean`: removes what containers that are no more have left.

use crate::failure::{Failure, chain, complain};
use crate::global::Global;
use execdriver::{Driver, Error};
use std::process::ExitCode;

/// What `clean --help` says last.
pub(crate) const EXAMPLES: &str = "\
A container whose `run` ends cleans up after itself; this is for what a killed one left. An id of
which nothing is left is no error.

Examples:
  execdriver clean web
  execdriver clean --all            whatever does not run any more
  execdriver clean --all --force    whatever there is";

/// Arguments of `clean`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The containers
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// Kill what still runs first
    #[arg(short, long)]
    force: bool,
    /// Clean every container that does not run (with --force: every container)
    #[arg(short, long, conflicts_with = "ids")]
    all: bool,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let driver = global.open()?;
    let ids = if args.all {
        candidates(driver.as_ref(), args.force)?
    } else {
        args.ids.clone()
    };
    let mut code = ExitCode::SUCCESS;
    for id in &ids {
        if let Err(error) = clean(driver.as_ref(), id, args.force) {
            complain(&words(&error));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn candidates(driver: &dyn Driver, force: bool) -> Result<Vec<String>, Failure> {
    let stopped = execdriver::ContainerState::Stopped;
    let containers = driver.list()?.into_iter();
    Ok(containers
        .filter(|container| force || container.state == stopped)
        .map(|container| container.id)
        .collect())
}

/// The error, with the mend that this program has.
fn words(error: &Error) -> String {
    match error {
        Error::Running { id } => {
            format!("container {id:?} is running (`clean --force` kills it first)")
        }
        other => chain(other),
    }
}

fn clean(driver: &dyn Driver, id: &str, force: bool) -> execdriver::Result<()> {
    if force {
        match driver.terminate(id) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    driver.clean(id)
}
