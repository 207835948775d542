//! What a verb prints on standard output.

use super::failure::{Answer, Failure};
use std::io::{ErrorKind, Write};

/// Prints the text as it is. A reader that has gone away, as `head` does, has what it wanted; any other failure is one, since a
/// client would take half of an answer for the whole.
pub(super) fn print(text: &str) -> Answer {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::system("write to standard output", error))
        }
        _ => Ok(0),
    }
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
