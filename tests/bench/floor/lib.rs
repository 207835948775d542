//! The floor: a container of the driver's default kind by straight-line system calls, with nothing else around them.
//!
//! What is left out on purpose: state on disk, streams, hooks, counters, locks, checks of what comes back beyond "it
//! worked", reading users and groups, and the message that carries a plan. What the calls need and what does not change
//! between containers (the host's hierarchies, the sealed memfd) is found once, by [`Floor::new`].
#![cfg_attr(not(target_os = "linux"), allow(missing_docs))]
#![cfg(target_os = "linux")]

mod cgroups;
mod sys;

use std::ffi::{CString, NulError};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use cgroups::{Cgroups, Hierarchy};

/// The static `true` that every side of the benchmark runs.
pub const TRUE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/true"));

/// A static program that waits for a signal.
pub const PAUSE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pause"));

/// A static program that writes the MiB that its argument says, or reads to the end.
pub const STREAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stream"));

/// A static program that runs another one and prints what it had in memory at most, bytes.
pub const PEAK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/peak"));

const CHILD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/child"));

/// What all containers share: made once, outside of what is timed.
#[derive(Debug)]
pub struct Floor {
    hierarchies: Vec<Hierarchy>,
    child: OwnedFd,
    rootfs: CString,
}

impl Floor {
    /// Finds the hierarchies and loads the child. `rootfs` has `bin/true` and the directories `dev`, `proc` and `sys`.
    ///
    /// # Errors
    /// The host's mounts or cgroups cannot be read, or there is no memory for the child.
    pub fn new(rootfs: &Path) -> io::Result<Self> {
        Ok(Self {
            hierarchies: cgroups::hierarchies()?,
            child: sys::sealed_memfd(CHILD)?,
            rootfs: text(rootfs.as_os_str().as_bytes())?,
        })
    }

    /// Makes one container that runs `/bin/true`, waits for its end and removes it.
    ///
    /// # Errors
    /// A system call that failed, with the line of the program that made it.
    pub fn run(&self, id: &str) -> io::Result<()> {
        let cgroups = Cgroups::make(&self.hierarchies, id)?;
        let ran = self.start_and_wait(id, &cgroups);
        let removed = cgroups.remove();
        ran.and(removed)
    }

    /// Does something in a cgroup in every hierarchy, as [`run`](Self::run) makes them, and removes these. A thread alone cannot
    /// enter one of version 2, which is made all the same. With it comes how long the thread's way back took, which no container needs.
    ///
    /// # Errors
    /// As of `run`, and of `act`.
    pub fn in_cgroups<T>(
        &self,
        id: &str,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<(T, Duration)> {
        let cgroups = Cgroups::make(&self.hierarchies, id)?;
        let entered = cgroups.enter();
        let acted = entered.and_then(|()| act());
        let leaving = Instant::now();
        let left = cgroups.leave();
        let back = leaving.elapsed();
        let removed = cgroups.remove();
        left.and(removed)?;
        Ok((acted?, back))
    }

    fn start_and_wait(&self, id: &str, cgroups: &Cgroups<'_>) -> io::Result<()> {
        let (ours, theirs) = sys::pipe()?;
        let (out, their_out) = sys::pipe()?;
        let (err, their_err) = sys::pipe()?;
        let (v2_name, v2_cgroup) = cgroups.v2_place().unwrap_or_default();
        let mut args = vec![
            text(b"child")?,
            self.rootfs.clone(),
            decimal(theirs.as_raw_fd())?,
            text(id.as_bytes())?,
            v2_name,
            v2_cgroup,
            decimal(their_out.as_raw_fd())?,
            decimal(their_err.as_raw_fd())?,
        ];
        for (tasks, name, cgroup) in cgroups.v1() {
            args.extend([decimal(tasks.as_raw_fd())?, name.clone(), cgroup.clone()]);
        }
        let pidfd = sys::vfork_into(&self.child, &args, cgroups.v2())?;
        drop((theirs, their_out, their_err));
        let report = sys::read_report(&ours)?;
        sys::read_to_end(&out)?;
        sys::read_to_end(&err)?;
        let status = sys::wait(&pidfd)?;
        match report {
            Some((line, errno)) => {
                let error = io::Error::from_raw_os_error(errno);
                Err(io::Error::new(
                    error.kind(),
                    format!("line {line} of the floor's child: {error}"),
                ))
            }
            None if status == 0 => Ok(()),
            None => Err(io::Error::other(format!(
                "the floor's child ended with status {status}"
            ))),
        }
    }
}

/// The filter of system calls that the driver's containers get, as the floor's child loads it.
#[cfg(target_arch = "x86_64")]
pub const FILTER: &[u8] = include_bytes!("../../../fixtures/seccomp/docker-x86_64.bpf");
#[cfg(target_arch = "aarch64")]
#[allow(missing_docs, reason = "as above")]
pub const FILTER: &[u8] = include_bytes!("../../../fixtures/seccomp/docker-aarch64.bpf");

/// How long seccomp(2) takes to load a program. A thread that ends afterwards loads it: a filter is for good.
///
/// # Errors
/// The kernel refuses the program, or there is no thread.
pub fn time_of_load(program: &[u8]) -> io::Result<Duration> {
    std::thread::scope(|scope| {
        let loading = || sys::load_filter(program);
        let thread = std::thread::Builder::new().spawn_scoped(scope, loading)?;
        let panicked = |_| io::Error::other("the loading thread panicked");
        thread.join().map_err(panicked)?
    })
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes)
        .map_err(|error: NulError| io::Error::new(io::ErrorKind::InvalidInput, error))
}

fn decimal(fd: i32) -> io::Result<CString> {
    text(fd.to_string().as_bytes())
}

/// Takes ownership of a descriptor that a call just made.
fn adopt(fd: i32) -> OwnedFd {
    // SAFETY: every caller passes the result of a call that makes a new descriptor.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
