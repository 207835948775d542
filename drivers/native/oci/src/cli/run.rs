//! `run`: makes a container, starts its program, and unless it is detached waits for its end and removes it.

use super::failure::Answer;
use super::foreground;
use super::global::Global;
use super::log;
use super::making::Making;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    making: Making,
    /// Return as soon as the program runs.
    #[arg(long, short)]
    detach: bool,
    /// Leave the container, stopped, for `delete`.
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(global: &Global, args: Args) -> Answer {
    if args.detach {
        args.making.make(global, false, false)?;
        return Ok(0);
    }
    let signals = foreground::Signals::block()?;
    let attended = args.making.console_socket.is_none();
    let made = args.making.make(global, false, attended)?;
    let outcome = foreground::attend(made.launched, &signals);
    if !args.keep {
        log::warnings(global, &made.runtime.delete(&args.making.id, true)?);
    }
    outcome
}
