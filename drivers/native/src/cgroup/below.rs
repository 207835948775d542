//! A cgroup below a container's, for an exec with limits of its own, and the leaf of version 2 in
//! which a container's processes are.
//!
//! Version 2 lets a cgroup have processes or controllers for its children, not both. A container's
//! processes are in its own cgroup, where its limits are what it sees at `/sys/fs/cgroup`; the
//! first exec that needs a controller of its own has them moved into a leaf beside it, once. A
//! container that has made sub-cgroups itself has done the same, so processes that join a
//! container always join the cgroup of its first process.

use super::create::{Place, inherit_cpuset, make_leaf};
use super::detect::{Hierarchies, Hierarchy, Version, is_cgroup};
use super::error::CgroupError;
use super::{Cgroup, Member, kill, subtree, walk};
use crate::at;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The leaf that a container's processes are moved to.
const MAIN: &str = "execdriver.main";

/// How long processes may be forked faster than they are moved.
const PATIENCE: Duration = Duration::from_secs(5);

impl Cgroup {
    /// Makes a cgroup `name` below this one in every hierarchy, with the `needed` controllers of
    /// version 2 as far as they can be had.
    ///
    /// # Errors
    /// `InUse` when the name is taken, `Survivors` when the container forks faster than its
    /// processes are moved. On every error what was made is removed again.
    pub(crate) fn create_below(&self, name: &str, needed: &[String]) -> Result<Self, CgroupError> {
        let mut cgroup = Self {
            members: Vec::new(),
            made_parents: Vec::new(),
            refused: Vec::new(),
            unit: None,
            placeholder: None,
        };
        for member in &self.members {
            match self.member_below(member, name, needed) {
                Ok((below, refused)) => {
                    cgroup.members.push(below);
                    cgroup.refused.extend(refused);
                }
                Err(error) => {
                    let _ = cgroup.remove(Duration::from_millis(100));
                    return Err(error);
                }
            }
        }
        Ok(cgroup)
    }

    fn member_below(
        &self,
        member: &Member,
        name: &str,
        needed: &[String],
    ) -> Result<(Member, Vec<(String, String)>), CgroupError> {
        let dir = at::reopen(member.dir.as_fd()).map_err(CgroupError::io("open", &member.path))?;
        let parent = Place {
            dir,
            path: member.path.clone(),
        };
        let refused = match member.version {
            Version::V2 if !needed.is_empty() => self.hand_down(member, needed)?,
            _ => Vec::new(),
        };
        let leaf = make_leaf(&parent, name)?;
        let ready = (|| {
            if !is_cgroup(leaf.dir.as_fd(), member.version) {
                let path = PathBuf::from(&leaf.path);
                return Err(CgroupError::NotACgroup { path });
            }
            if member.controllers.has("cpuset") {
                inherit_cpuset(&parent, &leaf)?;
            }
            at::identity(&leaf.dir).map_err(CgroupError::io("stat", &leaf.path))
        })();
        let identity = ready.inspect_err(|_| {
            let _ = at::remove_dir(parent.dir.as_fd(), OsStr::new(name));
        })?;
        let below = Member {
            version: member.version,
            controllers: member.controllers.clone(),
            path: leaf.path,
            dir: leaf.dir,
            identity,
        };
        Ok((below, refused))
    }

