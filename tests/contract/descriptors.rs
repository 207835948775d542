//! What this process has open, and how much it may have.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::path::PathBuf;

/// Where the descriptors of this process lead to.
pub(crate) fn open() -> impl Iterator<Item = PathBuf> {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    links.filter_map(|link| fs::read_link(link.path()).ok())
}

/// Fewer descriptors for this process, until it is dropped.
pub(crate) struct Limited(u64, u64);

impl Limited {
    pub(crate) fn to(most: u64) -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most, hard).unwrap();
        Self(soft, hard)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        setrlimit(Resource::RLIMIT_NOFILE, self.0, self.1).unwrap();
    }
}
