//! Makes a container's cgroup in every mounted hierarchy, or in none.

use super::detect::{Hierarchies, Hierarchy, Layout, Version, is_cgroup};
use super::error::CgroupError;
use super::path::CgroupPath;
use super::planned::{above, leaves};
use super::subtree::Wanted;
use super::{Cgroup, Member, subtree, walk};
use crate::at;
use crate::shared_text::SharedText;
use crate::sys::xattr;
use nix::errno::Errno;
use std::ffi::{CString, OsStr};
use std::iter;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Another container's clean-up may remove a parent between our steps: then we begin again.
const ATTEMPTS: usize = 16;

/// Where a container's directory of one hierarchy is to be.
struct Site<'a> {
    hierarchy: &'a Hierarchy,
    place: &'a CgroupPath,
    /// The whole path.
    leaf: SharedText,
    /// Whether directories are asked if they are cgroups.
    verify: bool,
}

/// A directory on the way down.
pub(super) struct Place {
    pub(super) dir: OwnedFd,
    pub(super) path: SharedText,
}

impl Cgroup {
    /// Makes the cgroup at `place` in every hierarchy of the host. A hierarchy that this user may
    /// not change is left out (ask [`Cgroup::has`] before relying on a controller). Of version 2's
    /// controllers it has the `needed` ones, as far as they can be had, and on a host without
    /// version 1 all of the usual.
    ///
    /// # Errors
    /// `Unavailable` when no hierarchy would have us, `InUse` when the name is taken. On every
    /// error what was made is removed again.
    pub(crate) fn create(
        host: &Hierarchies,
        place: &CgroupPath,
        needed: &[String],
    ) -> Result<Self, CgroupError> {
        let mut cgroup = Self {
            members: Vec::with_capacity(host.list.len()),
            made_parents: Vec::new(),
            refused: Vec::new(),
            unit: None,
            placeholder: None,
        };
        let wanted = wanted(host, needed);
        let mut refusal = None;
        for (hierarchy, leaf) in host.list.iter().zip(leaves(host, place)) {
            let site = leaf.map(|leaf| Site {
                hierarchy,
                place,
                leaf,
                verify: host.verify,
            });
            // Not visible from here: as good as not permitted.
            let unseen =
                || CgroupError::io("find our own place in", &hierarchy.mount)(Errno::EACCES);
            let site = site.ok_or_else(unseen);
            match site.and_then(|site| cgroup.create_in(&site, &wanted)) {
                Ok(()) => {}
                Err(error) if is_refusal(&error) => refusal = refusal.or(Some(error)),
                Err(error) => {
                    cgroup.roll_back();
                    return Err(error);
                }
            }
        }
        if cgroup.members.is_empty() {
            cgroup.roll_back();
            return Err(unavailable(host, refusal));
        }
        Ok(cgroup)
    }

