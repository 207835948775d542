//! `run`: makes a container, starts its program, and unless it is detached waits for its end and removes it.

use super::failure::{Answer, Failure};
use super::foreground;
use super::global::Global;
use super::log;
use super::making::{Made, Making};
use super::notify;

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
    // Somebody has to listen before the program speaks.
    let hold = notify::is_wanted();
    if args.detach {
        let made = args.making.make(global, hold, false)?;
        if let Some(notices) = start(hold, &made, &args.making.id)? {
            notices.hand_on();
        }
        return Ok(0);
    }
    let signals = foreground::Signals::block()?;
    let attended = args.making.console_socket.is_none();
    let made = args.making.make(global, hold, attended)?;
    if let Some(notices) = start(hold, &made, &args.making.id)? {
        std::thread::spawn(|| notices.hand_on());
    }
    let outcome = foreground::attend(made.launched, &signals);
    if !args.keep {
        log::warnings(global, &made.runtime.delete(&args.making.id, true)?);
    }
    outcome
}

/// Starts what was held; one that cannot be started is removed.
fn start(hold: bool, made: &Made, id: &str) -> Result<Option<notify::Notices>, Failure> {
    if !hold {
        return Ok(None);
    }
    let started = notify::Notices::open(&made.runtime, id)
        .and_then(|notices| Ok(made.runtime.start(id).map(|()| notices)?));
    started.inspect_err(|_| {
        // The failure is the story; what cannot be removed now can be deleted.
        let _ = made.runtime.delete(id, true);
    })
}
