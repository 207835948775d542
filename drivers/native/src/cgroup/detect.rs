//! Which cgroup hierarchies this host has, from the text of two `/proc` files.

use crate::controllers::{Controllers, names};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, fstatfs, statfs};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// The two generations of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// How a host mounts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// None is mounted.
    None,
    /// Version 1 only.
    Legacy,
    /// Both: the controllers are in version 1, all or most.
    Hybrid,
    /// Version 2 only.
    Unified,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    /// `cpu`, `cpuacct`, `name=systemd` ...; empty for version 2.
    pub(crate) controllers: Controllers,
    /// Where it is mounted.
    pub(crate) mount: PathBuf,
    /// The directory of the hierarchy that is mounted there, `/` as a rule.
    pub(crate) root: String,
    /// The cgroup that we are in, below the mount point; `None` when it is not below it (a mount
    /// of another cgroup namespace).
    pub(crate) own: Option<String>,
}

/// What this host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    pub(crate) list: Vec<Hierarchy>,
    /// Whether directories are asked if they are cgroups: always, but for tests on plain trees.
    pub(super) verify: bool,
}

impl Hierarchies {
    /// Of this process.
    pub(crate) fn read() -> std::io::Result<Self> {
        let mounts = std::fs::read("/proc/thread-self/mountinfo")?;
        let own = std::fs::read("/proc/thread-self/cgroup")?;
        Ok(Self::detect(
            &String::from_utf8_lossy(&mounts),
            &String::from_utf8_lossy(&own),
        ))
    }

    /// From the text of `/proc/self/mountinfo` and `/proc/self/cgroup` (proc_pid_mountinfo(5),
    /// cgroups(7)). A hierarchy that is not mounted is left out.
    pub(crate) fn detect(mountinfo: &str, own_cgroups: &str) -> Self {
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(Mount::parse).collect();
        let list = own_cgroups
            .lines()
            .filter_map(|line| hierarchy(line, &mounts))
            .collect();
        Self { list, verify: true }
    }

    /// Takes our own place anew from the text of `/proc/self/cgroup`: a host program may be moved
    /// between two starts, the mounts hardly ever change.
    pub(crate) fn refresh(&mut self, own_cgroups: &str) {
        for (controllers, path) in own_cgroups.lines().filter_map(own_cgroup) {
            let same = |one: &&mut Hierarchy| one.controllers.text() == controllers;
            if let Some(hierarchy) = self.list.iter_mut().find(same) {
                hierarchy.own = below(path, &hierarchy.root);
            }
        }
    }

    /// Whether there are any, all where they were found.
    pub(crate) fn are_mounted(&self) -> bool {
        let mounted = |one: &Hierarchy| {
            let magic = statfs(&one.mount).map(|stat| stat.filesystem_type());
            magic == Ok(one.version.magic())
        };
        !self.list.is_empty() && self.list.iter().all(mounted)
    }

    /// How this host mounts its cgroups.
    pub(crate) fn layout(&self) -> Layout {
        let has = |version| self.list.iter().any(|one| one.version == version);
        match (has(Version::V1), has(Version::V2)) {
            (false, false) => Layout::None,
            (true, false) => Layout::Legacy,
            (true, true) => Layout::Hybrid,
            (false, true) => Layout::Unified,
        }
    }

    /// The version 1 hierarchy with this controller.
    pub(crate) fn controller(&self, name: &str) -> Option<&Hierarchy> {
        self.list.iter().find(|one| one.controllers.has(name))
    }

    /// The version 2 hierarchy.
    pub(crate) fn unified(&self) -> Option<&Hierarchy> {
        self.list.iter().find(|one| one.version == Version::V2)
    }
}

impl Version {
    pub(super) fn magic(self) -> FsType {
        match self {
            Self::V1 => CGROUP_SUPER_MAGIC,
            Self::V2 => CGROUP2_SUPER_MAGIC,
        }
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    pub(super) fn from_number(number: u8) -> Self {
        if number == 2 { Self::V2 } else { Self::V1 }
    }
}

impl Hierarchy {
    /// The directory of the cgroup that we are in.
    pub(crate) fn own_directory(&self) -> Option<PathBuf> {
        let own = self.own.as_deref()?;
        Some(self.mount.join(own.trim_start_matches('/')))
    }
}

/// Whether an open directory is in a cgroup file system of this version.
pub(super) fn is_cgroup(dir: BorrowedFd<'_>, version: Version) -> bool {
    fstatfs(dir).is_ok_and(|stat| stat.filesystem_type() == version.magic())
}

/// A line of mountinfo, as far as it matters here.
struct Mount {
    root: String,
    point: String,
    fstype: String,
    options: Vec<String>,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (unescaped(fields.next()?), unescaped(fields.next()?));
        let mut fields = after.split(' ');
        let fstype = fields.next()?.to_owned();
        let options = fields.nth(1)?.split(',').map(str::to_owned).collect();
        let cgroup = fstype == "cgroup" || fstype == "cgroup2";
        cgroup.then_some(Self {
            root,
            point,
            fstype,
            options,
        })
    }
}

