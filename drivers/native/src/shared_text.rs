//! A text in a block of memory that many share.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text that lies among others in one block of memory, and whose copies lie there too.
///
/// A container has a cgroup in each of ten hierarchies, with a path that is as long as the next. The C library's allocator keeps
/// seven blocks of a size for each thread, and for an eighth every thread of a busy host waits for a lock.
#[derive(Clone)]
pub(crate) struct SharedText {
    whole: Arc<str>,
    start: u32,
    end: u32,
}

impl SharedText {
    /// These bytes of it; none where they are no text of it.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let at = |offset: usize| {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            self.start.saturating_add(offset).min(self.end)
        };
        let (start, end) = (at(range.start), at(range.end));
        let whole = Arc::clone(&self.whole);
        Self { whole, start, end }
    }

    /// The path of the directory above.
    pub(crate) fn parent(&self) -> Option<Self> {
        let last = self.rfind('/')?;
        Some(self.slice(0..last))
    }

    /// The path of `name` below this directory: where the text goes on so, it is the same text.
    pub(crate) fn child(&self, name: &str) -> Self {
        let after = self.whole.get(index(self.end)..).unwrap_or_default();
        let goes_on = after
            .strip_prefix('/')
            .is_some_and(|after| after.starts_with(name));
        let longer = u32::try_from(name.len() + 1).ok().filter(|_| goes_on);
        match longer.and_then(|longer| self.end.checked_add(longer)) {
            Some(end) => Self {
                whole: Arc::clone(&self.whole),
                start: self.start,
                end,
            },
            None => Self::from([self, "/", name].concat()),
        }
    }

    /// It as a path.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&**self)
    }
}

/// A number of 32 bits is one of all machines that this is built for.
fn index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        let range = index(self.start)..index(self.end);
        self.whole.get(range).unwrap_or_default()
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        Self {
            start: 0,
            end: u32::try_from(text.len()).unwrap_or(u32::MAX),
            whole: text.into(),
        }
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl From<&SharedText> for PathBuf {
    fn from(text: &SharedText) -> Self {
        text.as_path().to_owned()
    }
}

impl From<SharedText> for PathBuf {
    fn from(text: SharedText) -> Self {
        Self::from(&text)
    }
}

impl AsRef<Path> for SharedText {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SharedText {}

impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for SharedText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for SharedText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_and_one_above_are_the_same_text_where_it_has_them() {
        let whole = SharedText::from("/c/cpu/é/x/c/memory/é/x".to_owned());
        let cpu = whole.slice(0..11);
        assert_eq!(&*cpu, "/c/cpu/é/x");
        let above = cpu.parent().unwrap();
        assert_eq!(&*above, "/c/cpu/é");
        for (name, shared) in [("x", true), ("y", false), ("", true), ("xy", false)] {
            let below = above.child(name);
            assert_eq!(&*below, format!("/c/cpu/é/{name}"));
            assert_eq!(Arc::ptr_eq(&below.whole, &whole.whole), shared, "{name:?}");
        }
        // The next text is none of its own, and reads the same.
        assert_eq!(&*cpu.child("c"), "/c/cpu/é/x/c");
        assert_eq!(&*whole.slice(11..99), "/c/memory/é/x");
        assert_eq!(whole.slice(99..100), SharedText::from(String::new()));
        assert_eq!(&*whole.slice(0..8), "", "in the midst of a character");
        assert_eq!(SharedText::from("x".to_owned()).parent(), None);
    }
}
