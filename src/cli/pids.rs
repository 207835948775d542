//! `execdriver pids`: the processes of a container, as the host sees them.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format};
use serde_json::json;
use std::process::ExitCode;

/// Arguments of `pids`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The container
    id: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let pids = global.open()?.pids(&args.id)?;
    match args.format {
        Format::Json => output::json(&json!(pids)),
        Format::Table => {
            let rows: Vec<_> = pids.iter().map(|pid| vec![pid.to_string()]).collect();
            output::table(&["PID"], &rows)
        }
    }
}
