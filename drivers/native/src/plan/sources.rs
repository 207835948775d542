//! The paths of the host that a document names, looked up once before the plan is built.
//!
//! Each is resolved to a path without symbolic links and to the identity of the file there. Init
//! opens that very path again, follows no link on the way, and refuses another file: whoever swaps
//! something in between gets a failed start.

use super::Host;
use super::dev::Node;
use super::found::Found;
use execdriver_core::Spec;
use execdriver_core::spec::is_bind;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};
use std::iter::once;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is at a path of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Absolute and without symbolic links.
    pub(crate) path: PathBuf,
    /// `st_dev` of the file there.
    pub(crate) dev: u64,
    /// `st_ino` of the file there.
    pub(crate) ino: u64,
    /// What it is.
    pub(crate) kind: SourceKind,
    /// The last component of the path in the document is a symbolic link.
    pub(crate) link: bool,
    /// The mount that it is on; looked up when propagation is asked for.
    pub(crate) mount: Option<SourceMount>,
}

/// What a file of the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// A directory.
    Directory,
    /// A device node.
    Device {
        /// A block device, else a character device.
        block: bool,
        /// Its number, as `st_rdev` has it.
        rdev: u64,
    },
    /// Anything else.
    Other,
}

/// A mount of the host: mount_namespaces(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceMount {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Mounts below it travel out.
    pub(crate) shared: bool,
    /// Mounts below it travel in.
    pub(crate) slave: bool,
}

/// What was found at the paths of the host, by the path in the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(super) files: Found,
    /// The host's node of a device, by its path in the container.
    pub(super) nodes: Found,
    /// What the host's /dev has beside, for a privileged container.
    pub(super) host_nodes: Vec<Node<'static>>,
}

impl Sources {
    /// What was found at `path`.
    pub(super) fn file(&self, path: &Path) -> Result<&Source, Errno> {
        self.files.get(path)
    }

    /// The host's node for the device at `path` of the container.
    pub(super) fn node(&self, path: &Path) -> Result<&Source, Errno> {
        self.nodes.get(path)
    }

    /// Looks up every path of the host that a plan for `spec` may need. Touches the host, changes
    /// nothing; what is missing is recorded and is the plan's to judge.
    pub(crate) fn resolve(spec: &Spec, host: &Host) -> Self {
        let mut sources = Self::default();
        let mounts = spec.oci.mounts().as_deref().unwrap_or_default();
        let mut table = None;
        for path in wanted(spec, host, mounts) {
            let found = look_up(path);
            sources.files.insert(path, found);
        }
        for demand in &spec.demands {
            if let Some(source) = sources.files.get_mut(&demand.source) {
                let table = table.get_or_insert_with(mount_table);
                source.mount = mount_of(&source.path, table);
            }
        }
        if spec.host_devices {
            sources.host_nodes = super::dev::host_nodes(spec);
        }
        if super::dev::are_bound(spec, host) {
            let mut nodes = super::dev::wanted(spec);
            nodes.extend_from_slice(&sources.host_nodes);
            for node in nodes {
                let found = host_node(&node);
                sources.nodes.insert(node.path.into_owned(), found);
            }
        }
        sources
    }
}

impl SourceKind {
    fn of(stat: &FileStat) -> Self {
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        if kind == SFlag::S_IFDIR {
            Self::Directory
        } else if kind == SFlag::S_IFCHR || kind == SFlag::S_IFBLK {
            Self::Device {
                block: kind == SFlag::S_IFBLK,
                rdev: stat.st_rdev,
            }
        } else {
            Self::Other
        }
    }
}

/// The rootfs, the sources of binds, and what stands in for file systems that a user namespace
/// may not mount.
fn wanted<'a>(
    spec: &'a Spec,
    host: &'a Host<'_>,
    mounts: &'a [Mount],
) -> impl Iterator<Item = &'a Path> {
    let root = spec.oci.root().iter().map(|root| root.path());
    let binds = mounts.iter().filter(|mount| is_bind(mount));
    let binds = binds.filter_map(|mount| mount.source().as_ref());
    let foreign = !super::namespaces::lists(spec, Kind::Cgroup);
    let hierarchies = foreign.then(|| {
        let own = super::cgroupfs::own(spec, host).iter();
        once(Path::new("/sys/fs/cgroup")).chain(own.map(|own| &*own.path))
    });
    let confined = !host.is_root() || host.outer.is_some();
    let confined = confined || super::namespaces::lists(spec, Kind::User);
    let stand_ins = confined.then(|| ["/proc", "/sys", "/dev/mqueue"].map(Path::new));
    let named = root.chain(binds).map(PathBuf::as_path);
    named
        .chain(hierarchies.into_iter().flatten())
        .chain(stand_ins.into_iter().flatten())
}

/// So often a file that is renamed again and again is looked up.
const ATTEMPTS: usize = 16;

