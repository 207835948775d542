//! The table, on the terminal and in docs/performance.md.

use crate::Result;
use crate::pairs::Pairs;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

/// What is measured, and how it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Time, in seconds.
    Millis,
    /// Short times, in seconds.
    Micros,
    /// Memory, in bytes.
    Kibibytes,
}

/// One comparison.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is compared: `A against B`.
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// The most that A may be of B; `None` for what is only told.
    pub(crate) target: Option<f64>,
    pub(crate) pairs: Pairs,
    /// What each side did.
    pub(crate) did: String,
}

/// Markdown: the machine, the table, what could not be measured or not at once, what each row did.
pub(crate) fn text(rows: &[Row], notes: &[String], machine: &[String], args: &[String]) -> String {
    let mut text = String::new();
    for line in machine {
        let _ = writeln!(text, "- {line}");
    }
    let _ = writeln!(
        text,
        "- command: `cargo run --release -p execdriver-bench -- {}`",
        args.join(" ")
    );
    text += "\n| | A against B | pairs | A median (p95) | B median (p95) | A / B | target | |\n|---|---|---|---|---|---|---|---|\n";
    for (number, row) in (1..).zip(rows) {
        let (a, b) = row.pairs.medians();
        let (a_tail, b_tail) = row.pairs.tails();
        let ratio = row.pairs.ratio();
        let interval = row.pairs.interval();
        let (target, verdict) = match (row.target, interval) {
            (Some(target), _) if ratio <= target => (number_text(target), "met"),
            (Some(target), Some((low, _))) if low <= target => {
                (number_text(target), "**missed**, within the error")
            }
            (Some(target), _) => (number_text(target), "**missed**"),
            (None, _) => (String::new(), ""),
        };
        let interval = interval.map_or_else(String::new, |(low, high)| {
            format!(" ({low:.2} to {high:.2})")
        });
        let _ = writeln!(
            text,
            "| {number} | {} | {} | {} ({}) | {} ({}) | **{ratio:.2}**{interval} | {target} | {verdict} |",
            row.name,
            row.pairs.count(),
            row.unit.text(a),
            row.unit.text(a_tail),
            row.unit.text(b),
            row.unit.text(b_tail),
        );
    }
    for note in notes {
        let _ = writeln!(text, "\n{}", note.trim());
    }
    text += "\nTimes in milliseconds where nothing else is said. A / B is the median of the pairs' ratios, \
             in brackets where it is with 95 % of certainty, if these pairs are like all others. What each row did:\n\n";
    for (number, row) in (1..).zip(rows) {
        let _ = writeln!(text, "{number}. {}", row.did);
    }
    text
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Millis => format!("{:.2}", value * 1e3),
            Self::Micros => format!("{:.0} us", value * 1e6),
            Self::Kibibytes => format!("{:.1} KiB", value / 1024.0),
        }
    }
}

/// As short as it can be said: `2.0`, `1.05`.
fn number_text(target: f64) -> String {
    format!("{:?}", (target * 100.0).round() / 100.0)
}

/// Puts the text between the markers of the page.
pub(crate) fn write(page: &Path, text: &str) -> Result<()> {
    let old = fs::read_to_string(page)?;
    let (before, rest) = old
        .split_once(BEGIN)
        .ok_or("docs/performance.md has no begin marker")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("docs/performance.md has no end marker")?;
    fs::write(page, format!("{before}{BEGIN}\n{text}{END}{after}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    #[test]
    fn a_missed_target_stays_visible() {
        let slow = || Ok(Duration::from_millis(3));
        let fast = || Ok(Duration::from_millis(1));
        let row = |target| Row {
            name: "a against b".into(),
            unit: Unit::Millis,
            target,
            pairs: Pairs::take(3, slow, fast).unwrap(),
            did: "nothing".into(),
        };
        let text = text(
            &[row(Some(2.0)), row(Some(3.0)), row(None)],
            &["**Not measured**: big-host: a host died".into()],
            &[],
            &[],
        );
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.contains("a against b"))
            .collect();
        assert!(
            lines[0].ends_with("| **3.00** | 2.0 | **missed** |"),
            "{text}"
        );
        assert!(lines[1].ends_with("| **3.00** | 3.0 | met |"), "{text}");
        assert!(lines[2].ends_with("| **3.00** |  |  |"), "{text}");
        assert!(
            text.contains("\n**Not measured**: big-host: a host died\n"),
            "{text}"
        );
    }
}
