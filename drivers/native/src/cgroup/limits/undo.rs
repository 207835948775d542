//! The way back: what to write so that a file says again what it said before.

use super::{Setting, Shape};

impl Setting {
    /// The writes that bring `before`, the file's former content, back.
    pub(crate) fn undo(&self, before: &str) -> Vec<String> {
        match &self.shape {
            Shape::Whole => vec![before.lines().next().unwrap_or_default().to_owned()],
            Shape::Key(key) => before
                .lines()
                .filter_map(|line| line.split_once(' '))
                .filter(|(name, _)| name == key)
                .map(|(_, value)| value.trim().to_owned())
                .collect(),
            Shape::Device { device, gone } => {
                vec![line_of(before, device).unwrap_or(gone).to_owned()]
            }
            Shape::Nested { device, name } => {
                let value = line_of(before, device).and_then(|line| {
                    let fields = line.split(' ').skip(1);
                    fields
                        .filter_map(|field| field.split_once('='))
                        .find(|(key, _)| key == name)
                });
                let value = value.map_or("max", |(_, value)| value);
                vec![format!("{device} {name}={value}")]
            }
            Shape::Lines => before.lines().map(str::to_owned).collect(),
        }
    }
}

fn line_of<'a>(text: &'a str, device: &str) -> Option<&'a str> {
    text.lines()
        .find(|line| line.split(' ').next() == Some(device))
}
