//! `list`: the containers below the root.

use super::failure::Answer;
use super::global::Global;
use super::output;
use clap::ValueEnum;
use execdriver_native::oci::State;

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The form of the list.
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Only the ids.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let list = global.open()?.list()?;
    if args.quiet {
        let ids: String = list.iter().map(|state| format!("{}\n", state.id)).collect();
        output::print(&ids)
    } else if args.format == Format::Json {
        output::json(&list)
    } else {
        output::print(&table(&list))
    }
}

fn table(list: &[State]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let row = |state: &State| {
        [
            state.id.clone(),
            state.pid.to_string(),
            state.status.to_string(),
            state.bundle.clone(),
            state.created.clone(),
            state.owner.clone(),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(list.iter().map(row)).collect();
    let widths = [0, 1, 2, 3, 4].map(|column: usize| {
        let lengths = rows.iter().map(|row| row[column].len());
        (lengths.max().unwrap_or(0) + 3).max(12)
    });
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:width$}"));
        }
        text.push_str(&row[5]);
        text.push('\n');
    }
    text
}
