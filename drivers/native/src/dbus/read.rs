//! Unmarshalling of what others sent: every length is checked against what is there.

use super::BusError;

/// A position in bytes that begin at a multiple of eight of their message.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], big_endian: bool) -> Self {
        Self {
            bytes,
            at: 0,
            big_endian,
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, BusError> {
        self.take(1).map(|byte| byte.first().copied().unwrap_or(0))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, BusError> {
        self.align(4)?;
        let mut four = [0; 4];
        four.copy_from_slice(self.take(4)?);
        Ok(match self.big_endian {
            true => u32::from_be_bytes(four),
            false => u32::from_le_bytes(four),
        })
    }

    /// A string or an object path.
    pub(crate) fn text(&mut self) -> Result<&'a str, BusError> {
        let length = self.u32()?;
        self.terminated(usize::try_from(length).unwrap_or(usize::MAX))
    }

    pub(crate) fn signature(&mut self) -> Result<&'a str, BusError> {
        let length = self.byte()?;
        self.terminated(usize::from(length))
    }

    /// The string in a variant.
    pub(crate) fn text_variant(&mut self) -> Result<&'a str, BusError> {
        match self.signature()? {
            "s" | "o" => self.text(),
            _ => Err(BusError::Malformed(
                "a variant is not the text that was asked for",
            )),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn align(&mut self, alignment: usize) -> Result<(), BusError> {
        let gap = self.at.next_multiple_of(alignment) - self.at;
        self.take(gap).map(drop)
    }

    fn terminated(&mut self, length: usize) -> Result<&'a str, BusError> {
        let text = self.take(length)?;
        if self.byte()? != 0 || text.contains(&0) {
            return Err(BusError::Malformed("a string does not end where it says"));
        }
        std::str::from_utf8(text).map_err(|_| BusError::Malformed("a string is not UTF-8"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BusError> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(BusError::Malformed("it ends too early"))?;
        self.at += length;
        Ok(taken)
    }
}