/// The hierarchy that a line of `/proc/self/cgroup` speaks of.
fn hierarchy(line: &str, mounts: &[Mount]) -> Option<Hierarchy> {
    let (controllers, path) = own_cgroup(line)?;
    let (version, fstype) = match controllers.is_empty() {
        true => (Version::V2, "cgroup2"),
        false => (Version::V1, "cgroup"),
    };
    let carries = |mount: &&Mount| {
        let has = |name| mount.options.iter().any(|option| option == name);
        mount.fstype == fstype && names(controllers).all(has)
    };
    let candidates: Vec<&Mount> = mounts.iter().filter(carries).collect();
    // The same hierarchy may be mounted in parts elsewhere (in containers' trees, say): a mount
    // that shows our own cgroup is better than one that does not.
    let mount = candidates
        .iter()
        .find(|mount| below(path, &mount.root).is_some())
        .or(candidates.first())?;
    Some(Hierarchy {
        version,
        controllers: controllers.into(),
        mount: PathBuf::from(&mount.point),
        root: mount.root.clone(),
        own: below(path, &mount.root),
    })
}

/// The controllers and the path of a line `number:controllers:path` of `/proc/self/cgroup`.
fn own_cgroup(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.splitn(3, ':').skip(1);
    Some((fields.next()?, fields.next()?))
}

/// `path` as seen from a mount of `root`.
fn below(path: &str, root: &str) -> Option<String> {
    if root == "/" {
        return Some(path.to_owned());
    }
    let rest = path.strip_prefix(root)?;
    match rest {
        "" => Some("/".to_owned()),
        rest if rest.starts_with('/') => Some(rest.to_owned()),
        _ => None,
    }
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        let octal = match (first, rest) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        out.push(octal.unwrap_or(*first));
        bytes = if octal.is_some() { &rest[3..] } else { rest };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";
    const HYBRID_OWN: &str = "\
9:name=systemd:/
4:memory:/a:b/c d
3:cpuset:/
1:cpu,cpuacct:/
0::/user
";

    #[test]
    fn a_hybrid_host_has_each_mounted_controller_and_our_own_place_in_it() {
        let found = Hierarchies::detect(HYBRID, HYBRID_OWN);
        assert_eq!(found.layout(), Layout::Hybrid);
        assert_eq!(found.list.len(), 4, "cpuset is not mounted");
        let memory = found.controller("memory").unwrap();
        let own = memory.own_directory().unwrap();
        assert_eq!(own, PathBuf::from("/sys/fs/cgroup/memory/a:b/c d"));
        let cpuacct = found.controller("cpuacct").unwrap();
        assert_eq!(cpuacct.controllers.text(), "cpu,cpuacct");
        let unified = found.unified().unwrap();
        assert_eq!(unified.own.as_deref(), Some("/user"));
    }

    #[test]
    fn a_host_program_that_was_moved_has_its_new_place_after_a_refresh() {
        let mut found = Hierarchies::detect(HYBRID, HYBRID_OWN);
        let moved = HYBRID_OWN
            .replace("/a:b/c d", "/elsewhere")
            .replace("/user", "/system");
        found.refresh(&moved);
        assert_eq!(found, Hierarchies::detect(HYBRID, &moved));
        assert_eq!(found.unified().unwrap().own.as_deref(), Some("/system"));
    }

    #[test]
    fn unified_and_legacy_and_bare_hosts_are_told_apart() {
        let unified = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = Hierarchies::detect(unified, "0::/user.slice/user-1000.slice/s.scope\n");
        assert_eq!(found.layout(), Layout::Unified);
        let legacy = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        // An unmounted version 2 hierarchy has its line all the same.
        let found = Hierarchies::detect(legacy, "1:cpu:/\n0::/\n");
        assert_eq!(found.layout(), Layout::Legacy);
        assert_eq!(Hierarchies::detect("", "0::/\n").layout(), Layout::None);
        assert_eq!(
            Hierarchies::detect("junk\n1 2\n", "junk").layout(),
            Layout::None
        );
    }

    #[test]
    fn in_a_container_our_own_path_is_taken_from_what_is_mounted() {
        let bound = "50 40 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let own = |text: &str| Hierarchies::detect(bound, text).list[0].own.clone();
        assert_eq!(own("1:cpu:/docker/abc\n").as_deref(), Some("/"));
        assert_eq!(own("1:cpu:/docker/abc/x\n").as_deref(), Some("/x"));
        assert_eq!(own("1:cpu:/docker/abcd\n"), None);
        assert_eq!(own("1:cpu:/\n"), None);
    }

    #[test]
    fn a_mount_that_shows_our_own_cgroup_is_preferred() {
        let two = "\
50 40 0:29 /docker/abc /containers/abc/cpu ro - cgroup cgroup rw,cpu
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
";
        let found = Hierarchies::detect(two, "1:cpu:/\n");
        assert_eq!(found.list[0].mount, PathBuf::from("/sys/fs/cgroup/cpu"));
    }

    #[test]
    fn escaped_characters_of_mount_points_are_decoded() {
        assert_eq!(unescaped(r"/a\040b\134c\011"), "/a b\\c\t");
        assert_eq!(unescaped(r"/a\9\04"), r"/a\9\04");
    }
}
