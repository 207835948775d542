//! Cgroups: made, filled, counted, killed and removed, whatever the layout of the host.
//!
//! [`Hierarchies`] says what is mounted, [`CgroupPath`] where a container belongs in it, and
//! [`Cgroup`] is that place in every hierarchy: version 1, version 2, or both on a hybrid host.
//! A directory is believed to be a cgroup only after `statfs(2)` said so: on a version 1 host
//! `/sys/fs/cgroup` is a tmpfs, where `mkdir` makes plain directories that limit nothing.
//!
//! Where the host lets us make none ([`CgroupError::Unavailable`]), [`pidns`] finds and ends the
//! processes of a container by its pid namespace.
//!
//! [`Manager`] is who makes them: we ourselves, or systemd.

mod apply;
mod below;
mod counters;
mod create;
pub(crate) mod delegation;
mod detect;
pub(crate) mod devices;
mod error;
mod freeze;
pub(crate) mod kept;
mod kill;
pub(crate) mod limits;
mod manager;
mod named;
mod of_id;
mod oom;
mod path;
pub(crate) mod pidns;
mod planned;
mod remove;
pub(crate) mod stats;
mod subtree;
pub(crate) mod systemd;
#[cfg(test)]
mod tests;
pub(crate) mod waiting;
mod walk;

pub(crate) use counters::Counters;
pub(crate) use create::mend;
pub(crate) use detect::{Hierarchies, Hierarchy, Layout, Version, unescaped};
pub(crate) use error::{CgroupError, program_mend};
pub(crate) use freeze::Frozen;
pub(crate) use manager::{Manager, Place};
pub(crate) use oom::OomWatch;
pub(crate) use path::CgroupPath;
pub(crate) use planned::remove_planned;

use crate::at;
use crate::controllers::Controllers;
use crate::launch::Placeholder;
use crate::shared_text::SharedText;
use crate::state::{CgroupRecord, HierarchyRecord, UnitRecord};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::statfs::fstatfs;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A container's cgroups, open. It holds one descriptor for each hierarchy: a long wait keeps
/// [`Cgroup::record`] instead and opens it again.
#[derive(Debug)]
pub(crate) struct Cgroup {
    members: Vec<Member>,
    /// Parents that were made on the way, outermost first.
    made_parents: Vec<SharedText>,
    /// Controllers of version 2 that it could not be given, and why; known to who made it.
    refused: Vec<(String, String)>,
    /// The scope that it lies in, with the systemd manager.
    unit: Option<UnitRecord>,
    /// Keeps the scope, and with it what the kernel counted, until all is read.
    placeholder: Option<Placeholder>,
}

/// The cgroup in one hierarchy.
#[derive(Debug)]
struct Member {
    version: Version,
    controllers: Controllers,
    path: SharedText,
    dir: OwnedFd,
    /// Device and inode: a directory of the same name that somebody made later is not ours.
    identity: (u64, u64),
}

/// The processes of a cgroup and of those below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pids {
    /// As we see them, ascending.
    pub(crate) pids: Vec<u32>,
    /// How many are outside of our pid namespace and so have no number here.
    pub(crate) foreign: usize,
}

impl Cgroup {
    /// Opens what is left of a recorded container's cgroups: those that are gone, or that now
    /// belong to somebody else, are left out.
    pub(crate) fn open(record: &CgroupRecord) -> Result<Self, CgroupError> {
        let mut members = Vec::with_capacity(record.hierarchies.len());
        for recorded in &record.hierarchies {
            members.extend(Member::open(recorded)?);
        }
        Ok(Self {
            members,
            made_parents: record.made_parents.clone(),
            refused: Vec::new(),
            unit: record.unit.clone(),
            placeholder: None,
        })
    }

    /// What another process needs to [`Cgroup::open`] it.
    pub(crate) fn record(&self) -> CgroupRecord {
        CgroupRecord {
            hierarchies: self.members.iter().map(Member::record).collect(),
            made_parents: self.made_parents.clone(),
            unit: self.unit.clone(),
        }
    }