/// What is at a path. One of /proc may be that of a descriptor (`/proc/self/fd/7`), which stands for the file that is open
/// and not for its name: the name that procfs gives may be another file's a moment later (CVE-2026-34078), so that the file
/// which is found there must be the one that is open.
fn look_up(path: &Path) -> Result<Source, Errno> {
    if !path.starts_with("/proc") && !path.starts_with("/dev/fd") {
        return look_up_once(path);
    }
    for _ in 0..ATTEMPTS {
        let meant = std::fs::metadata(path).map_err(crate::at::errno)?;
        match look_up_once(path) {
            Ok(found) if (found.dev, found.ino) == (meant.dev(), meant.ino()) => return Ok(found),
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ESTALE)
}

/// Opens the path as init will: the resolved one, no link followed.
fn look_up_once(path: &Path) -> Result<Source, Errno> {
    // Without a slash at its end, behind which the link would be followed.
    let named = path.components().as_path();
    let link = named.symlink_metadata().is_ok_and(|data| data.is_symlink());
    let path = std::fs::canonicalize(path).map_err(crate::at::errno)?;
    let (stat, _) = open_path(&path)?;
    Ok(Source {
        dev: stat.st_dev,
        ino: stat.st_ino,
        kind: SourceKind::of(&stat),
        link,
        path,
        mount: None,
    })
}

fn open_path(path: &Path) -> nix::Result<(FileStat, OwnedFd)> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::empty())?;
    Ok((fstat(&file)?, file))
}

/// The host's node of this number: at the same path, else where the kernel's own name for the
/// device says, since a caller may call it something else in the container.
fn host_node(node: &Node<'_>) -> Result<Source, Errno> {
    let same = look_up(&node.path);
    if let Ok(source) = &same
        && node.is(source.kind)
    {
        return same;
    }
    let class = if node.block { "block" } else { "char" };
    let uevent = format!("/sys/dev/{class}/{}:{}/uevent", node.major, node.minor);
    let text = std::fs::read_to_string(uevent).map_err(crate::at::errno)?;
    let name = text.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    let source = look_up(&Path::new("/dev").join(name.ok_or(Errno::ENOENT)?))?;
    if node.is(source.kind) {
        Ok(source)
    } else {
        Err(Errno::ENODEV)
    }
}

/// The lines of the calling thread, which is the one that launches: proc_pid_mountinfo(5).
fn mount_table() -> String {
    std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default()
}

/// The mount that an open file is on, by the number that the kernel gives for the descriptor: a
/// longest common prefix would be fooled by a mount that covers another.
fn mount_of(path: &Path, table: &str) -> Option<SourceMount> {
    let (_, file) = open_path(path).ok()?;
    let info = format!("/proc/thread-self/fdinfo/{}", file.as_raw_fd());
    let info = std::fs::read_to_string(info).ok()?;
    let number = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    table
        .lines()
        .find_map(|line| parse_mount(line, number.trim()))
}

/// The type of the file system that a path is on.
pub(crate) fn file_system(path: &Path) -> Option<String> {
    let (_, file) = open_path(path).ok()?;
    let info = format!("/proc/thread-self/fdinfo/{}", file.as_raw_fd());
    let info = std::fs::read_to_string(info).ok()?;
    let number = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    let table = mount_table();
    let same = |line: &&str| line.split(' ').next() == Some(number.trim());
    let (_, rest) = table.lines().find(same)?.split_once(" - ")?;
    rest.split(' ').next().map(str::to_owned)
}

fn parse_mount(line: &str, number: &str) -> Option<SourceMount> {
    let mut fields = line.split(' ');
    if fields.next() != Some(number) {
        return None;
    }
    let point = unescape(fields.nth(3)?);
    let optional: Vec<&str> = fields.skip(1).take_while(|field| *field != "-").collect();
    let has = |tag: &str| optional.iter().any(|field| field.starts_with(tag));
    Some(SourceMount {
        point: point.into(),
        shared: has("shared:"),
        slave: has("master:"),
    })
}

/// Undoes the octal escapes of blanks and backslashes.
fn unescape(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(field.to_owned(), |text, (escape, plain)| {
        text.replace(escape, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_says_where_the_mount_is_and_whom_it_shares_with() {
        let line = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 - ext3 /dev/root rw";
        let mount = parse_mount(line, "36").unwrap();
        assert_eq!(mount.point, Path::new("/mnt 2"));
        assert!(mount.shared && mount.slave);
        assert_eq!(parse_mount(line, "3"), None);
        let line = "36 35 98:0 / / rw - ext3 /dev/shared: rw";
        assert!(!parse_mount(line, "36").unwrap().shared);
    }

    #[test]
    fn a_path_is_looked_up_to_where_it_leads() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("real", &link).unwrap();
        let source = look_up(&link).unwrap();
        assert_eq!(source.path, real);
        assert_eq!(source.kind, SourceKind::Directory);
        let missing = look_up(&dir.path().join("none"));
        assert_eq!(missing, Err(Errno::ENOENT));
    }

    #[test]
    fn a_descriptors_path_is_of_the_file_that_is_open_or_an_error() {
        use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
        use std::sync::atomic::{AtomicBool, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&other).unwrap();
        let (stat, opened) = open_path(&one).unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let flags = RenameFlags::RENAME_EXCHANGE;
                    renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags).unwrap();
                }
            });
            let looks: Vec<_> = (0..5_000).map(|_| look_up(&path)).collect();
            done.store(true, Ordering::Relaxed);
            for found in looks.into_iter().flatten() {
                assert_eq!((found.dev, found.ino), (stat.st_dev, stat.st_ino));
            }
        });
        assert_eq!(look_up(&path).unwrap().ino, stat.st_ino);
    }

    #[test]
    fn the_mount_of_a_path_is_found_by_its_number() {
        let mount = mount_of(Path::new("/proc"), &mount_table()).unwrap();
        assert_eq!(mount.point, Path::new("/proc"));
    }
}
