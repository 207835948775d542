//! What a verb prints on standard output.

use super::failure::{Answer, Failure};
use std::io::{ErrorKind, Write};

/// Prints the text as it is.
pub(super) fn print(text: &str) -> Answer {
    is_read(text).map(|_| 0)
}

/// Prints it and gives whether somebody reads: a reader that has gone away, as `head` does, has what it wanted. Any other failure
/// is one, since a client would take half of an answer for the whole.
pub(super) fn is_read(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::system("write to standard output", error)),
    }
}

/// Says a line on standard error. One that is closed is no reason to fail, or to fail otherwise.
pub(super) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints a value as JSON on one line.
pub(super) fn json(value: &impl serde::Serialize) -> Answer {
    line(serde_json::to_string(value))
}

/// Prints a value as JSON for people to read.
pub(super) fn pretty(value: &impl serde::Serialize) -> Answer {
    line(serde_json::to_string_pretty(value))
}

fn line(text: serde_json::Result<String>) -> Answer {
    let mut text = text.map_err(|error| Failure::system("write JSON", error))?;
    text.push('\n');
    print(&text)
}
