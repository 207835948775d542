//! Steps: an operation in the form of the message, and the words that errors describe it with.

use crate::shelf::{Lent, Shelf};
use crate::wire::{Op, Reader};
use std::fmt;
use std::io::Write;

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

/// Who does a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The container's init.
    Stays,
    /// Whoever makes its mounts ahead.
    Ahead,
    /// It begins the tree of this number: done ahead, and attached by the container's init.
    Tree(u16),
}

/// A list of steps. All lie in two blocks of memory, which the next start takes over: it takes no lock of the allocator for them,
/// which every thread of the host takes too.
#[derive(Clone)]
pub(crate) struct Steps {
    /// Each step's operation and, right behind it, its words.
    bytes: Lent<u8>,
    entries: Lent<Entry>,
    /// Of steps that are done ahead, in their order.
    ahead: Option<Lent<Entry>>,
    /// What is pushed belongs there.
    part: Part,
}

/// Where a step lies: its operation from the first number on, its words from the second to the third.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    part: Part,
    bounds: [usize; 3],
}

static BYTES: Shelf<Vec<u8>> = Shelf::new();
static ENTRIES: Shelf<Vec<Entry>> = Shelf::new();

impl Steps {
    /// An empty list with room for the steps of most containers.
    pub(super) fn with_room() -> Self {
        Steps {
            bytes: Lent::with_capacity(&BYTES, 12 << 10),
            entries: Lent::with_capacity(&ENTRIES, 128),
            ahead: None,
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
        let entry = self.written(op, words);
        self.entries.push(entry);
    }

    fn written(&mut self, op: &Op<'_>, words: impl fmt::Display) -> Entry {
        let from = self.bytes.len();
        op.encode(&mut *self.bytes);
        let begin = self.bytes.len();
        // A vector takes all that it is given.
        let _ = write!(self.bytes, "{words}");
        Entry {
            part: self.part,
            bounds: [from, begin, self.bytes.len()],
        }
    }

    /// The parts one behind the other.
    pub(super) fn in_order(mut self) -> Self {
        self.entries
            .sort_unstable_by_key(|entry| (entry.part, entry.bounds));
        self
    }

    /// Takes out what is done ahead, by a fate for each step in order; `instead` is what stands for the first step of a tree.
    pub(super) fn part_ways<'o>(
        &mut self,
        fates: &[Fate],
        instead: impl Fn(u16) -> (Op<'o>, &'static str),
    ) {
        let mut ahead = Lent::with_capacity(&ENTRIES, 128);
        let mut kept = 0;
        for (index, fate) in fates.iter().enumerate() {
            let Some(entry) = self.entries.get(index).copied() else {
                break;
            };
            if *fate != Fate::Stays {
                ahead.push(entry);
            }
            let stays = match *fate {
                Fate::Stays => entry,
                Fate::Ahead => continue,
                Fate::Tree(number) => {
                    let (op, words) = instead(number);
                    self.written(&op, words)
                }
            };
            if let Some(place) = self.entries.get_mut(kept) {
                *place = stays;
                kept += 1;
            }
        }
        self.entries.truncate(kept);
        self.ahead = Some(ahead);
    }

    /// The operations that are done ahead, in the form of the message; `None` where none are.
    pub(super) fn ahead(&self) -> Option<impl ExactSizeIterator<Item = &[u8]> + Clone> {
        let ahead = self.ahead.as_ref()?;
        Some(ahead.iter().map(|entry| self.encoded_of(entry)))
    }

    /// The steps in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Step<'_>> {
        (0..self.entries.len()).filter_map(|index| self.get(index))
    }

    /// The step of this number.
    pub(crate) fn get(&self, index: usize) -> Option<Step<'_>> {
        let entry = self.entries.get(index)?;
        let [_, begin, end] = entry.bounds;
        Some(Step {
            encoded: self.encoded_of(entry),
            words: std::str::from_utf8(self.bytes.get(begin..end)?).ok()?,
        })
    }

    /// All operations in the form of the message.
    pub(super) fn encoded(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.entries.iter().map(|entry| self.encoded_of(entry))
    }

    fn encoded_of(&self, entry: &Entry) -> &[u8] {
        let [from, to, _] = entry.bounds;
        self.bytes.get(from..to).unwrap_or_default()
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
        let mut steps = Steps::with_room();
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
