//! `execdriver doctor`: what this host can enforce, what is missing, and the exact mend.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format};
use execdriver::{Capabilities, Control, Enforcement};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let capabilities = global.open()?.capabilities();
    match args.format {
        Format::Json => output::json(&Value::Array(
            capabilities.controls.iter().map(as_json).collect(),
        )),
        Format::Table => output::print(&report(&capabilities)),
    }
}

fn as_json(control: &Control) -> Value {
    let (state, reason, mend) = match &control.enforcement {
        Enforcement::Unavailable { reason, mend } => {
            ("unavailable", reason.as_str(), mend.as_str())
        }
        Enforcement::NotImplemented => ("not implemented", "", ""),
        _ => ("enforced", "", ""),
    };
    json!({"group": control.group, "name": control.name, "state": state, "reason": reason,
           "mend": mend})
}

fn report(capabilities: &Capabilities) -> String {
    let mut text = format!("driver {}\n", capabilities.driver);
    for (group, controls) in grouped(&capabilities.controls) {
        text.push_str(&format!("\n{group}\n"));
        text.extend(controls.into_iter().map(line));
    }
    let missing = |c: &&Control| matches!(c.enforcement, Enforcement::Unavailable { .. });
    let count = capabilities.controls.iter().filter(missing).count();
    text.push_str(&match count {
        0 => "\nnothing is missing on this host\n".to_owned(),
        1 => "\n1 thing is missing on this host\n".to_owned(),
        n => format!("\n{n} things are missing on this host\n"),
    });
    text
}

/// Each group once, in the order of the first of its controls.
fn grouped(controls: &[Control]) -> Vec<(&str, Vec<&Control>)> {
    let mut groups: Vec<(&str, Vec<&Control>)> = Vec::new();
    for control in controls {
        match groups.iter_mut().find(|(name, _)| *name == control.group) {
            Some((_, members)) => members.push(control),
            None => groups.push((&control.group, vec![control])),
        }
    }
    groups
}

fn line(control: &Control) -> String {
    let name = &control.name;
    match &control.enforcement {
        Enforcement::Unavailable { reason, mend } if mend.is_empty() => {
            format!("  no   {name}: {reason}\n")
        }
        Enforcement::Unavailable { reason, mend } => {
            format!("  no   {name}: {reason}\n       mend: {mend}\n")
        }
        Enforcement::NotImplemented => format!("  --   {name}: not in this version\n"),
        _ => format!("  yes  {name}\n"),
    }
}
