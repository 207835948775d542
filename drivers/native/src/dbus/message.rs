//! Messages: the header that both sides write, and what of it matters here.

use super::read::Reader;
use super::{BusError, Writer};

/// Far above any answer of a service manager; the protocol's own bound is 128 MiB.
pub(super) const LONGEST: usize = 1 << 20;
/// The fixed part of a header and the length of its fields.
pub(super) const FIXED: usize = 16;

const METHOD_CALL: u8 = 1;
pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

/// A call of a method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) destination: &'a str,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) member: &'a str,
    /// Of the body.
    pub(crate) signature: &'a str,
}

impl Call<'_> {
    /// The bytes of the call.
    pub(super) fn message(&self, serial: u32, body: &[u8]) -> Vec<u8> {
        let mut writer = Writer::default();
        for byte in [b'l', METHOD_CALL, 0, 1] {
            writer.byte(byte);
        }
        writer.u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        writer.u32(serial);
        let texts = [
            (1, "o", self.path),
            (2, "s", self.interface),
            (3, "s", self.member),
            (6, "s", self.destination),
        ];
        writer.array(8, |writer| {
            for (code, kind, text) in texts {
                writer.align(8);
                writer.byte(code);
                writer.signature(kind);
                writer.text(text);
            }
            if !self.signature.is_empty() {
                writer.align(8);
                writer.byte(8);
                writer.signature("g");
                writer.signature(self.signature);
            }
        });
        writer.align(8);
        let mut message = writer.into_bytes();
        message.extend(body);
        message
    }
}

/// A message that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(super) kind: u8,
    pub(super) reply_to: Option<u32>,
    pub(crate) path: String,
    pub(crate) interface: String,
    pub(crate) member: String,
    pub(super) error: String,
    pub(crate) sender: String,
    pub(crate) signature: String,
    body: Vec<u8>,
    big_endian: bool,
}

/// How long the whole message is whose first [`FIXED`] bytes these are.
pub(super) fn length(fixed: &[u8; FIXED]) -> Result<usize, BusError> {
    let big_endian = is_big_endian(fixed)?;
    let mut reader = Reader::new(fixed, big_endian);
    let (_, body, _, fields) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
    let number = |value| usize::try_from(value).unwrap_or(LONGEST);
    let (body, fields) = (number(body), number(fields));
    if body > LONGEST || fields > LONGEST {
        return Err(BusError::Malformed("it is longer than any answer can be"));
    }
    Ok((FIXED + fields).next_multiple_of(8) + body)
}

impl Message {
    /// Reads a whole message.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BusError> {
        let fixed = bytes
            .first_chunk()
            .ok_or(BusError::Malformed("it has no header"))?;
        if length(fixed)? != bytes.len() {
            return Err(BusError::Malformed("its lengths do not add up"));
        }
        let big_endian = is_big_endian(fixed)?;
        let mut reader = Reader::new(bytes, big_endian);
        reader.byte()?;
        let kind = reader.byte()?;
        let (_, version) = (reader.byte()?, reader.byte()?);
        if version != 1 {
            return Err(BusError::Malformed(
                "it is of another version of the protocol",
            ));
        }
        let (body, _, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let end = FIXED + usize::try_from(fields).unwrap_or(LONGEST);
        let fields = bytes.get(..end).unwrap_or_default();
        let mut message = Self {
            kind,
            big_endian,
            ..Self::default()
        };
        let mut reader = Reader::new(fields, big_endian);
        for _ in 0..FIXED {
            reader.byte()?;
        }
        while !reader.is_at_end() {
            message.field(&mut reader)?;
        }
        let start = bytes.len() - usize::try_from(body).unwrap_or(0);
        message.body = bytes.get(start..).unwrap_or_default().to_vec();
        Ok(message)
    }

    fn field(&mut self, reader: &mut Reader<'_>) -> Result<(), BusError> {
        reader.align(8)?;
        let (code, kind) = (reader.byte()?, reader.signature()?);
        match (code, kind) {
            (5, "u") => self.reply_to = Some(reader.u32()?),
            (8, "g") => self.signature = reader.signature()?.to_owned(),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.u32()?),
            (code, "s" | "o") => {
                let text = reader.text()?.to_owned();
                match code {
                    1 => self.path = text,
                    2 => self.interface = text,
                    3 => self.member = text,
                    4 => self.error = text,
                    7 => self.sender = text,
                    _ => {}
                }
            }
            _ => return Err(BusError::Malformed("a header field of an unknown type")),
        }
        Ok(())
    }

    /// The body, when it is of these types.
    pub(crate) fn body(&self, signature: &str) -> Result<Reader<'_>, BusError> {
        if self.signature != signature {
            return Err(BusError::Malformed(
                "an answer of other types than asked for",
            ));
        }
        Ok(Reader::new(&self.body, self.big_endian))
    }

    /// Whether it is this signal.
    pub(crate) fn is_signal(&self, interface: &str, member: &str) -> bool {
        self.kind == SIGNAL && self.interface == interface && self.member == member
    }

    /// The error that it is.
    pub(super) fn into_error(self) -> BusError {
        let message = self.body("s").and_then(|mut body| body.text());
        BusError::Reply {
            message: message.unwrap_or_default().to_owned(),
            name: self.error,
        }
    }
}

fn is_big_endian(fixed: &[u8; FIXED]) -> Result<bool, BusError> {
    match fixed {
        [b'l', ..] => Ok(false),
        [b'B', ..] => Ok(true),
        _ => Err(BusError::Malformed("it begins with no byte order")),
    }
}