    /// The record alone, for a wait in which its descriptors are closed; `None` where they hold more than themselves.
    pub(crate) fn rest(&self) -> Option<CgroupRecord> {
        (self.placeholder.is_none() && self.unit.is_none()).then(|| self.record())
    }

    /// Its directories as the host names them, with their devices and inodes.
    pub(crate) fn directories(&self) -> impl Iterator<Item = (&Path, (u64, u64))> {
        self.members
            .iter()
            .map(|member| (member.path.as_path(), member.identity))
    }

    /// Whether the container has a cgroup of its own with this controller.
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controller(controller).is_some()
    }

    /// The directory for `CLONE_INTO_CGROUP`, where there is a version 2 hierarchy.
    pub(crate) fn unified_dir(&self) -> Option<BorrowedFd<'_>> {
        self.unified().map(|member| member.dir.as_fd())
    }

    /// The `tasks` files of the version 1 hierarchies, open for writing. A process with a single
    /// thread that writes `0` to each has placed itself.
    ///
    /// Init places itself this way, because it is 40 times faster than [`Cgroup::place`] (0.3
    /// against 14 ms for nine hierarchies): a write of another's pid, and every write to
    /// `cgroup.procs`, waits for an RCU grace period (`cgroup_threadgroup_rwsem`). The kernel
    /// checks permissions of whoever opened the file, so this works from a user namespace too.
    pub(crate) fn entry_files(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        let mut files = Vec::with_capacity(self.version_1().count());
        for member in self.version_1() {
            let opened = at::open_file(member.dir.as_fd(), OsStr::new("tasks"), OFlag::O_WRONLY);
            files.push(opened.map_err(CgroupError::io("open tasks of", &member.path))?);
        }
        Ok(files)
    }

    /// Moves a process into every hierarchy, for who cannot place itself; into version 2 only
    /// when it was not cloned into it (`in_unified`).
    pub(crate) fn place(&self, pid: u32, in_unified: bool) -> Result<(), CgroupError> {
        let text = pid.to_string();
        for member in &self.members {
            if in_unified && member.version == Version::V2 {
                continue;
            }
            at::write(
                member.dir.as_fd(),
                OsStr::new("cgroup.procs"),
                text.as_bytes(),
            )
            .map_err(CgroupError::io("place a process in", &member.path))?;
        }
        Ok(())
    }

    /// The processes of the container, those in its sub-cgroups included.
    pub(crate) fn pids(&self) -> Result<Pids, CgroupError> {
        let member = self
            .unified()
            .or_else(|| self.controller("devices"))
            .or_else(|| self.controller("pids"))
            .or_else(|| self.members.first());
        match member {
            Some(member) => walk::pids(member.dir.as_fd())
                .map_err(CgroupError::io("list the processes of", &member.path)),
            None => Ok(Pids::default()),
        }
    }

    fn unified(&self) -> Option<&Member> {
        self.members.iter().find(|m| m.version == Version::V2)
    }

    fn version_1(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.version == Version::V1)
    }

    fn controller(&self, name: &str) -> Option<&Member> {
        self.version_1().find(|member| member.controllers.has(name))
    }
}

impl Member {
    fn open(recorded: &HierarchyRecord) -> Result<Option<Self>, CgroupError> {
        let path = &recorded.path;
        let version = Version::from_number(recorded.version);
        let dir = match at::open_root(path.as_path()) {
            Ok(dir) => dir,
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(None),
            Err(errno) => return Err(CgroupError::io("open", path)(errno)),
        };
        let identity = at::identity(&dir).map_err(CgroupError::io("stat", path))?;
        let statfs = fstatfs(&dir).map_err(CgroupError::io("stat the file system of", path))?;
        if identity != (recorded.dev, recorded.ino) || statfs.filesystem_type() != version.magic() {
            return Ok(None);
        }
        Ok(Some(Self {
            version,
            controllers: recorded.controllers.clone(),
            path: path.clone(),
            dir,
            identity,
        }))
    }

    fn record(&self) -> HierarchyRecord {
        HierarchyRecord {
            version: self.version.number(),
            controllers: self.controllers.clone(),
            path: self.path.clone(),
            dev: self.identity.0,
            ino: self.identity.1,
        }
    }
}
