//! Stops every process of a container, and lets it go on.
//!
//! Version 1 has a controller for it (`freezer`), version 2 a file in every cgroup (Linux 5.2).
//! Both are asked first and obey later: whoever freezes looks until it is done, or gives up.
//! Where a host has both, version 1 is written and both are read.

use super::error::CgroupError;
use super::{Cgroup, Member, walk};
use crate::at;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

const STATE: &str = "freezer.state";
const FREEZE: &str = "cgroup.freeze";
const EVENTS: &str = "cgroup.events";

/// How far a freezer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// Its processes run.
    No,
    /// It was asked for, and some process has not stopped yet.
    NotYet,
    /// None of its processes runs.
    Yes,
}

impl Cgroup {
    /// Whether it has a freezer.
    pub(crate) fn has_freezer(&self) -> bool {
        self.freezer().is_some()
    }

    /// The directory of the freezer.
    pub(crate) fn freezer_path(&self) -> Option<PathBuf> {
        self.freezer().map(|member| PathBuf::from(&member.path))
    }

    /// How far the freezers are, whoever was told to freeze it or a parent of it.
    pub(crate) fn frozen(&self) -> Frozen {
        let members = self.controller("freezer").into_iter().chain(self.unified());
        let states = members.map(|member| state(member.dir.as_fd(), self.is_version_1(member)));
        states.fold(Frozen::No, |all, one| match (all, one) {
            (Frozen::Yes, _) | (_, Frozen::Yes) => Frozen::Yes,
            (Frozen::NotYet, _) | (_, Frozen::NotYet) => Frozen::NotYet,
            (Frozen::No, Frozen::No) => Frozen::No,
        })
    }

    /// Whether the container is frozen or about to be, by us or by anybody: what is started in it
    /// would hang.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen() != Frozen::No
    }

    /// The same of any cgroup below it: a container that may write its cgroups can freeze parts
    /// of itself, and a version 1 task that is frozen does not die.
    pub(crate) fn is_frozen_anywhere(&self) -> bool {
        let below = |member: &Member| {
            let version_1 = self.is_version_1(member);
            let mut any = false;
            let visited = walk::visit(member.dir.as_fd(), |dir| {
                any |= state(dir, version_1) != Frozen::No;
                Ok(())
            });
            any || visited.is_err()
        };
        self.is_frozen() || self.controller("freezer").is_some_and(below)
    }

    /// Whether this cgroup itself was told to freeze, rather than a parent of it.
    pub(crate) fn is_told_to_freeze(&self) -> bool {
        let says = |member: &Member, file: &str| {
            let text = at::read(member.dir.as_fd(), OsStr::new(file), 64);
            text.is_ok_and(|text| text.trim_ascii() == b"1")
        };
        let v1 = self.controller("freezer");
        v1.is_some_and(|member| says(member, "freezer.self_freezing"))
            || self.unified().is_some_and(|member| says(member, FREEZE))
    }

    /// Asks the freezer to stop every process, or to let them go on. Nothing is waited for.
    pub(crate) fn set_frozen(&self, frozen: bool) -> Result<(), CgroupError> {
        // Somebody may have used the other one: thawed is thawed in both.
        let members: Vec<&Member> = match frozen {
            true => self.freezer().into_iter().collect(),
            false => self
                .controller("freezer")
                .into_iter()
                .chain(self.unified())
                .collect(),
        };
        for member in members {
            let (file, text): (_, &[u8]) = match (self.is_version_1(member), frozen) {
                (true, true) => (STATE, b"FROZEN"),
                (true, false) => (STATE, b"THAWED"),
                (false, true) => (FREEZE, b"1"),
                (false, false) => (FREEZE, b"0"),
            };
            let action = if frozen { "freeze" } else { "thaw" };
            match at::write(member.dir.as_fd(), OsStr::new(file), text) {
                // Before Linux 5.2 version 2 cannot freeze, so nobody did.
                Err(Errno::ENOENT) if !frozen => {}
                written => written.map_err(CgroupError::io(action, &member.path))?,
            }
        }
        Ok(())
    }

    /// Sleeps until the freezer may have come further, at most `most`.
    pub(crate) fn wait_for_freezer(&self, most: Duration) {
        let Some(member) = self.freezer() else { return };
        if self.is_version_1(member) || !wait_for_events(member.dir.as_fd(), most) {
            // Version 1 tells nobody.
            std::thread::sleep(most);
        }
    }

    /// Takes processes that were sent SIGKILL out of a frozen cgroup of version 1, in which they
    /// would not die before the others go on. They execute nothing any more.
    pub(crate) fn release_killed(&self, is_killed: impl Fn(i32) -> bool) {
        let Some(freezer) = self.controller("freezer") else {
            return;
        };
        let dir = freezer.dir.as_fd();
        if !self.is_frozen_anywhere() {
            return;
        }
        let (Ok(found), Ok(parent)) = (walk::pids(dir), at::open_parent(dir)) else {
            return;
        };
        let killed = |pid: &&u32| i32::try_from(**pid).is_ok_and(&is_killed);
        for pid in found.pids.iter().filter(killed) {
            let text = pid.to_string();
            // It may be gone by now, which is what is wanted.
            let _ = at::write(parent.as_fd(), OsStr::new("cgroup.procs"), text.as_bytes());
        }
    }

    fn freezer(&self) -> Option<&Member> {
        let has_file = |member: &&Member| at::stat(member.dir.as_fd(), OsStr::new(FREEZE)).is_ok();
        self.controller("freezer")
            .or_else(|| self.unified().filter(has_file))
    }

    fn is_version_1(&self, member: &Member) -> bool {
        member.version == super::Version::V1
    }
}

