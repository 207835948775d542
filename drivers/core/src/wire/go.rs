//! Text as Go's encoding/json writes it.

use crate::{Error, Result};
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use std::io;

/// Writes `value` compactly with Go's escapes.
pub(super) fn to_string(value: &impl Serialize) -> Result<String> {
    let mut bytes = Vec::with_capacity(2048);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter))
        .map_err(|error| Error::invalid("command", error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Error::invalid("command", error.to_string()))
}

/// Whether a text of `value` has a NUL byte: nothing is put down for that.
pub(super) fn has_nul(value: &impl Serialize) -> Result<bool> {
    let mut found = false;
    value
        .serialize(&mut Serializer::with_formatter(io::sink(), Nul(&mut found)))
        .map_err(|error| Error::invalid("command", error.to_string()))?;
    Ok(found)
}

/// Sees NUL bytes, which JSON always escapes.
struct Nul<'a>(&'a mut bool);

impl Formatter for Nul<'_> {
    fn write_char_escape<W>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        *self.0 |= matches!(escape, CharEscape::AsciiControl(0));
        Ok(())
    }
}

/// Where Go differs from serde_json: `&`, `<`, `>` and the line separators U+2028 and U+2029 are
/// escaped so that the text is safe inside HTML and JavaScript, and control characters have
/// numbers, save tab, line feed and carriage return.
struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let special = ['&', '<', '>', '\u{2028}', '\u{2029}'];
        let mut rest = fragment;
        while let Some(at) = rest.find(special) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(character) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let text = match escape {
            CharEscape::Quote => "\\\"",
            CharEscape::ReverseSolidus => "\\\\",
            CharEscape::Solidus => "/",
            CharEscape::Backspace => "\\u0008",
            CharEscape::FormFeed => "\\u000c",
            CharEscape::LineFeed => "\\n",
            CharEscape::CarriageReturn => "\\r",
            CharEscape::Tab => "\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04x}"),
        };
        writer.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_does() {
        let text = "a&b<c>d\u{2028}\u{2029}\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}\u{e9}\u{1f600}";
        assert_eq!(
            to_string(&text).unwrap(),
            "\"a\\u0026b\\u003cc\\u003ed\\u2028\\u2029\\\"\\\\/\\u0008\\u000c\\n\\r\\t\
             \\u0001\\u001f\u{7f}\u{e9}\u{1f600}\""
        );
    }
}