    fn create_in(&mut self, site: &Site<'_>, wanted: &Wanted<'_>) -> Result<(), CgroupError> {
        let mut attempt = 1;
        loop {
            match self.try_create_in(site, wanted) {
                Err(CgroupError::Io {
                    source: Errno::ENOENT | Errno::ENODEV,
                    ..
                }) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    fn try_create_in(&mut self, site: &Site<'_>, wanted: &Wanted<'_>) -> Result<(), CgroupError> {
        let Site {
            hierarchy, place, ..
        } = *site;
        let unified = hierarchy.version == Version::V2;
        let cpuset = hierarchy.controllers.has("cpuset");
        let gives = unified && !wanted.names.is_empty();
        let ready = match gives {
            true => None,
            false => ready_parent(site),
        };
        let here = match ready {
            Some(here) => {
                self.claim_parents(&here, place);
                here
            }
            None => self.parent(site, wanted)?,
        };
        let leaf = make_leaf(&here, place.leaf())?;
        let ready = (|| {
            if cpuset {
                inherit_cpuset(&here, &leaf)?;
            }
            at::identity(&leaf.dir).map_err(CgroupError::io("stat", &leaf.path))
        })();
        match ready {
            Ok(identity) => {
                self.members.push(Member {
                    version: hierarchy.version,
                    controllers: hierarchy.controllers.clone(),
                    path: leaf.path,
                    dir: leaf.dir,
                    identity,
                });
                Ok(())
            }
            Err(error) => {
                let _ = at::remove_dir(here.dir.as_fd(), OsStr::new(place.leaf()));
                Err(error)
            }
        }
    }

    /// The directory that the container's own is made in, made where it is missing.
    fn parent(&mut self, site: &Site<'_>, wanted: &Wanted<'_>) -> Result<Place, CgroupError> {
        let Site {
            hierarchy, place, ..
        } = *site;
        let unified = hierarchy.version == Version::V2;
        let cpuset = hierarchy.controllers.has("cpuset");
        let mut here = base(site)?;
        let mut refused = Vec::new();
        for name in place.parents() {
            if unified {
                refused.extend(subtree::enable(here.dir.as_fd(), &here.path, wanted));
            }
            let (below, made) = enter_or_make(&here, name)?;
            if made && !place.keeps_parents() {
                // Without a mark it goes when this start's container is the last one in it.
                let _ = xattr::mark(below.dir.as_fd());
                self.made_parents.push(below.path.clone());
            }
            if cpuset {
                inherit_cpuset(&here, &below)?;
            }
            if cpuset && made {
                hand_down_cpuset(&below);
            }
            here = below;
        }
        self.claim_parents(&here, place);
        if unified {
            refused.extend(subtree::enable(here.dir.as_fd(), &here.path, wanted));
            self.refused = refused
                .into_iter()
                .map(|one| (one.controller, one.why))
                .collect();
        }
        Ok(here)
    }

    /// Parents that another start made go with whichever container is the last one in them: the mark says that no
    /// administrator made them.
    fn claim_parents(&mut self, last: &Place, place: &CgroupPath) {
        if place.keeps_parents() {
            return;
        }
        let parents = iter::once(last.path.clone()).chain(above(&last.path));
        for path in parents.take(place.parents().count()) {
            if is_made(path.as_path()) && !self.made_parents.contains(&path) {
                self.made_parents.push(path);
            }
        }
        self.made_parents
            .sort_by_key(|path| path.matches('/').count());
    }

    /// Nothing was placed yet, so removal has nothing to wait for; the error that led here is the
    /// one to report.
    fn roll_back(self) {
        let _ = self.remove(std::time::Duration::from_millis(100));
    }
}

/// Whether it is a parent that a start made.
pub(super) fn is_made(path: &Path) -> bool {
    CString::new(path.as_os_str().as_bytes()).is_ok_and(|path| xattr::is_marked(&path))
}

/// The directory that the container's own is made in, where it is there already: found in two calls, since no link is
/// followed on the whole way. What is not as it should be is left to the long way and its errors; so is a cpuset that
/// another start has just made, and not filled yet.
fn ready_parent(site: &Site<'_>) -> Option<Place> {
    let hierarchy = site.hierarchy;
    if site.place.is_delegated() {
        return None;
    }
    let path = site.leaf.parent()?;
    let dir = at::open_straight(path.as_path()).ok()?;
    let trusted = !site.verify || is_cgroup(dir.as_fd(), hierarchy.version);
    let here = trusted.then_some(Place { dir, path })?;
    let cpuset = hierarchy.controllers.has("cpuset");
    let filled = |file| cpuset_of(&here, file).is_ok_and(|value| !value.trim_ascii().is_empty());
    (!cpuset || CPUSET.into_iter().all(filled)).then_some(here)
}

/// The directory that must exist: the hierarchy's root, or the cgroup that we are in.
fn base(site: &Site<'_>) -> Result<Place, CgroupError> {
    let parents = site.place.parents().count();
    let base = above(&site.leaf)
        .nth(parents)
        .unwrap_or_else(|| site.leaf.slice(0..0));
    let mount = &site.hierarchy.mount;
    let below = match base.as_path().strip_prefix(mount) {
        Ok(below) => below.to_str().unwrap_or_default(),
        // The hierarchy is mounted at the root.
        Err(_) if base.is_empty() => "",
        // A mount point that is no text: elsewhere is not where the record says.
        Err(_) => return Err(CgroupError::io("open", mount)(Errno::ENOENT)),
    };
    let mut path = base.slice(0..base.len().saturating_sub(1 + below.len()));
    let mut dir = at::open_root(mount).map_err(CgroupError::io("open", mount))?;
    for name in below.split('/').filter(|name| !name.is_empty()) {
        path = path.child(name);
        dir =
            at::open_dir(dir.as_fd(), OsStr::new(name)).map_err(CgroupError::io("open", &path))?;
    }
    if site.verify && !is_cgroup(dir.as_fd(), site.hierarchy.version) {
        return Err(CgroupError::NotACgroup { path: base.into() });
    }
    Ok(Place { dir, path: base })
}

fn enter_or_make(parent: &Place, name: &str) -> Result<(Place, bool), CgroupError> {
    let path = parent.path.child(name);
    let made = match at::make_dir(parent.dir.as_fd(), OsStr::new(name), 0o755) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        // An existing parent is enough, even if we could not have made it.
        Err(errno) => match at::open_dir(parent.dir.as_fd(), OsStr::new(name)) {
            Ok(dir) => return Ok((Place { dir, path }, false)),
            Err(_) => return Err(CgroupError::io("make", path)(errno)),
        },
    };
    match at::open_dir(parent.dir.as_fd(), OsStr::new(name)) {
        Ok(dir) => Ok((Place { dir, path }, made)),
        Err(errno) => {
            if made {
                let _ = at::remove_dir(parent.dir.as_fd(), OsStr::new(name));
            }
            Err(not_replaced("open", path, errno))
        }
    }
}

/// A cgroup of this name without processes is what a crash left, and removed; one with processes
/// belongs to somebody (the same id under another driver root, say): to share it would mean that
/// our kill ends theirs.
pub(super) fn make_leaf(parent: &Place, name: &str) -> Result<Place, CgroupError> {
    let path = parent.path.child(name);
    let name = OsStr::new(name);
    match at::make_dir(parent.dir.as_fd(), name, 0o755) {
        Ok(()) => {}
        Err(Errno::EEXIST) => match at::remove_dir(parent.dir.as_fd(), name) {
            Ok(()) | Err(Errno::ENOENT) => at::make_dir(parent.dir.as_fd(), name, 0o755)
                .map_err(CgroupError::io("make", &path))?,
            Err(Errno::EBUSY | Errno::ENOTEMPTY) => return Err(in_use(parent, name, path.into())),
            Err(errno) => return Err(not_replaced("replace", path, errno)),
        },
        Err(errno) => return Err(CgroupError::io("make", path)(errno)),
    }
    match at::open_dir(parent.dir.as_fd(), name) {
        Ok(dir) => Ok(Place { dir, path }),
        Err(errno) => {
            let _ = at::remove_dir(parent.dir.as_fd(), name);
            Err(CgroupError::io("open", path)(errno))
        }
    }
}

/// What is there and no directory is one of the files that the kernel has in every cgroup.
fn not_replaced(action: &'static str, path: SharedText, errno: Errno) -> CgroupError {
    match errno {
        Errno::ENOTDIR => CgroupError::InvalidPath {
            path: path.to_string(),
            reason: "a file of the kernel's has this name there",
        },
        errno => CgroupError::io(action, path)(errno),
    }
}

/// Whose it is, as far as one of its processes tells.
fn in_use(parent: &Place, name: &OsStr, path: PathBuf) -> CgroupError {
    let pids = at::open_dir(parent.dir.as_fd(), name).and_then(|dir| walk::pids(dir.as_fd()));
    let by = pids.ok().and_then(|found| found.pids.first().copied());
    CgroupError::InUse { path, by }
}

/// The controllers of version 2 to ask for: on a host with version 1 only what is needed, since the
/// rest is in use there.
fn wanted<'a>(host: &Hierarchies, needed: &'a [String]) -> Wanted<'a> {
    Wanted::of(needed, host.layout() != Layout::Unified)
}

