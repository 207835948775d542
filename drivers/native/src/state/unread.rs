//! A part of a record that few of its readers look into.

use crate::shelf::{Lent, Shelf};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The JSON of a `T`, passed on as it is until somebody asks for the value.
///
/// A record is read several times in the life of a container, on threads that wait afterwards for
/// as long as it lives. To take apart what an exec alone needs would cost each of them 16 KiB of
/// stack and a hundred small blocks of memory, which stay with the thread.
#[derive(Clone)]
pub(crate) struct Unread<T> {
    text: Lent<u8>,
    what: PhantomData<T>,
}

static TEXTS: Shelf<Vec<u8>> = Shelf::new();

/// What most containers have fits.
const ROOM: usize = 2 << 10;

impl<T: Serialize + DeserializeOwned> Unread<T> {
    /// Writes the value down.
    pub(crate) fn of(value: &T) -> serde_json::Result<Self> {
        Self::lent(value)
    }

    /// The same of what has the text of such a value.
    pub(crate) fn lent(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut text = Lent::with_capacity(&TEXTS, ROOM);
        serde_json::to_writer(&mut *text, value)?;
        let what = PhantomData;
        Ok(Self { text, what })
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is JSON of something else.
    pub(crate) fn read(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.text)
    }
}

impl<T> Serialize for Unread<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: &RawValue =
            serde_json::from_slice(&self.text).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

/// From a text that is there as a whole, as a record is.
impl<'de, T> Deserialize<'de> for Unread<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = <&RawValue>::deserialize(deserializer)?.get();
        let mut text = Lent::with_capacity(&TEXTS, read.len().max(ROOM));
        text.extend_from_slice(read.as_bytes());
        let what = PhantomData;
        Ok(Self { text, what })
    }
}

/// The value as JSON: in the caller's page if it fits there, as most do.
pub(super) fn json<'a>(
    value: &impl Serialize,
    page: &'a mut [u8],
) -> serde_json::Result<Cow<'a, [u8]>> {
    let mut rest = &mut *page;
    match serde_json::to_writer(&mut rest, value) {
        Ok(()) => {
            let left = rest.len();
            let used = page.len() - left;
            Ok(page.get(..used).unwrap_or_default().into())
        }
        // The page is full.
        Err(error) if error.is_io() => serde_json::to_vec(value).map(Cow::Owned),
        Err(error) => Err(error),
    }
}

impl<T> PartialEq for Unread<T> {
    fn eq(&self, other: &Self) -> bool {
        *self.text == *other.text
    }
}

impl<T> fmt::Debug for Unread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_passes_as_it_is() {
        let text = r#"{"a":  [1, 2]}"#;
        let part: Unread<Vec<u8>> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&part).unwrap(), text);
        assert!(part.read().is_err());
        let part = Unread::of(&vec![1u8, 2]).unwrap();
        assert_eq!(part.read().unwrap(), [1, 2]);
        assert_eq!(format!("{part:?}"), "[1,2]");
    }
    #[test]
    fn what_outgrows_the_page_is_written_whole() {
        let mut page = [0; 8];
        for length in 0..20 {
            let value = vec![7u8; length];
            let text = json(&value, &mut page).unwrap();
            assert_eq!(text, serde_json::to_vec(&value).unwrap(), "{length}");
            assert_eq!(matches!(text, Cow::Borrowed(_)), text.len() <= 8);
        }
    }
}
