//! `readlinkat(2)` into the caller's room: the library's has a page allocated for each.
//!
//! # Safety
//! The kernel writes into a slice that is borrowed for the call, no further than its length says.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Where the symbolic link `name` of `dir` leads, cut off where the room ends.
pub(crate) fn read<'a>(
    dir: BorrowedFd<'_>,
    name: &CStr,
    room: &'a mut [u8],
) -> nix::Result<&'a [u8]> {
    // SAFETY: an open descriptor, a C string, and room of just this length.
    let length = unsafe {
        libc::readlinkat(
            dir.as_raw_fd(),
            name.as_ptr(),
            room.as_mut_ptr().cast(),
            room.len(),
        )
    };
    let length = usize::try_from(Errno::result(length)?).unwrap_or(0);
    Ok(room.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_link_is_read_into_the_room_that_there_is() {
        let temporary = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("over there", temporary.path().join("l")).unwrap();
        let dir = std::fs::File::open(temporary.path()).unwrap();
        let mut room = [0; 16];
        assert_eq!(read(dir.as_fd(), c"l", &mut room).unwrap(), b"over there");
        assert_eq!(read(dir.as_fd(), c"l", &mut room[..4]).unwrap(), b"over");
        assert_eq!(read(dir.as_fd(), c"m", &mut room), Err(Errno::ENOENT));
    }
}
