//! A text that is printed again and again in the same place of a terminal.
//!
//! Nothing of the terminal is changed: no mode, no second screen, no hidden cursor. So there is
//! nothing to put back, however the program ends, and what stood above the table stays.

use crate::failure::Failure;
use crate::tty;
use std::io::{self, IsTerminal, Write};

/// Standard output.
pub(super) struct Screen {
    terminal: bool,
    /// The lines of the last text, above the cursor.
    lines: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            lines: 0,
        }
    }

    /// Prints text; false when nobody reads any more.
    pub(super) fn print(&mut self, text: &str) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::message(format!("write the output: {error}"), 1)),
        }
    }

    /// Prints text over the last one; below it where there is no terminal.
    pub(super) fn redraw(&mut self, text: &str) -> Result<bool, Failure> {
        if !self.terminal {
            return self.print(text);
        }
        let (rows, columns) = match tty::window_size() {
            Some(size) => (usize::from(size.rows), usize::from(size.columns)),
            None => (24, 80),
        };
        let lines = fitted(text, rows, columns);
        let text = frame(&lines, self.lines);
        self.lines = lines.len();
        self.print(&text)
    }
}

/// The lines that the window has room for: one that wraps, or scrolls the first away, could not
/// be drawn over. The cursor needs the last one.
fn fitted(text: &str, rows: usize, columns: usize) -> Vec<String> {
    let all = text.lines().count();
    let room = rows.saturating_sub(1).max(1);
    let cut = |line: &str| line.chars().take(columns).collect::<String>();
    if all <= room {
        return text.lines().map(cut).collect();
    }
    let kept = room - 1;
    let mut lines: Vec<String> = text.lines().take(kept).map(cut).collect();
    lines.push(cut(&format!("... and {} more", all - kept)));
    lines
}

/// The lines over those `above` the cursor (ECMA-48: cursor up, erase in line, erase in page).
fn frame(lines: &[String], above: usize) -> String {
    let mut text = match above {
        0 => String::new(),
        above => format!("\r\u{1b}[{above}A"),
    };
    for line in lines {
        text.push_str(&format!("{line}\u{1b}[K\n"));
    }
    text.push_str("\u{1b}[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_large_is_cut_to_the_window() {
        assert_eq!(fitted("abc\nde\n", 24, 2), ["ab", "de"]);
        assert_eq!(fitted("a\nb\nc\nd\n", 4, 80), ["a", "b", "... and 2 more"]);
        assert_eq!(fitted("a\nb\n", 0, 80), ["... and 2 more"]);
    }

    #[test]
    fn the_second_text_is_drawn_over_the_first() {
        assert_eq!(frame(&["a".into()], 0), "a\u{1b}[K\n\u{1b}[J");
        assert_eq!(frame(&["a".into()], 3), "\r\u{1b}[3Aa\u{1b}[K\n\u{1b}[J");
    }
}