/// The files without which a cpuset of version 1 takes no process.
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// A new version 1 cpuset has no cpus and no memory nodes, and takes no process until it has.
pub(super) fn inherit_cpuset(parent: &Place, child: &Place) -> Result<(), CgroupError> {
    for file in CPUSET {
        if cpuset_of(child, file)?.trim_ascii().is_empty() {
            let value = cpuset_of(parent, file)?;
            at::write(child.dir.as_fd(), OsStr::new(file), value.trim_ascii())
                .map_err(CgroupError::io("write the cpuset of", &child.path))?;
        }
    }
    Ok(())
}

/// Lets the kernel fill what is made in one of our own parents. To write the same there compares the new cpuset with each of its
/// siblings (`validate_change`), 0.4 ms beside a thousand; who has no such file is filled by [`inherit_cpuset`].
fn hand_down_cpuset(parent: &Place) {
    let file = OsStr::new("cgroup.clone_children");
    let _ = at::write(parent.dir.as_fd(), file, b"1");
}

fn cpuset_of(place: &Place, file: &str) -> Result<Vec<u8>, CgroupError> {
    at::read_record(place.dir.as_fd(), OsStr::new(file), 1 << 16)
        .map_err(CgroupError::io("read the cpuset of", &place.path))
}

fn is_refusal(error: &CgroupError) -> bool {
    let refusals = [Errno::EACCES, Errno::EPERM, Errno::EROFS];
    matches!(error, CgroupError::Io { source, .. } if refusals.contains(source))
}

