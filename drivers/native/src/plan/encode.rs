//! Writes a plan's operations as the message that init reads.

use std::ffi::CStr;

use crate::shelf::{Lent, Shelf};
#[cfg(test)]
use crate::wire::Op;
use crate::wire::{BODY_MAX, HEADER_LEN, Header, Numbers, Params, Sink, Strings, TERMINAL_SLOT};

static MESSAGES: Shelf<Vec<u8>> = Shelf::new();

/// The message of operations: header and body; `fds` descriptors come along as slots `0..fds`, and `slots` counts those and
/// the ones of `Source`.
///
/// `None` when the body or a count is larger than init accepts.
pub(crate) fn message<'a>(
    operations: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    fds: u16,
    slots: u16,
) -> Option<Lent<u8>> {
    let bytes: usize = operations.clone().map(<[u8]>::len).sum();
    let body_len = u32::try_from(bytes).ok().filter(|len| *len <= BODY_MAX)?;
    let ops = u32::try_from(operations.len()).ok()?;
    if ops == u32::MAX || fds > slots || slots >= TERMINAL_SLOT {
        return None;
    }
    let header = Header {
        body_len,
        ops,
        fds,
        slots,
    };
    let room = (HEADER_LEN + bytes).max(8 << 10);
    let mut message = Lent::with_capacity(&MESSAGES, room);
    message.extend_from_slice(&header.encode());
    operations.for_each(|operation| message.extend_from_slice(operation));
    Some(message)
}

/// A message in the making, for tests: a plan has its operations in the form of the message already.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Writer {
    operations: Vec<Vec<u8>>,
}

#[cfg(test)]
impl Writer {
    /// An empty message.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends an operation and returns its index.
    pub(crate) fn push(&mut self, op: &Op<'_>) -> u32 {
        let mut operation = Vec::new();
        op.encode(&mut operation);
        self.operations.push(operation);
        u32::try_from(self.operations.len() - 1).unwrap_or(u32::MAX)
    }

    /// As [`message`].
    pub(crate) fn finish(self, fds: u16, slots: u16) -> Option<Vec<u8>> {
        message(self.operations.iter().map(Vec::as_slice), fds, slots)
            .map(|message| message.to_vec())
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A text without a NUL byte, which gets its one where it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plain<'a>(pub(super) &'a [u8]);

impl<'a> Plain<'a> {
    /// `None`: there is a NUL byte in it.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        (!bytes.contains(&0)).then_some(Self(bytes))
    }

    fn put(self, packed: &mut Vec<u8>) {
        packed.extend_from_slice(self.0);
        packed.push(0);
    }
}

impl<'a, T: AsRef<CStr> + ?Sized> From<&'a T> for Plain<'a> {
    fn from(text: &'a T) -> Self {
        Self(text.as_ref().to_bytes())
    }
}

/// Owned strings in the packed form of [`Strings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedStrings(Vec<u8>);

impl PackedStrings {
    /// None so far, with room for so many bytes, each string's NUL included.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends a string.
    pub(crate) fn push<'a>(&mut self, text: impl Into<Plain<'a>>) {
        text.into().put(&mut self.0);
    }

    /// The form that an operation carries.
    pub(crate) fn view(&self) -> Strings<'_> {
        Strings::new(&self.0).unwrap_or(Strings::EMPTY)
    }
}

impl<S: AsRef<CStr>> FromIterator<S> for PackedStrings {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut packed = PackedStrings::default();
        for text in texts {
            packed.push(&text);
        }
        packed
    }
}

/// Owned parameters in the packed form of [`Params`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedParams(Vec<u8>);

impl PackedParams {
    /// None so far, with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Takes all away, but not the room.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends a key that is a flag.
    pub(crate) fn flag<'a>(&mut self, key: impl Into<Plain<'a>>) {
        key.into().put(&mut self.0);
        self.0.push(0);
    }

    /// Appends a key with its value.
    pub(crate) fn string<'a>(&mut self, key: impl Into<Plain<'a>>, value: impl Into<Plain<'a>>) {
        key.into().put(&mut self.0);
        self.0.push(b'=');
        value.into().put(&mut self.0);
    }

    /// The form that an operation carries.
    pub(crate) fn view(&self) -> Params<'_> {
        Strings::new(&self.0)
            .and_then(Params::new)
            .unwrap_or_default()
    }
}

/// Owned numbers in the packed form of [`Numbers`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedNumbers(Vec<u8>);

impl PackedNumbers {
    /// The form that an operation carries.
    pub(crate) fn view(&self) -> Numbers<'_> {
        Numbers::new(&self.0).unwrap_or(Numbers::EMPTY)
    }
}

impl FromIterator<u32> for PackedNumbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        PackedNumbers(numbers.into_iter().flat_map(u32::to_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests;
