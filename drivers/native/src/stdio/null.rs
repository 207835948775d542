//! `/dev/null`, opened at most once and only if it is the real one.

use super::{Fd, Result, Slot, StdioError};
use nix::sys::stat::{SFlag, fstat, major, minor};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

/// One descriptor for all the streams that are null, opened when the first needs it.
#[derive(Default)]
pub(super) struct Null {
    opened: Option<Arc<OwnedFd>>,
}

impl Null {
    pub(super) fn slot(&mut self) -> Result<Slot> {
        let fd = match &self.opened {
            Some(fd) => Arc::clone(fd),
            None => Arc::clone(self.opened.insert(Arc::new(open("/dev/null")?.into()))),
        };
        Ok(Slot {
            fd: Fd::Shared(fd),
            ours: false,
        })
    }
}

/// A regular file by that name, which a careless redirection by root leaves behind, would collect
/// one container's output and be another's input.
pub(super) fn open(path: &str) -> Result<File> {
    let failed = |e| StdioError::new(format!("open {path}"), e);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let stat = fstat(&file).map_err(|e| failed(e.into()))?;
    let device = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFCHR;
    // Documentation/admin-guide/devices.txt: character device 1:3.
    if device && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3) {
        return Ok(file);
    }
    let got = format!("{path} is not the null device (expected character device 1:3)");
    Err(failed(io::Error::other(got)))
}
