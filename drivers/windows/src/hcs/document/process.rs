//! The document of a process.

use super::Schema;
use crate::backend::{ChildStream, ProcessRequest};
use crate::command_line::command_line;
use crate::environment::Environment;
use execdriver_core::{Error, ProcessConfig, Result, WindowSize};
use serde::Serialize;
use std::collections::BTreeMap;

/// Docker 1.10's, every key always there; the pipes were arguments of the call.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Docker<'a> {
    application_name: &'a str,
    command_line: String,
    working_directory: &'a str,
    environment: BTreeMap<String, String>,
    emulate_console: bool,
    console_size: [u16; 2],
}

/// Today's, the same for both versions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Process<'a> {
    command_line: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    working_directory: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    emulate_console: bool,
    create_std_in_pipe: bool,
    create_std_out_pipe: bool,
    create_std_err_pipe: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<[u16; 2]>,
}

/// The document of a process.
///
/// # Errors
/// [`Error::InvalidCommand`] for a program, a command line or a console size that cannot be, and
/// for a user and privileges, which are words of Linux.
pub(crate) fn process(schema: Schema, request: &ProcessRequest<'_>) -> Result<String> {
    let process = request.process;
    check(process, request.args_escaped)?;
    let size = match (process.tty, process.console_size) {
        (true, Some(size)) => Some(console(size)?),
        _ => None,
    };
    let command_line = command_line(process, request.args_escaped);
    let variables = Environment::of(request.environment);
    let environment = variables
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if schema == Schema::Docker {
        let document = super::json(&Docker {
            application_name: "",
            command_line,
            working_directory: request.working_dir,
            environment,
            emulate_console: process.tty,
            console_size: size.unwrap_or_default(),
        })?;
        return Ok(super::docker::as_go(&document));
    }
    super::json(&Process {
        command_line,
        working_directory: request.working_dir,
        environment,
        emulate_console: process.tty,
        create_std_in_pipe: is_pipe(&request.stdin),
        create_std_out_pipe: is_pipe(&request.stdout) || process.tty,
        create_std_err_pipe: is_pipe(&request.stderr) && !process.tty,
        console_size: size,
    })
}

/// Whether the service is to make a pipe for this stream.
pub(crate) fn is_pipe(stream: &ChildStream) -> bool {
    matches!(stream, ChildStream::Pipe)
}

/// The longest command line of `CreateProcessW`, in UTF-16 units, its NUL included.
const MAX_UNITS: usize = 32_767;

/// Refuses a process that no document can ask for.
///
/// # Errors
/// [`Error::InvalidCommand`] with the field.
pub(crate) fn check(process: &ProcessConfig, escaped: bool) -> Result<()> {
    refuse_foreign(process)?;
    let program = &process.entrypoint;
    let refuse = |reason: String| Err(Error::invalid("process_config.entrypoint", reason));
    if program.trim().is_empty() {
        return refuse("it is empty, expected the program to execute".to_owned());
    }
    // A file cannot have a quote in its name, and no escape of one is known for the first word.
    if !escaped && program.contains('"') {
        return refuse(format!("got {program:?}, expected a path without quotes"));
    }
    let units = command_line(process, escaped).encode_utf16().count() + 1;
    if units > MAX_UNITS {
        let reason =
            format!("the command line has {units} UTF-16 units, expected at most {MAX_UNITS}");
        return Err(Error::invalid("process_config.arguments", reason));
    }
    match process.console_size {
        Some(size) if process.tty => console(size).map(drop),
        _ => Ok(()),
    }
}

fn refuse_foreign(process: &ProcessConfig) -> Result<()> {
    let foreign = [
        (!process.user.is_empty(), "process_config.user"),
        (process.privileged, "process_config.privileged"),
    ];
    match foreign.into_iter().find(|(asked, _)| *asked) {
        Some((_, field)) => Err(Error::invalid(field, "it is for Linux alone")),
        None => Ok(()),
    }
}

/// A console has one row and column at least, and counts them in signed 16 bits (`COORD`).
///
/// # Errors
/// [`Error::InvalidCommand`] for another size.
pub(crate) fn console(size: WindowSize) -> Result<[u16; 2]> {
    let most = i16::MAX.unsigned_abs();
    let fits = |count: u16| (1..=most).contains(&count);
    if fits(size.rows) && fits(size.columns) {
        return Ok([size.rows, size.columns]);
    }
    let reason = format!("got {size}, expected 1 to {most} rows and columns");
    Err(Error::invalid("process_config.console_size", reason))
}
