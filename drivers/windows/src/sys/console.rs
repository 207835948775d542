//! The host program's own console: read as UTF-8, and made raw for a program inside that has a terminal.
//!
//! # Safety
//! Handles are open while the calls last; buffers are as large as we say.
//!
//! References: learn.microsoft.com/windows/console: ReadConsole, SetConsoleMode.

use super::{check, raw};
use std::fs::File;
use std::io::{self, Read};
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{ERROR_OPERATION_ABORTED, SetLastError};
use windows_sys::Win32::System::Console::{
    CONSOLE_MODE, DISABLE_NEWLINE_AUTO_RETURN, ENABLE_ECHO_INPUT, ENABLE_LINE_INPUT,
    ENABLE_MOUSE_INPUT, ENABLE_PROCESSED_INPUT, ENABLE_PROCESSED_OUTPUT,
    ENABLE_VIRTUAL_TERMINAL_INPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING, ENABLE_WINDOW_INPUT,
    GetConsoleMode, ReadConsoleW, SetConsoleMode,
};

/// What is typed, as UTF-8: as bytes a console gives its code page, in which most of Unicode is lost.
#[derive(Debug)]
pub(crate) struct ConsoleInput {
    console: File,
    decoder: Decoder,
}

impl ConsoleInput {
    /// The console of this process.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            console: File::options().read(true).write(true).open("CONIN$")?,
            decoder: Decoder::default(),
        })
    }

    fn read_units(&self, units: &mut [u16]) -> io::Result<usize> {
        let mut got = 0;
        let room = u32::try_from(units.len()).unwrap_or(u32::MAX);
        // SAFETY: it sets this thread's last error and nothing else.
        unsafe { SetLastError(0) };
        // SAFETY: the buffer has room for so many units; null is allowed for the control.
        check(unsafe {
            ReadConsoleW(
                raw(self.console.as_handle()),
                units.as_mut_ptr().cast(),
                room,
                &raw mut got,
                std::ptr::null(),
            )
        })?;
        let error = io::Error::last_os_error();
        if got == 0 && super::is(&error, ERROR_OPERATION_ABORTED) {
            // Ctrl-C ended the line, which is no end of input.
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(got as usize)
    }

    /// Whether lines are read, in which Ctrl-Z at the front is the end of the input.
    fn has_lines(&self) -> bool {
        mode(self.console.as_handle()).is_ok_and(|mode| mode & ENABLE_LINE_INPUT != 0)
    }
}

impl Read for ConsoleInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.is_empty() && !buffer.is_empty() {
            let mut units = [0; 2048];
            let got = self.read_units(&mut units)?;
            if got == 0 || (units[0] == CTRL_Z && self.has_lines()) {
                return Ok(0);
            }
            self.decoder.push(units.get(..got).unwrap_or_default());
        }
        Ok(self.decoder.take(buffer))
    }
}

impl AsHandle for ConsoleInput {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.console.as_handle()
    }
}

const CTRL_Z: u16 = 0x1a;

/// UTF-16 that comes in pieces, as UTF-8.
#[derive(Debug, Default)]
struct Decoder {
    bytes: Vec<u8>,
    taken: usize,
    /// The first half of a character whose second has not come yet.
    half: Option<u16>,
}

impl Decoder {
    fn is_empty(&self) -> bool {
        self.taken >= self.bytes.len()
    }

    fn push(&mut self, units: &[u16]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let (half, rest) = match units.split_last() {
            Some((last, rest)) if (0xD800..0xDC00).contains(last) => (Some(*last), rest),
            _ => (None, units),
        };
        let all = self.half.take().into_iter().chain(rest.iter().copied());
        for unit in char::decode_utf16(all) {
            let char = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut place = [0; 4];
            self.bytes
                .extend_from_slice(char.encode_utf8(&mut place).as_bytes());
        }
        self.half = half;
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let left = self.bytes.get(self.taken..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        count
    }
}

/// The console of this process in raw mode: every key, Ctrl-C too, is input; what is shown may have the sequences of a
/// terminal. Dropped, it is as it was before.
///
/// For a container that has a terminal, while the host program's own console is its keyboard and its screen.
///
/// ```no_run
/// // `None` where standard input is no console.
/// let raw = execdriver_windows::RawConsole::enter()?;
/// // ... driver.run(...) of a command with `process.tty` ...
/// drop(raw);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RawConsole {
    saved: Vec<(OwnedHandle, CONSOLE_MODE)>,
}

