//! A program and its arguments in a record: one block of memory, however many there are.

use crate::shelf::{Lent, Shelf};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Texts of which none has a NUL byte, in JSON a list of them.
#[derive(Clone)]
pub(crate) struct Words {
    /// Each with a NUL behind it.
    packed: Lent<u8>,
}

static PACKED: Shelf<Vec<u8>> = Shelf::new();

/// What most commands have fits.
const ROOM: usize = 512;

impl Words {
    /// The texts in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let texts = self.packed.split_inclusive(|byte| *byte == 0);
        // Each was a text when it was packed.
        texts.map(|text| {
            str::from_utf8(text.strip_suffix(b"\0").unwrap_or(text)).unwrap_or_default()
        })
    }

    fn push(&mut self, text: &str) {
        self.packed.extend_from_slice(text.as_bytes());
        self.packed.push(0);
    }
}

impl Default for Words {
    fn default() -> Self {
        let packed = Lent::with_capacity(&PACKED, ROOM);
        Self { packed }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Words {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut words = Self::default();
        texts.into_iter().for_each(|text| words.push(text.as_ref()));
        words
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        *self.packed == *other.packed
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Texts)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Words::default();
        while let Some(text) = list.next_element::<Cow<'_, str>>()? {
            if text.contains('\0') {
                return Err(A::Error::custom("a NUL byte in a word of a command"));
            }
            words.push(&text);
        }
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_from_their_json() {
        for list in [&[][..], &["sh"], &["", "-c", "\u{e9} \"x\"\n", ""]] {
            let words: Words = list.iter().collect();
            assert_eq!(words.iter().collect::<Vec<_>>(), list);
            let json = serde_json::to_string(&words).unwrap();
            assert_eq!(json, serde_json::to_string(list).unwrap());
            assert_eq!(serde_json::from_str::<Words>(&json).unwrap(), words);
            assert_eq!(format!("{words:?}"), format!("{list:?}"));
        }
        for bad in [r#"["a\u0000b"]"#, r#""sh""#, "[1]"] {
            assert!(serde_json::from_str::<Words>(bad).is_err(), "{bad}");
        }
    }
}
