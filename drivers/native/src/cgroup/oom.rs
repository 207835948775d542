//! Notices of memory exhaustion, as a descriptor to poll: no thread waits for them.
//!
//! Version 1 counts them into an eventfd (`cgroup.event_control`, kernel document
//! `admin-guide/cgroup-v1/memory`). Version 2 marks `memory.events` as changed, which `poll(2)`
//! tells by POLLPRI until it is read.

use super::stats::{memory_events_1, memory_events_2};
use super::{Cgroup, Member};
use crate::at;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::uio::pread;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const CONTROL: &str = "memory.oom_control";

/// A container under watch.
#[derive(Debug)]
pub(crate) struct OomWatch {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Version1 {
        event: EventFd,
        control: OwnedFd,
    },
    Version2 {
        events: OwnedFd,
        /// What was told already.
        seen: u64,
    },
}

/// What happened since it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OomNotices {
    /// How often.
    pub(crate) count: u64,
    /// How many processes the kernel has killed so far.
    pub(crate) kills: u64,
}

impl Cgroup {
    /// Begins to watch; `None` when nothing counts the container's memory.
    pub(crate) fn watch_oom(&self) -> Option<OomWatch> {
        let source = match self.controller("memory") {
            Some(memory) => version_1(memory).ok()?,
            None => version_2(self.unified()?).ok()?,
        };
        Some(OomWatch { source })
    }
}

impl OomWatch {
    /// Ready when something happened.
    pub(crate) fn poll_fd(&self) -> PollFd<'_> {
        match &self.source {
            Source::Version1 { event, .. } => PollFd::new(event.as_fd(), PollFlags::POLLIN),
            Source::Version2 { events, .. } => PollFd::new(events.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// What happened since the last call; `None` when the cgroup is gone.
    pub(crate) fn take(&mut self) -> Option<OomNotices> {
        match &mut self.source {
            Source::Version1 { event, control } => {
                let count = match event.read() {
                    Ok(count) => count,
                    Err(Errno::EAGAIN) => 0,
                    Err(_) => return None,
                };
                let kills = memory_events_1(&text(control.as_fd())?).oom_kill;
                Some(OomNotices { count, kills })
            }
            Source::Version2 { events, seen } => {
                let now = memory_events_2(&text(events.as_fd())?);
                let so_far = now.oom.max(now.oom_kill);
                let count = so_far.saturating_sub(*seen);
                *seen = so_far;
                let kills = now.oom_kill;
                Some(OomNotices { count, kills })
            }
        }
    }
}

fn version_1(memory: &Member) -> nix::Result<Source> {
    let dir = memory.dir.as_fd();
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let control = at::open_file(dir, OsStr::new(CONTROL), OFlag::O_RDONLY)?;
    let words = format!("{} {}", event.as_fd().as_raw_fd(), control.as_raw_fd());
    at::write(dir, OsStr::new("cgroup.event_control"), words.as_bytes())?;
    Ok(Source::Version1 { event, control })
}

fn version_2(unified: &Member) -> nix::Result<Source> {
    let name = OsStr::new("memory.events");
    let events = at::open_file(unified.dir.as_fd(), name, OFlag::O_RDONLY)?;
    // The first reading arms the poll.
    let now = text(events.as_fd()).map(|text| memory_events_2(&text));
    let seen = now.map_or(0, |now| now.oom.max(now.oom_kill));
    Ok(Source::Version2 { events, seen })
}

/// All of the file, read from its beginning in one call.
fn text(file: BorrowedFd<'_>) -> Option<String> {
    let mut buffer = [0; 4096];
    let length = pread(file, &mut buffer, 0).ok()?;
    String::from_utf8(buffer.get(..length)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Version;

    #[test]
    fn each_exhaustion_of_version_2_is_told_once_with_the_kills_so_far() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("memory.events");
        let write = |oom, kills| {
            let text = format!("low 0\nhigh 0\nmax 9\noom {oom}\noom_kill {kills}\n");
            std::fs::write(&file, text).unwrap();
        };
        write(2, 1);
        let cgroup = Cgroup {
            members: vec![Member {
                version: Version::V2,
                controllers: "".into(),
                path: temporary.path().to_string_lossy().into_owned().into(),
                dir: at::open_root(temporary.path()).unwrap(),
                identity: (0, 0),
            }],
            made_parents: Vec::new(),
            refused: Vec::new(),
            unit: None,
            placeholder: None,
        };
        let mut watch = cgroup.watch_oom().unwrap();
        let notices = |count, kills| Some(OomNotices { count, kills });
        assert_eq!(watch.take(), notices(0, 1), "what was before is not told");
        write(5, 3);
        assert_eq!(watch.take(), notices(3, 3));
        assert_eq!(watch.take(), notices(0, 3));
        std::fs::remove_file(&file).unwrap();
        assert!(cgroup.watch_oom().is_none());
    }
}