impl RawConsole {
    /// Makes it raw; `None` when standard input is no console. Standard output is changed too where it is one.
    ///
    /// # Errors
    /// The console refuses the mode.
    pub fn enter() -> io::Result<Option<Self>> {
        if mode(io::stdin().as_handle()).is_err() {
            return Ok(None);
        }
        let mut console = Self { saved: Vec::new() };
        console.change("CONIN$", raw_input)?;
        if mode(io::stdout().as_handle()).is_ok() {
            console.change("CONOUT$", raw_output)?;
        }
        Ok(Some(console))
    }

    /// Sets the first of the modes that the console takes, and remembers what it was. By a handle of its own: a shell's
    /// redirection gives one that may only be read, or only written.
    fn change(
        &mut self,
        name: &str,
        modes: fn(CONSOLE_MODE) -> [CONSOLE_MODE; 2],
    ) -> io::Result<()> {
        let console = OwnedHandle::from(File::options().read(true).write(true).open(name)?);
        let before = mode(console.as_handle())?;
        // A Windows before 10 1607 does not know of sequences.
        let [best, plain] = modes(before);
        let set =
            set_mode(console.as_handle(), best).or_else(|_| set_mode(console.as_handle(), plain));
        self.saved.push((console, before));
        set
    }
}

impl Drop for RawConsole {
    fn drop(&mut self) {
        for (handle, before) in self.saved.drain(..).rev() {
            // A console that is gone needs nothing.
            let _ = set_mode(handle.as_handle(), before);
        }
    }
}

/// Every key as it is, keys without a character as sequences; then without sequences.
fn raw_input(before: CONSOLE_MODE) -> [CONSOLE_MODE; 2] {
    let cooked = ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT | ENABLE_PROCESSED_INPUT;
    let events = ENABLE_MOUSE_INPUT | ENABLE_WINDOW_INPUT;
    let plain = before & !cooked & !events;
    [plain | ENABLE_VIRTUAL_TERMINAL_INPUT, plain]
}

/// Sequences are acted on, and a line feed alone does not return; then as it was.
fn raw_output(before: CONSOLE_MODE) -> [CONSOLE_MODE; 2] {
    let sequences = ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING;
    [before | sequences | DISABLE_NEWLINE_AUTO_RETURN, before]
}

/// The mode of a console; an error of what is none.
pub(crate) fn mode(handle: BorrowedHandle<'_>) -> io::Result<CONSOLE_MODE> {
    let mut mode = 0;
    // SAFETY: the handle is open, and the result's place lives while the call lasts.
    check(unsafe { GetConsoleMode(raw(handle), &raw mut mode) })?;
    Ok(mode)
}

fn set_mode(handle: BorrowedHandle<'_>, mode: CONSOLE_MODE) -> io::Result<()> {
    // SAFETY: the handle is open.
    check(unsafe { SetConsoleMode(raw(handle), mode) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_utf_8_even_where_a_character_comes_in_two_reads() {
        let mut decoder = Decoder::default();
        let units: Vec<u16> = "aß€𝄞z".encode_utf16().collect();
        let mut seen = Vec::new();
        for unit in &units {
            decoder.push(std::slice::from_ref(unit));
            let mut byte = [0; 1];
            while decoder.take(&mut byte) == 1 {
                seen.push(byte[0]);
            }
        }
        assert_eq!(String::from_utf8(seen).unwrap(), "aß€𝄞z");
        // Half a character that nothing follows is not lost in silence.
        decoder.push(&[0xD834]);
        decoder.push(&[u16::from(b'x')]);
        let mut buffer = [0; 8];
        let count = decoder.take(&mut buffer);
        assert_eq!(&buffer[..count], "\u{fffd}x".as_bytes());
    }

    #[test]
    fn raw_input_takes_no_key_for_itself_and_keeps_the_rest() {
        let before = ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT | ENABLE_PROCESSED_INPUT | 0x40 | 0x80;
        let [best, plain] = raw_input(before | ENABLE_MOUSE_INPUT);
        assert_eq!(plain, 0x40 | 0x80);
        assert_eq!(best, plain | ENABLE_VIRTUAL_TERMINAL_INPUT);
        assert_eq!(
            raw_output(ENABLE_PROCESSED_OUTPUT)[1],
            ENABLE_PROCESSED_OUTPUT
        );
    }

    #[test]
    fn without_a_console_nothing_is_raw() {
        // Under the test harness standard input is none; where a person runs it, it is put back.
        let raw = RawConsole::enter().unwrap();
        let is_console = mode(io::stdin().as_handle()).is_ok();
        assert_eq!(raw.is_some(), is_console);
    }
}
