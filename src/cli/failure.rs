//! How the program fails: one line on standard error, and an exit code that scripts can trust.

use crate::output::{print, visible};
use clap::error::ErrorKind;
use execdriver::Error;
use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

/// An error with the exit code that its verb gives it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// A wrong command line: exit code 2.
    pub(crate) fn usage(error: Error) -> Self {
        Self::new(&error, 2)
    }

    /// A program that was not run: exit code 125, 126 or 127.
    pub(crate) fn not_run(error: Error) -> Self {
        let code = u8::try_from(error.exit_code()).unwrap_or(125);
        Self::new(&error, code)
    }

    /// What the parser of the command line says, on one line instead of its paragraphs.
    pub(crate) fn parse(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::MissingSubcommand {
            // The parser's own words list the hidden verb too.
            return Self::message("no verb given, such as run or list (--help tells more)", 2);
        }
        if error.kind() == ErrorKind::InvalidUtf8 {
            return Self::message(not_utf_8(), 2);
        }
        let text = error.render().to_string();
        let said: Vec<String> = text
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|line| line.starts_with("error: ") || line.starts_with("tip: "))
            .map(|line| line.trim_start_matches("error: ").to_owned())
            .collect();
        Self::message(format!("{} (--help tells more)", said.join("; ")), 2)
    }

    /// A failure in words.
    pub(crate) fn message(message: impl Into<String>, code: u8) -> Self {
        Self {
            message: message.into(),
            code,
        }
    }

    /// The same failure with another exit code.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    fn new(error: &Error, code: u8) -> Self {
        Self::message(chain(error), code)
    }

    /// Prints it and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        complain(&self.message);
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(&error, 1)
    }
}

/// Prints the help that was asked for; anything else that the parser says is a failure.
pub(crate) fn usage(error: &clap::Error) -> Result<ExitCode, Failure> {
    let nothing_given = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr() && error.kind() != nothing_given {
        return Err(Failure::parse(error));
    }
    if error.use_stderr() {
        // There is nowhere else to say it.
        let _ = error.print();
        return Ok(ExitCode::from(2));
    }
    print(&error.to_string())
}

/// The parser keeps to itself which argument it is.
fn not_utf_8() -> String {
    let words = std::env::args_os().filter(|word| word.to_str().is_none());
    let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    format!(
        "an argument is not UTF-8: {} (--help tells more)",
        words.join(", ")
    )
}

/// One line on standard error. A standard error that is closed is no reason to panic.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "execdriver: {}", visible(message));
}

/// The error and its causes on one line: `mount proc on /proc: permission denied`.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_the_whole_chain_once() {
        let error = Error::Setup {
            step: "mount proc on /proc".into(),
            source: Some("permission denied".into()),
        };
        assert_eq!(chain(&error), "mount proc on /proc: permission denied");
    }

    #[test]
    fn a_program_that_is_missing_exits_with_127() {
        let error = Error::ProgramNotFound {
            program: "x".into(),
            source: None,
        };
        assert_eq!(Failure::not_run(error).code, 127);
    }
}
