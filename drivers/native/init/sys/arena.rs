//! Memory for the life of the process: the message, the slots, the pointers for `execve`.
//!
//! # Safety
//! Each piece is cut off a fresh mapping and handed out once, so no two references meet. Fresh memory is zero, which is a
//! valid value of every [`Zeroed`] type.

use core::ffi::c_char;

use super::{Errno, Result, process};

/// Enough for the usual start with one `mmap`; pages that are not touched cost nothing.
const CHUNK: usize = 1 << 20;

/// Types for which all-zero memory is a value.
///
/// # Safety
/// The implementor promises just that, and that the alignment is at most 8.
pub(crate) unsafe trait Zeroed: Copy + 'static {}
// SAFETY: a number.
unsafe impl Zeroed for u8 {}
// SAFETY: a number.
unsafe impl Zeroed for i32 {}
// SAFETY: a number.
unsafe impl Zeroed for u32 {}
// SAFETY: a null pointer.
unsafe impl Zeroed for *const c_char {}

/// Hands out memory and never takes it back.
pub(crate) struct Arena {
    rest: &'static mut [u8],
}

impl Arena {
    /// Maps the first chunk.
    pub(crate) fn new() -> Result<Arena> {
        Ok(Arena {
            rest: process::map(CHUNK)?,
        })
    }

    /// `count` zeroed elements.
    pub(crate) fn array<T: Zeroed>(&mut self, count: usize) -> Result<&'static mut [T]> {
        let bytes = count
            .checked_mul(size_of::<T>())
            .and_then(|bytes| bytes.checked_next_multiple_of(8));
        let bytes = bytes.ok_or(Errno::EOVERFLOW)?;
        if bytes > self.rest.len() {
            self.rest = process::map(bytes.max(CHUNK))?;
        }
        let (head, rest) = core::mem::take(&mut self.rest).split_at_mut(bytes);
        self.rest = rest;
        // SAFETY: `head` is ours alone, zeroed, at least `count` elements long, and aligned to 8: mappings are, and only
        // multiples of 8 are cut off.
        Ok(unsafe { core::slice::from_raw_parts_mut(head.as_mut_ptr().cast(), count) })
    }
}