fn state(dir: BorrowedFd<'_>, version_1: bool) -> Frozen {
    if version_1 {
        return with_text(dir, STATE, state_1);
    }
    let told = with_text(dir, FREEZE, |text| text.trim() == "1");
    with_text(dir, EVENTS, |events| state_2(told, events))
}

/// What is made of the text of a file, which is empty where it cannot be read.
#[inline(never)]
fn with_text<T>(dir: BorrowedFd<'_>, file: &str, of: impl FnOnce(&str) -> T) -> T {
    let mut page = [0; 4096];
    let file = at::open_file(dir, OsStr::new(file), OFlag::O_RDONLY);
    let text = file.and_then(|file| at::record_in(&file, &mut page, 4096));
    let text = text.unwrap_or_default();
    of(std::str::from_utf8(&text).unwrap_or_default())
}

fn state_1(text: &str) -> Frozen {
    match text.trim() {
        "FROZEN" => Frozen::Yes,
        "FREEZING" => Frozen::NotYet,
        _ => Frozen::No,
    }
}

/// A cgroup whose parent is frozen is so too, though nobody told it to.
fn state_2(told: bool, events: &str) -> Frozen {
    let done = events.lines().any(|line| line.trim() == "frozen 1");
    match (done, told) {
        (true, _) => Frozen::Yes,
        (false, true) => Frozen::NotYet,
        (false, false) => Frozen::No,
    }
}

/// Polls `cgroup.events` for a change; false when that is not possible.
fn wait_for_events(dir: BorrowedFd<'_>, most: Duration) -> bool {
    let Ok(file) = at::open_file(dir, OsStr::new(EVENTS), OFlag::O_RDONLY) else {
        return false;
    };
    // What was not read since it was opened counts as a change: kernfs notes it by reading.
    let mut text = [0; 256];
    let read = nix::unistd::read(&file, &mut text);
    let most = PollTimeout::try_from(most).unwrap_or(PollTimeout::ZERO);
    read.is_ok() && poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLPRI)], most).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_says_its_state_in_a_word() {
        assert_eq!(state_1("FROZEN\n"), Frozen::Yes);
        assert_eq!(state_1("FREEZING\n"), Frozen::NotYet);
        assert_eq!(state_1("THAWED\n"), Frozen::No);
        assert_eq!(state_1(""), Frozen::No);
    }

    #[test]
    fn version_2_is_asked_what_it_was_told_and_what_came_of_it() {
        let (yes, no) = ("populated 1\nfrozen 1\n", "populated 1\nfrozen 0\n");
        assert_eq!(state_2(true, yes), Frozen::Yes);
        assert_eq!(state_2(true, no), Frozen::NotYet);
        assert_eq!(state_2(false, no), Frozen::No);
        assert_eq!(state_2(false, yes), Frozen::Yes, "by its parent");
        assert_eq!(state_2(false, ""), Frozen::No);
    }
}
