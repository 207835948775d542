//! Which mounts of a container CRIU has to be told of, because what they show is the host's.

use crate::cgroup::unescaped;
use std::collections::HashSet;

/// A line of `/proc/<pid>/mountinfo` (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) id: u32,
    /// The mount that it is on.
    pub(crate) parent: u32,
    /// `major:minor` of what is mounted.
    pub(crate) device: String,
    /// What of it, from its own root.
    pub(crate) root: String,
    pub(crate) point: String,
    pub(crate) options: Vec<String>,
    pub(crate) kind: String,
    /// The options of the file system, not of the mount.
    pub(crate) super_options: Vec<String>,
}

/// File systems of the kernel that CRIU mounts anew by their type, also where the host has the same one.
const ANEW: [&str; 5] = ["proc", "sysfs", "mqueue", "devpts", "binfmt_misc"];

/// The mounts of a process.
pub(crate) fn read(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(Mount::parse).collect()
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ');
        let id = fields.next()?.parse().ok()?;
        let parent = fields.next()?.parse().ok()?;
        let device = fields.next()?.to_owned();
        let (root, point) = (unescaped(fields.next()?), unescaped(fields.next()?));
        let list = |text: &str| text.split(',').map(str::to_owned).collect();
        let options = list(fields.next()?);
        let mut fields = after.split(' ');
        Some(Self {
            id,
            parent,
            device,
            root,
            point,
            options,
            kind: fields.next()?.to_owned(),
            super_options: fields.nth(1).map(list).unwrap_or_default(),
        })
    }

    /// Whether it is of cgroups.
    pub(crate) fn is_cgroup(&self) -> bool {
        self.kind == "cgroup" || self.kind == "cgroup2"
    }
}

/// Those whose content is the host's, so that they are bound anew from there: what the host has mounted too. A cgroup mount is
/// the container's own when its cgroup namespace is.
pub(crate) fn external<'a>(
    container: &'a [Mount],
    host: &[Mount],
    own_cgroup_namespace: bool,
) -> Vec<&'a Mount> {
    let host: HashSet<&str> = host.iter().map(|mount| mount.device.as_str()).collect();
    let is_external = |mount: &&Mount| match mount.kind.as_str() {
        _ if mount.point == "/" => false,
        _ if mount.is_cgroup() => !own_cgroup_namespace,
        kind if ANEW.contains(&kind) => false,
        _ => host.contains(mount.device.as_str()),
    };
    container.iter().filter(is_external).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "\
66 42 254:0 /b/rootfs / ro,relatime - ext4 /dev/vda rw
67 66 0:49 / /proc rw,relatime - proc proc rw
68 66 0:50 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
72 66 0:53 / /sys ro,nosuid - sysfs sysfs rw
75 73 0:36 /execdriver/c1 /sys/fs/cgroup/pids ro,nosuid - cgroup cgroup rw,pids
85 67 0:6 /null /proc/keys rw,relatime - devtmpfs devtmpfs rw,mode=755
86 66 254:0 /some\\040data /data rw,relatime shared:3 - ext4 /dev/vda rw
116 67 0:49 /bus /proc/bus ro,relatime - proc proc rw
";
    const HOST: &str = "\
20 1 254:0 / / rw,relatime - ext4 /dev/vda rw
21 20 0:6 / /dev rw - devtmpfs devtmpfs rw
22 20 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";

    fn points(own_cgroup_namespace: bool) -> Vec<String> {
        let container = read(CONTAINER);
        let found = external(&container, &read(HOST), own_cgroup_namespace);
        found.iter().map(|mount| mount.point.clone()).collect()
    }

    #[test]
    fn a_line_is_taken_apart() {
        let data = read(CONTAINER).swap_remove(6);
        assert_eq!(
            (data.root.as_str(), data.point.as_str()),
            ("/some data", "/data")
        );
        assert_eq!(data.options, ["rw", "relatime"]);
        assert_eq!(
            (data.kind.as_str(), data.device.as_str()),
            ("ext4", "254:0")
        );
        assert_eq!(read(CONTAINER)[4].super_options, ["rw", "pids"]);
        assert!(read("no such line\n").is_empty());
    }

    #[test]
    fn what_the_host_has_mounted_too_is_bound_anew() {
        assert_eq!(points(true), ["/proc/keys", "/data"]);
    }

    #[test]
    fn cgroups_are_the_hosts_without_a_namespace() {
        assert_eq!(
            points(false),
            ["/sys/fs/cgroup/pids", "/proc/keys", "/data"]
        );
    }
}
