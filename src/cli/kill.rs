//! `execdriver kill`: a signal to a container's first process or to an exec.

use crate::failure::Failure;
use crate::global::Global;
use execdriver::{Error, Signal, Target};
use std::process::ExitCode;

/// What `kill --help` says last.
pub(crate) const EXAMPLES: &str = "\
Examples:
  execdriver kill web             TERM
  execdriver kill web KILL        by name, with or without SIG, or by number
  execdriver kill web -s HUP --exec e1";

/// Arguments of `kill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The container
    id: String,
    /// The signal, by name or number [default: TERM]
    #[arg(
        value_name = "SIGNAL",
        allow_negative_numbers = true,
        conflicts_with = "signal"
    )]
    positional: Option<Signal>,
    /// The signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", allow_negative_numbers = true)]
    signal: Option<Signal>,
    /// Signal this exec instead of the container's first process
    #[arg(long, value_name = "EXEC_ID")]
    exec: Option<String>,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let signal = args.signal.or(args.positional).unwrap_or(Signal::TERM);
    let target = match &args.exec {
        Some(exec) => Target::exec(&args.id, exec),
        None => Target::from(args.id.as_str()),
    };
    let killed = global.open()?.kill(&target, signal);
    killed.map_err(|error| of_the_exec(error, args))?;
    Ok(ExitCode::SUCCESS)
}

/// An exec that is not there is not to be taken for a container: the error has one id, the command line gave two.
fn of_the_exec(error: Error, args: &Args) -> Failure {
    match (&error, &args.exec) {
        (Error::NotFound { id } | Error::NotRunning { id }, Some(exec))
            if id == exec && *id != args.id =>
        {
            Failure::message(
                format!("container {:?} has no exec {exec:?} that runs", args.id),
                1,
            )
        }
        _ => Failure::from(error),
    }
}
