//! Steps: an operation in the form of the message, and the words that errors describe it with.

use crate::wire::{Op, Reader};
use std::fmt::{self, Write};

/// One planned action.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    encoded: &'a [u8],
    words: &'a str,
}

impl<'a> Step<'a> {
    /// The operation; `None` never happens for a step that was pushed.
    pub(crate) fn op(self) -> Option<Op<'a>> {
        Op::decode(&mut Reader::new(self.encoded))
    }

    /// What it does: `mount proc on /proc`.
    pub(crate) fn words(self) -> &'a str {
        self.words
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.words, self.op())
    }
}

/// The parts of a plan in the order in which init walks them, which is not that in which they are decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Into the cgroups and the namespaces.
    #[default]
    Enter,
    /// The host's files are opened, before anything is mounted.
    Open,
    /// The container's tree is made, and entered.
    Tree,
    /// What is set in it from within.
    Within,
    /// The process, up to its program.
    Process,
}

/// A list of steps. All lie in three blocks of memory: a start takes the allocator's locks, which every thread of the
/// host takes too, a few times for them and not a few times for each.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    encoded: Vec<u8>,
    words: String,
    entries: Vec<Entry>,
    /// What is pushed belongs there.
    part: Part,
}

/// Where a step lies.
#[derive(Clone, Copy)]
struct Entry {
    part: Part,
    encoded: (usize, usize),
    words: (usize, usize),
}

impl Steps {
    /// An empty list with room for the steps of most containers.
    pub(super) fn with_room() -> Self {
        Steps {
            encoded: Vec::with_capacity(12 << 10),
            words: String::with_capacity(6 << 10),
            entries: Vec::with_capacity(160),
            part: Part::default(),
        }
    }

    /// The list, for steps of this part.
    pub(super) fn at(&mut self, part: Part) -> &mut Self {
        self.part = part;
        self
    }

    /// Appends a step to its part. The words are written where they stay.
    pub(super) fn push(&mut self, op: &Op<'_>, words: impl fmt::Display) {
        let (encoded, begin) = (self.encoded.len(), self.words.len());
        op.encode(&mut self.encoded);
        // A String takes all that it is given.
        let _ = write!(self.words, "{words}");
        self.entries.push(Entry {
            part: self.part,
            encoded: (encoded, self.encoded.len()),
            words: (begin, self.words.len()),
        });
    }

    /// The parts one behind the other.
    pub(super) fn in_order(mut self) -> Self {
        self.entries
            .sort_unstable_by_key(|entry| (entry.part, entry.encoded));
        self
    }

    /// The steps in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Step<'_>> {
        (0..self.entries.len()).filter_map(|index| self.get(index))
    }

    /// The step of this number.
    pub(crate) fn get(&self, index: usize) -> Option<Step<'_>> {
        let entry = self.entries.get(index)?;
        Some(Step {
            encoded: self.encoded_of(entry),
            words: self.words.get(entry.words.0..entry.words.1)?,
        })
    }

    /// All operations in the form of the message.
    pub(super) fn encoded(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.entries.iter().map(|entry| self.encoded_of(entry))
    }

    fn encoded_of(&self, entry: &Entry) -> &[u8] {
        let (from, to) = entry.encoded;
        self.encoded.get(from..to).unwrap_or_default()
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_their_order_and_steps_in_theirs() {
        let mut steps = Steps::default();
        for part in [Part::Process, Part::Tree, Part::Enter, Part::Tree] {
            for number in 0..20 {
                let words = format_args!("{part:?} {number}");
                steps.at(part).push(&Op::Place { slot: number }, words);
            }
        }
        let steps = steps.in_order();
        let words: Vec<&str> = steps.iter().map(Step::words).collect();
        let first = ["Enter 0", "Enter 1"];
        assert_eq!(words[..2], first);
        assert_eq!((words[19], words[20]), ("Enter 19", "Tree 0"));
        assert_eq!((words[39], words[40]), ("Tree 19", "Tree 0"));
        assert_eq!((words[59], words[60]), ("Tree 19", "Process 0"));
        assert_eq!(steps.encoded().len(), 80);
        assert_eq!(steps.get(21).unwrap().op(), Some(Op::Place { slot: 1 }));
    }
}