    /// Gives the children of version 2's cgroup its controllers; its processes move into a leaf
    /// when they stand in the way.
    fn hand_down(
        &self,
        member: &Member,
        needed: &[String],
    ) -> Result<Vec<(String, String)>, CgroupError> {
        let wanted = subtree::Wanted::of(needed, self.version_1().next().is_some());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let refused = subtree::enable(member.dir.as_fd(), &member.path, &wanted);
            let busy = refused.iter().any(|one| one.errno == Some(Errno::EBUSY));
            if !busy {
                return Ok(refused
                    .into_iter()
                    .map(|one| (one.controller, one.why))
                    .collect());
            }
            if Instant::now() >= deadline {
                let count = walk::pids(member.dir.as_fd()).map_or(0, |found| found.pids.len());
                return Err(CgroupError::Crowded {
                    path: PathBuf::from(&member.path),
                    count,
                });
            }
            move_to_leaf(member)?;
        }
    }

    /// Kills everything in `own`, a cgroup below this one, which may be frozen as a whole and then
    /// stays so: a process of version 1 dies only where it is not frozen.
    pub(crate) fn kill_below(&self, own: &Self, patience: Duration) -> Result<(), CgroupError> {
        if self.is_frozen() {
            for member in &own.members {
                kill::signal_all(member)?;
            }
            let killed = own.pids()?.pids;
            self.release_killed(|pid| {
                u32::try_from(pid).is_ok_and(|pid| killed.binary_search(&pid).is_ok())
            });
        }
        own.kill_all(patience)
    }

    /// The directory of version 2 for a process that joins the container: that of its first
    /// process, which may be below the container's own.
    pub(crate) fn unified_dir_of(&self, init: i32, host: &Hierarchies) -> Option<OwnedFd> {
        let member = self.unified()?;
        let below = host
            .unified()
            .and_then(|unified| dir_below(member, init, unified));
        below.or_else(|| at::reopen(member.dir.as_fd()).ok())
    }
}

/// The directory of a process, where it is the member's or below it.
#[inline(never)]
fn dir_below(member: &Member, pid: i32, unified: &Hierarchy) -> Option<OwnedFd> {
    let file = at::open_process_file(u32::try_from(pid).ok()?, "cgroup").ok()?;
    let mut page = [0; 4096];
    let text = at::record_in(&file, &mut page, 1 << 20).ok()?;
    let path = unified_path(std::str::from_utf8(&text).ok()?)?;
    let place = member.path.as_path().strip_prefix(&unified.mount).ok()?;
    let path = path.strip_prefix(unified.root.trim_end_matches('/'))?;
    let below = path.strip_prefix('/')?.strip_prefix(place.to_str()?)?;
    let mut dir = at::reopen(member.dir.as_fd()).ok()?;
    for name in below.split('/').filter(|name| !name.is_empty()) {
        dir = at::open_dir(dir.as_fd(), OsStr::new(name)).ok()?;
    }
    Some(dir)
}

/// The path in the line of version 2.
fn unified_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// Moves every process of the container's own cgroup, not of those below it, into its leaf.
fn move_to_leaf(member: &Member) -> Result<(), CgroupError> {
    let failed = |action| CgroupError::io(action, &member.path);
    match at::make_dir(member.dir.as_fd(), OsStr::new(MAIN), 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(failed("make a leaf in")(errno)),
    }
    let leaf =
        at::open_dir(member.dir.as_fd(), OsStr::new(MAIN)).map_err(failed("open the leaf of"))?;
    for pid in own_pids(member.dir.as_fd()).map_err(failed("list the processes of"))? {
        match at::write(leaf.as_fd(), OsStr::new("cgroup.procs"), pid.as_bytes()) {
            // Ended meanwhile.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(failed("move the processes of")(errno)),
        }
    }
    Ok(())
}

fn own_pids(dir: BorrowedFd<'_>) -> nix::Result<Vec<String>> {
    let text = at::read(dir, OsStr::new("cgroup.procs"), 32 << 20)?;
    let text = String::from_utf8_lossy(&text);
    // 0 is a process outside of our pid namespace: written back it would mean ourselves.
    let pids = text.lines().filter(|pid| *pid != "0").map(str::to_owned);
    Ok(pids.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_version_2_is_told_from_those_of_version_1() {
        let text = "4:memory:/a\n0::/execdriver/c1/x\n1:name=systemd:/b\n";
        assert_eq!(unified_path(text), Some("/execdriver/c1/x"));
        assert_eq!(unified_path("4:memory:/a\n"), None);
    }
}
