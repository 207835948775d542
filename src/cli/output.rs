//! Listings as a table for people or as JSON for programs.

use crate::failure::Failure;
use clap::ValueEnum;
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a listing is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns under a heading
    #[default]
    Table,
    /// For programs
    Json,
}

/// Prints text; a reader that went away is no error (`execdriver list | head -1`).
pub(crate) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::message(format!("write the output: {error}"), 1))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Prints rows under a heading, each column as wide as its widest cell.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> Result<ExitCode, Failure> {
    print(&layout(heading, rows))
}

/// Rows under a heading as text.
pub(crate) fn layout(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize, title: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(title.len())
    };
    let widths: Vec<usize> = heading
        .iter()
        .enumerate()
        .map(|(i, t)| width(i, t))
        .collect();
    let mut text = String::new();
    let titles = heading.iter().map(|title| (*title).to_owned()).collect();
    for row in std::iter::once(&titles).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Prints a JSON value, indented.
pub(crate) fn json(value: &Value) -> Result<ExitCode, Failure> {
    print(&format!("{value:#}\n"))
}

/// Text of others made harmless for a terminal: what moves, recolours, hides or reorders is escaped.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || is_invisible(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Line and paragraph separators, and the format characters that reorder text (CVE-2021-42574).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["web".into(), "running".into()]];
        assert_eq!(
            layout(&["ID", "STATE"], &rows),
            "ID   STATE\nweb  running\n"
        );
    }

    #[test]
    fn an_escape_sequence_in_a_name_does_not_reach_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("a\n\u{202e}b é"), "a\\n\\u{202e}b é");
    }
}
