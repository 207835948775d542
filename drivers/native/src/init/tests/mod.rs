//! init itself, on a real kernel: plans written by hand, a launcher without conveniences, and a look from inside.

mod exec;
mod hostile;
mod launch;
mod mounts;
mod old_kernels;
mod plan;
mod process;
mod roots;
mod users;

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::plan::encode::{PackedParams, Writer};
use crate::support::{Need, Rootfs, is_root, skip_unless};
use crate::sys::spawn::{Spawn, spawn};
use crate::wire::{
    BIND_CREATE, Detail, GO, IDENTITY_BY_NAME, IDENTITY_KEEP_GROUPS, IDENTITY_SET_HOME, Kind,
    Numbers, Op, Strings,
};
use launch::{Ended, code, map_ids, memfd, next, send};
use plan::Plan;

const NEW_USER: u64 = libc::CLONE_NEWUSER as u64;
const USUAL: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET) as u64;
const RDONLY: u32 = 1;
const NOSUID: u32 = 2;
const NODEV: u32 = 4;
const NOEXEC: u32 = 8;
const MS_REC_PRIVATE: u64 = libc::MS_REC | libc::MS_PRIVATE;
/// The contract's 14 capabilities.
const DOCKER_CAPS: u64 = 0xa804_25fb;
/// First slot for `Source`.
const SOURCES: u16 = 1000;

fn c(text: impl AsRef<Path>) -> CString {
    CString::new(text.as_ref().as_os_str().as_bytes()).unwrap()
}

/// The namespaces of a test: with a user namespace when the tests do not run as root.
fn namespaces() -> u64 {
    if is_root() { USUAL } else { USUAL | NEW_USER }
}

/// A rootfs with busybox; `None` when the machine lacks something.
#[track_caller]
fn rootfs(namespaces: u64) -> Option<Rootfs> {
    let user = namespaces & NEW_USER != 0;
    let needs = if user {
        &[Need::Busybox, Need::UserNamespaces][..]
    } else {
        &[Need::Busybox, Need::Root]
    };
    if skip_unless(needs) {
        return None;
    }
    let rootfs = Rootfs::new().with_busybox();
    if user && is_root() {
        rootfs.give_to(100_000, 100_000);
    }
    Some(rootfs)
}

/// The output of a shell script in a standard container of root.
#[track_caller]
fn inside(rootfs: &Rootfs, namespaces: u64, script: &str) -> String {
    Plan::standard(&rootfs.path(), namespaces)
        .finish(c"", &["/bin/sh", "-c", script], &PATH)
        .ok()
}

const PATH: [&str; 1] = ["PATH=/usr/sbin:/bin"];

/// Every standard container: with root's devices made, or in a user namespace with the host's bound.
fn both(test: impl Fn(u64)) {
    if is_root() {
        test(USUAL);
    }
    test(USUAL | NEW_USER);
}

/// The host's id of the container's root.
fn host_root() -> u32 {
    if is_root() {
        100_000
    } else {
        nix::unistd::getuid().as_raw()
    }
}
