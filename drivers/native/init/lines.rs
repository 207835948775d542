//! Reads a file line by line in a fixed buffer.

use crate::sys::{self, Fd, fs};

/// Longest line that is read whole; a longer one is passed over.
pub(crate) const LINE_MAX: usize = 64 << 10;
/// Most that is read of a file whose size others decide about.
const FILE_MAX: usize = 16 << 20;

/// Calls `take` with each line until one fails. `expected` is the size of the file, or 0 when it has none to tell.
pub(crate) fn read<E: From<sys::Errno>>(
    file: &Fd,
    expected: usize,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut used, mut total, mut skipping) = (0, 0, false);
    loop {
        let got = fs::read(file.raw(), buffer.get_mut(used..).unwrap_or_default())?;
        total += got;
        let (mut start, end) = (0, used + got);
        while let Some(len) = line_length(buffer.get(start..end).unwrap_or_default()) {
            if !core::mem::take(&mut skipping) {
                take(buffer.get(start..start + len).unwrap_or_default())?;
            }
            start += len + 1;
        }
        // At the size that fstat told, another read would only say so.
        let last = got == 0 || total >= FILE_MAX || (expected > 0 && total >= expected);
        let rest = buffer.get(start..end).unwrap_or_default();
        if last {
            return if skipping || rest.is_empty() {
                Ok(())
            } else {
                take(rest)
            };
        }
        used = rest.len();
        buffer.copy_within(start..end, 0);
        if used == buffer.len() {
            (used, skipping) = (0, true);
        }
    }
}

/// Bytes before the line feed.
fn line_length(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}
