//! An error on its way out: one line, in the words that clients of OCI runtimes look for, and the exit code.

use execdriver_core::Error;
use execdriver_native::oci::OciError;
use std::error::Error as StdError;

/// What a verb gives: its exit code.
pub(super) type Answer = Result<u8, Failure>;

/// Why a verb failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) code: u8,
}

impl Failure {
    /// A wrong command line, document or file.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: one_line(&message.into()),
            code: 1,
        }
    }

    /// What the command line's parser says, without its advice.
    pub(super) fn command_line(error: &clap::Error) -> Self {
        if error.kind() == clap::error::ErrorKind::InvalidUtf8 {
            // The parser keeps to itself which it is.
            let words = std::env::args_os().filter(|word| word.to_str().is_none());
            let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
            return Self::usage(format!("an argument is not UTF-8: {}", words.join(", ")));
        }
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let said = text.lines().take_while(|line| !line.trim().is_empty());
        Self::usage(said.collect::<Vec<_>>().join("\n"))
    }

    /// A file or another thing of the system that failed.
    pub(super) fn system(what: impl std::fmt::Display, error: impl StdError) -> Self {
        Self::usage(format!("{what}: {}", chain(&error)))
    }
}

impl From<OciError> for Failure {
    fn from(error: OciError) -> Self {
        Self::usage(match &error {
            OciError::Driver(inner) => words(inner),
            other => chain(other),
        })
    }
}

/// Docker takes the exit code from "no such file or directory", "executable file not found" (127) and "permission denied"
/// (126).
fn words(error: &Error) -> String {
    match error {
        Error::ProgramNotFound { program, .. } if program.contains('/') => {
            format!("exec: {program:?}: stat {program}: no such file or directory")
        }
        Error::ProgramNotFound { program, .. } => {
            format!("exec: {program:?}: executable file not found in $PATH")
        }
        Error::ProgramNotExecutable { program, source } => {
            let cause = source.as_ref().map(|source| chain(source.as_ref()));
            let cause = cause.unwrap_or_else(|| "permission denied".to_owned());
            format!("exec: {program:?}: {cause}")
        }
        other => chain(other),
    }
}

/// An error and its causes.
fn chain(error: &dyn StdError) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let words: Vec<String> = causes.map(|cause| lower(&cause.to_string())).collect();
    words.join(": ")
}

/// The kernel's words begin with a capital, and clients look for small letters.
fn lower(words: &str) -> String {
    let mut letters = words.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            let rest = &words[first.len_utf8()..];
            first.to_lowercase().chain(rest.chars()).collect()
        }
        _ => words.to_owned(),
    }
}

/// Clients read the last line.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_told_as_docker_reads_it() {
        let error = |program: &str| Error::ProgramNotFound {
            program: program.to_owned(),
            source: None,
        };
        let failure = Failure::from(OciError::from(error("/nope")));
        let expected = "exec: \"/nope\": stat /nope: no such file or directory";
        assert_eq!((failure.message.as_str(), failure.code), (expected, 1));
        let failure = Failure::from(OciError::from(error("nope")));
        assert!(failure.message.contains("executable file not found"));
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(Failure::usage("one\n  two\n").message, "one two");
    }
}
