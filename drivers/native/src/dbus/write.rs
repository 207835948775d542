//! Marshalling, little-endian: each value at a multiple of its size.

/// A value with its type, as a variant holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Text(&'a str),
    U64(u64),
    U32s(&'a [u32]),
}

/// Bytes that begin at a multiple of eight of their message.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.align(8);
        self.bytes.extend(value.to_le_bytes());
    }

    /// A string or an object path.
    pub(crate) fn text(&mut self, value: &str) {
        self.u32(length(value.len()));
        self.bytes.extend(value.as_bytes());
        self.byte(0);
    }

    pub(crate) fn signature(&mut self, value: &str) {
        self.byte(u8::try_from(value.len()).unwrap_or(u8::MAX));
        self.bytes.extend(value.as_bytes());
        self.byte(0);
    }

    /// An array of elements with this alignment.
    pub(crate) fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) {
        self.align(4);
        let at = self.bytes.len();
        self.u32(0);
        // The gap before the first element does not count.
        self.align(alignment);
        let start = self.bytes.len();
        elements(self);
        let size = length(self.bytes.len() - start).to_le_bytes();
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&size);
        }
    }

    pub(crate) fn variant(&mut self, value: &Value<'_>) {
        match value {
            Value::Bool(value) => {
                self.signature("b");
                self.u32(u32::from(*value));
            }
            Value::Text(value) => {
                self.signature("s");
                self.text(value);
            }
            Value::U64(value) => {
                self.signature("t");
                self.u64(*value);
            }
            Value::U32s(values) => {
                self.signature("au");
                self.array(4, |writer| values.iter().for_each(|one| writer.u32(*one)));
            }
        }
    }

    /// `a(sv)`: names and values.
    pub(crate) fn properties(&mut self, properties: &[(&str, Value<'_>)]) {
        self.array(8, |writer| {
            for (name, value) in properties {
                writer.align(8);
                writer.text(name);
                writer.variant(value);
            }
        });
    }

    pub(crate) fn align(&mut self, alignment: usize) {
        let length = self.bytes.len().next_multiple_of(alignment);
        self.bytes.resize(length, 0);
    }
}

/// Nothing of ours comes near the protocol's limit of 128 MiB; the bus refuses what does.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
