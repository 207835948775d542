//! `ps`: the processes of a container, as ps(1) lists them.

use super::failure::{Answer, Failure};
use super::global::Global;
use super::output;
use clap::ValueEnum;
use std::process::Command;

/// Arguments of `ps`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The form of the list.
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The container's id.
    id: String,
    /// Options for ps(1).
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PS OPTIONS"
    )]
    options: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let pids = global.open()?.pids(&args.id)?;
    if args.format == Format::Json {
        return output::json(&pids);
    }
    let mut ps = Command::new("ps");
    match args.options.is_empty() {
        true => ps.arg("-ef"),
        false => ps.args(&args.options),
    };
    let output = ps.output().map_err(|error| Failure::system("ps", error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Failure::usage(format!("ps: {}", error.trim())));
    }
    match filtered(&text, &pids) {
        Some(text) => output::print(&text),
        None => Err(Failure::usage("ps: its output has no column PID")),
    }
}

/// The head and the lines of these processes.
fn filtered(text: &str, pids: &[u32]) -> Option<String> {
    let mut lines = text.lines();
    let head = lines.next()?;
    let column = head.split_whitespace().position(|name| name == "PID")?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column);
        pid.and_then(|pid| pid.parse().ok())
            .is_some_and(|pid| pids.contains(&pid))
    };
    let kept = std::iter::once(head).chain(lines.filter(is_ours));
    Some(kept.map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_processes_are_left_out() {
        let text = "UID PID CMD\nroot 1 init\nroot 12 sh\nroot 123 x\n";
        assert_eq!(filtered(text, &[12]).unwrap(), "UID PID CMD\nroot 12 sh\n");
        assert_eq!(filtered("UID CMD\n", &[]), None);
    }
}
