//! The binary `execdriver`: the verbs of its command line, one a file.
#![forbid(unsafe_code)]

mod clean;
mod confine;
mod container;
mod doctor;
mod drivers;
mod exec;
mod failure;
mod forward;
mod global;
mod host_root;
mod kill;
mod limits;
mod list;
mod output;
mod pause;
mod pids;
mod platform;
mod run;
mod session;
mod state_root;
mod stats;
mod tty;
mod update;
mod values;
mod words;

use clap::{Parser, Subcommand};
use failure::Failure;
use global::Global;
use std::process::ExitCode;

/// Run programs in containers, from one command.
#[derive(Debug, Parser)]
#[command(name = "execdriver", version, propagate_version = true)]
#[command(after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str = if cfg!(windows) {
    words::ALL
} else {
    "\
Examples:
  execdriver run -- sh -c 'echo hello from $(hostname)'
  execdriver run --rootfs ./alpine --id web -it -- /bin/sh
  execdriver exec -it web -- /bin/sh
  execdriver list --format json

Exit codes of `run` and `exec`: the program's own (128 + n when signal n ended it); 124 when
--timeout ended it; 125 when it could not be started, 126 when the program cannot be executed,
127 when it was not found. All other verbs: 0, or 1 on an error; 2 for a wrong command line."
};

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a program in a new container and wait for its end.
    #[command(long_about = run::LONG_ABOUT, after_help = run::EXAMPLES, override_usage = run::USAGE)]
    Run(Box<run::Args>),
    /// Run one more program in a running container.
    #[command(after_help = exec::EXAMPLES)]
    Exec(Box<exec::Args>),
    /// Send a signal to a container's first process, or to an exec.
    #[command(after_help = kill::EXAMPLES)]
    Kill(kill::Args),
    /// List the containers under this root.
    #[command(visible_alias = "ps")]
    List(list::Args),
    /// List the processes of a container, as the host sees them.
    #[command(visible_alias = "top")]
    Pids(pids::Args),
    /// Stop every process of containers until `unpause`.
    #[command(after_help = pause::EXAMPLES)]
    Pause(pause::Args),
    /// Let paused containers go on.
    Unpause(pause::Args),
    /// Show what containers use, live.
    #[command(after_help = stats::EXAMPLES)]
    Stats(stats::Args),
    /// Change limits of running containers.
    #[command(after_help = update::EXAMPLES)]
    Update(Box<update::Args>),
    /// Remove what containers that are no more have left.
    #[command(visible_alias = "rm", after_help = clean::EXAMPLES)]
    Clean(clean::Args),
    /// List the drivers.
    Drivers(drivers::Args),
    /// Tell what this host can enforce, what is missing, and the mend.
    Doctor(doctor::Args),
    /// Put a terminal back when its owner is gone (started by `run -t` itself).
    #[command(hide = true, name = tty::GUARD_VERB)]
    TtyGuard,
}

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => dispatch(&cli),
        Err(error) => failure::usage(&error),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}

fn dispatch(cli: &Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    match &cli.verb {
        Verb::Run(args) => run::main(global, args),
        Verb::Exec(args) => exec::main(global, args),
        Verb::Kill(args) => kill::main(global, args),
        Verb::List(args) => list::main(global, args),
        Verb::Pids(args) => pids::main(global, args),
        Verb::Pause(args) => pause::pause(global, args),
        Verb::Unpause(args) => pause::unpause(global, args),
        Verb::Update(args) => update::main(global, args),
        Verb::Stats(args) => stats::main(global, args),
        Verb::Clean(args) => clean::main(global, args),
        Verb::Drivers(args) => drivers::main(args),
        Verb::Doctor(args) => doctor::main(global, args),
        Verb::TtyGuard => Ok(tty::guard()),
    }
}
