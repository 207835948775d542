//! One `run` or `exec` at a terminal: streams, forwarded signals, the exit code.

use crate::failure::{Failure, chain, complain};
use crate::forward;
use crate::tty::RawMode;
use execdriver::{Driver, Error, ExitReason, ExitStatus, Pipes, Stdio, Target};
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The exit code of `--timeout`, as timeout(1) has it.
const TIMED_OUT: u8 = 124;

/// How the process is connected to the caller.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Streams {
    /// Connect standard input
    #[arg(short, long, help_heading = "Process")]
    pub(crate) interactive: bool,
    /// Give the process a terminal
    #[arg(short, long, help_heading = "Process")]
    pub(crate) tty: bool,
}

impl Streams {
    fn pipes(self) -> Pipes {
        let stdin = if self.interactive {
            Stdio::Inherit
        } else {
            Stdio::Null
        };
        Pipes::inherit().stdin(stdin)
    }
}

/// Runs `work` with the caller's streams, forwarding signals to `target` meanwhile.
pub(crate) fn attach(
    driver: &Arc<dyn Driver>,
    target: Target,
    (streams, quiet): (Streams, bool),
    work: impl FnOnce(Pipes) -> execdriver::Result<ExitStatus>,
) -> Result<ExitCode, Failure> {
    let forwarder = forward::start(driver, target, streams.tty)
        .map_err(|error| Failure::message(format!("watch for signals: {error}"), 125))?;
    let raw = if streams.tty && streams.interactive {
        RawMode::enter()
            .map_err(|error| Failure::message(format!("make the terminal raw: {error}"), 125))?
    } else {
        None
    };
    let outcome = work(streams.pipes());
    // The terminal is put back before anything is printed on it.
    drop(raw);
    let fatal = forwarder.end();
    match (outcome, fatal) {
        // Ctrl-C before the program ran: what a shell expects of a program that a signal ended.
        (Err(error @ Error::Aborted { .. }), Some(signal)) => {
            Err(Failure::from(error).with_code(128_u8.saturating_add(signal)))
        }
        (outcome, _) => report(outcome, quiet),
    }
}

fn report(outcome: execdriver::Result<ExitStatus>, quiet: bool) -> Result<ExitCode, Failure> {
    let status = outcome.map_err(Failure::not_run)?;
    if let Some(warning) = warning(&status.unenforced).filter(|_| !quiet) {
        complain(&warning);
    }
    let after = status.post_stop_errors.iter().chain(&status.cleanup_error);
    for error in after {
        complain(&chain(error));
    }
    if status.reason == ExitReason::TimedOut {
        return Ok(ExitCode::from(TIMED_OUT));
    }
    // Elsewhere than on Unix an exit code has 32 bits, and standard streams are flushed as they are written.
    if cfg!(not(unix)) && !(0..=255).contains(&status.code) {
        std::process::exit(status.code);
    }
    Ok(ExitCode::from(u8::try_from(status.code).unwrap_or(255)))
}

/// What was not in force, in one line: the sentences begin with its name, and why is told at length elsewhere.
fn warning(unenforced: &[String]) -> Option<String> {
    let name = |sentence: &String| {
        let end = sentence.find(": ").unwrap_or(sentence.len());
        sentence[..end].to_owned()
    };
    let names: Vec<String> = unenforced.iter().map(name).collect();
    let names = names.join(", ");
    let why = "`execdriver doctor` says why, --strict makes it an error, --quiet hides this";
    (!names.is_empty()).then(|| format!("WARNING: not enforced on this host: {names} ({why})"))
}

/// A new id of 12 hexadecimal digits.
pub(crate) fn new_id() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // RandomState is seeded from the system's random source, anew for every process.
    let hash = RandomState::new().hash_one((now, std::process::id()));
    format!("{:012x}", hash & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_in_force_is_one_line() {
        assert_eq!(warning(&[]), None);
        let sentences = ["device rules: there is no cgroup: none", "a seal"].map(str::to_owned);
        let line = warning(&sentences).unwrap();
        let begin = "WARNING: not enforced on this host: device rules, a seal (";
        assert!(line.starts_with(begin), "{line}");
    }

    #[test]
    fn a_new_id_is_a_valid_one_and_differs_from_the_last() {
        let (one, two) = (new_id(), new_id());
        assert!(execdriver::ContainerId::parse(&one).is_ok());
        assert_ne!(one, two);
    }
}