fn unavailable(host: &Hierarchies, refusal: Option<CgroupError>) -> CgroupError {
    let reason = match &refusal {
        None => "no cgroup hierarchy is mounted".to_owned(),
        Some(CgroupError::Io { path, source, .. }) => {
            format!("{}: {}", path.display(), source.desc())
        }
        Some(other) => other.to_string(),
    };
    let read_only = matches!(
        refusal,
        Some(CgroupError::Io {
            source: Errno::EROFS,
            ..
        })
    );
    CgroupError::Unavailable {
        reason,
        mend: mend(host, read_only).to_owned(),
    }
}

/// What makes cgroups available on a host like this one.
pub(crate) fn mend(host: &Hierarchies, read_only: bool) -> &'static str {
    match (host.layout(), read_only) {
        (Layout::None, _) => "mount them: `mount -t cgroup2 none /sys/fs/cgroup`",
        (_, true) => "mount them read-write: in Docker start the outer container with --privileged",
        (Layout::Unified, false) => {
            "start the host program with `systemd-run --user --scope -p Delegate=yes`, which needs \
             a session or `loginctl enable-linger USER`, or let root do `D=/sys/fs/cgroup/USER; \
             mkdir -p $D/host; chown -R USER $D; echo PID >$D/host/cgroup.procs`"
        }
        // Below /sys/fs/cgroup itself there is a tmpfs, not a hierarchy, and a cpuset takes nobody before it has processors.
        (Layout::Legacy | Layout::Hybrid, false) => {
            "start the host program as root, or let root do in each hierarchy \
             `D=/sys/fs/cgroup/pids/USER; mkdir $D; chown -R USER $D; echo PID >$D/cgroup.procs`, \
             in that of cpuset with cpuset.cpus and cpuset.mems copied from above first"
        }
    }
}
