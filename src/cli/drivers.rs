//! `execdriver drivers`: the drivers by name.

use crate::failure::Failure;
use crate::output::{self, Format};
use execdriver::Registry;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `drivers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode, Failure> {
    let registry = Registry::with_builtin();
    let is_default = |name: &str| registry.default_name() == Some(name);
    let names = registry.names();
    match args.format {
        Format::Json => {
            let each = |name: &String| json!({"name": name, "default": is_default(name)});
            output::json(&Value::Array(names.iter().map(each).collect()))
        }
        Format::Table => {
            let mark = |name: &String| if is_default(name) { "*" } else { "" };
            let rows: Vec<_> = names
                .iter()
                .map(|n| vec![n.clone(), mark(n).into()])
                .collect();
            output::table(&["NAME", "DEFAULT"], &rows)
        }
    }
}
