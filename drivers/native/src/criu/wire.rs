//! Protocol buffers, as far as CRIU's messages use them: numbers, and bytes with a length.

/// The kind of a field that is a number.
const NUMBER: u64 = 0;
/// A number of 8 bytes.
const EIGHT: u64 = 1;
/// Bytes with their length before them: a text, or a message.
const BYTES: u64 = 2;
/// A number of 4 bytes.
const FOUR: u64 = 5;

/// A message being written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A number: also `bool` and enumerations.
    pub(super) fn number(&mut self, field: u32, value: impl Into<u64>) -> &mut Self {
        self.varint(u64::from(field) << 3 | NUMBER);
        self.varint(value.into());
        self
    }

    /// A flag, left out where it is not set.
    pub(super) fn flag(&mut self, field: u32, set: bool) -> &mut Self {
        if set {
            self.number(field, true);
        }
        self
    }

    /// A text.
    pub(super) fn text(&mut self, field: u32, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    /// A message in this one.
    pub(super) fn message(&mut self, field: u32, inner: &Message) -> &mut Self {
        self.bytes(field, &inner.0)
    }

    /// The finished bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.varint(u64::from(field) << 3 | BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        let [last, ..] = value.to_le_bytes();
        self.0.push(last);
    }
}

/// A field that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; none when it is no message. Fields of fixed size are left out: CRIU has none.
pub(super) fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Value<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let field = u32::try_from(key >> 3).ok()?;
        match key & 7 {
            NUMBER => found.push((field, Value::Number(take_varint(&mut bytes)?))),
            BYTES => {
                let len = usize::try_from(take_varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                found.push((field, Value::Bytes(value)));
            }
            EIGHT => bytes = bytes.get(8..)?,
            FOUR => bytes = bytes.get(4..)?,
            _ => return None,
        }
    }
    Some(found)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Message::default();
        inner.text(1, "pipe:[7]").number(2, 300u32);
        let mut message = Message::default();
        message.number(1, 2u32).flag(3, true).flag(4, false);
        message.message(27, &inner);
        let bytes = message.finish();
        // Field 1 as a number is 0x08; 300 is ac 02 (the encoding's own example).
        assert_eq!(bytes[..2], [0x08, 0x02]);
        let read = fields(&bytes).unwrap();
        assert_eq!(read[..2], [(1, Value::Number(2)), (3, Value::Number(1))]);
        let (27, Value::Bytes(inner)) = read[2] else {
            panic!("{read:?}");
        };
        let expected = [(1, Value::Bytes(b"pipe:[7]")), (2, Value::Number(300))];
        assert_eq!(fields(inner).unwrap(), expected);
    }

    #[test]
    fn the_largest_number_takes_ten_bytes() {
        let mut message = Message::default();
        message.number(1, u64::MAX);
        let bytes = message.finish();
        assert_eq!(bytes.len(), 11);
        assert_eq!(fields(&bytes).unwrap(), [(1, Value::Number(u64::MAX))]);
    }

    #[test]
    fn what_is_cut_short_or_no_message_is_none() {
        for bytes in [
            &[0x08][..],
            &[0x0a, 5, 1],
            &[0x80],
            &[0x0f, 1],
            &[0x09, 1],
            &[0xff; 12],
        ] {
            assert_eq!(fields(bytes), None, "{bytes:?}");
        }
        assert_eq!(fields(&[0x0d, 1, 2, 3, 4]), Some(Vec::new()));
    }
}
