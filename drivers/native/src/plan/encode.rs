//! Writes a plan's operations as the message that init reads.

use std::ffi::CStr;

#[cfg(test)]
use crate::wire::Op;
use crate::wire::{BODY_MAX, Header, Numbers, Params, Sink, Strings, TERMINAL_SLOT};

/// The message of `ops` operations: header and body; `fds` descriptors come along as slots `0..fds`, and `slots` counts
/// those and the ones of `Source`.
///
/// `None` when the body or a count is larger than init accepts.
pub(crate) fn message(body: &[u8], ops: usize, fds: u16, slots: u16) -> Option<Vec<u8>> {
    let body_len = u32::try_from(body.len())
        .ok()
        .filter(|len| *len <= BODY_MAX)?;
    let ops = u32::try_from(ops).ok().filter(|ops| *ops < u32::MAX)?;
    if fds > slots || slots >= TERMINAL_SLOT {
        return None;
    }
    let header = Header {
        body_len,
        ops,
        fds,
        slots,
    };
    Some([&header.encode()[..], body].concat())
}

/// A message in the making, for tests: a plan has its operations in the form of the message already.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Writer {
    body: Vec<u8>,
    ops: u32,
}

#[cfg(test)]
impl Writer {
    /// An empty message.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Appends an operation and returns its index.
    pub(crate) fn push(&mut self, op: &Op<'_>) -> u32 {
        let index = self.ops;
        op.encode(&mut self.body);
        self.ops = self.ops.saturating_add(1);
        index
    }

    /// As [`message`].
    pub(crate) fn finish(self, fds: u16, slots: u16) -> Option<Vec<u8>> {
        message(&self.body, usize::try_from(self.ops).ok()?, fds, slots)
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Owned strings in the packed form of [`Strings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedStrings(Vec<u8>);

impl PackedStrings {
    /// Appends a string.
    pub(crate) fn push(&mut self, text: &CStr) {
        self.0.extend_from_slice(text.to_bytes_with_nul());
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
            packed.push(text.as_ref());
        }
        packed
    }
}

/// Owned parameters in the packed form of [`Params`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedParams(Vec<u8>);

impl PackedParams {
    /// Appends a key that is a flag.
    pub(crate) fn flag(&mut self, key: &CStr) {
        self.0.extend_from_slice(key.to_bytes_with_nul());
        self.0.push(0);
    }

    /// Appends a key with its value.
    pub(crate) fn string(&mut self, key: &CStr, value: &CStr) {
        self.0.extend_from_slice(key.to_bytes_with_nul());
        self.0.push(b'=');
        self.0.extend_from_slice(value.to_bytes_with_nul());
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
