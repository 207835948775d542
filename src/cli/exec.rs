//! `execdriver exec`: one more program in a running container.

use crate::failure::Failure;
use crate::global::Global;
use crate::limits::LimitArgs;
use crate::run::{self, ProcessArgs};
use crate::session::{self, Streams};
use crate::{values, words};
use execdriver::{ExecRequest, Hooks, RunOptions, Target};
use std::process::ExitCode;
use std::time::Duration;

/// What `exec --help` says last.
pub(crate) const EXAMPLES: &str = if cfg!(windows) {
    words::EXEC_EXAMPLES
} else {
    "\
Without --env the program has the container's environment, with it PATH and what --env gives.

Examples:
  execdriver exec -it web -- /bin/sh
  execdriver exec --user nobody --workdir /tmp web -- id
  execdriver exec --memory 64m --pids-limit 20 web -- /bin/job    in a cgroup of its own

Exit code: as of `run`; 125 also when the container does not run."
};

/// Arguments of `exec`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The container
    id: String,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<String>,
    #[command(flatten)]
    streams: Streams,
    /// The exec's id, for `kill --exec` [default: 12 random hexadecimal digits]
    #[arg(long, help_heading = "Process")]
    exec_id: Option<String>,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Give the program all capabilities
    #[arg(long, help_heading = "Process")]
    privileged: bool,
    /// End the program after this long: 10s, 1m30s, 500ms
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true,
          value_parser = values::duration,
          help_heading = "Process")]
    timeout: Option<Duration>,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let mut process = args.process.process(&args.program, args.streams)?;
    process.privileged = args.privileged;
    // Without one of its own an exec has the container's environment.
    if !process.env.is_empty() {
        run::complete(&mut process);
    }
    let exec_id = args.exec_id.clone().unwrap_or_else(session::new_id);
    let mut options = RunOptions::default().die_with_host(true);
    options.timeout = args.timeout;
    let mut request = ExecRequest::new(process).exec_id(&exec_id).options(options);
    request.cwd.clone_from(&args.process.workdir);
    request.resources = args.limits.changes()?;
    let driver = global.open().map_err(|failure| failure.with_code(125))?;
    let target = Target::exec(&args.id, exec_id);
    // What is not enforced in the container, its start has told.
    session::attach(&driver, target, (args.streams, true), |pipes| {
        driver.exec(&args.id, &request, pipes, &Hooks::none())
    })
}
