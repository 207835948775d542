//! A root file system for one test: the payload under all of its names, the users and groups of a small Debian.

use super::payload::{applets, payload};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// /etc/passwd: `daemon` has a home of its own, `trap` is a number as a name, `big` has a number that is no id.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
1000:x:0:0:a number as a name:/root:/bin/sh
4294967296:x:0:0:too large for an id:/root:/bin/sh
";

/// /etc/group: Debian's numbers, and root in wheel as in the image that Docker's own tests use.
const GROUP: &str = "root:x:0:
daemon:x:1:
bin:x:2:
tty:x:5:
disk:x:6:
wheel:x:10:root
audio:x:29:
staff:x:50:
nogroup:x:65534:
";

/// A temporary directory with a rootfs, a state directory and a place for host files; gone when dropped.
pub(crate) struct Rootfs {
    temp: tempfile::TempDir,
}

impl Rootfs {
    /// `/bin/payload` and a hard link for each applet, /etc/passwd, /etc/group, and empty dev, proc, sys, tmp, root,
    /// run, var and usr/sbin.
    pub(crate) fn new() -> Self {
        let rootfs = Self::bare();
        fs::copy(payload(), rootfs.inside("bin/payload")).expect("the payload can be copied");
        rootfs.mode("bin/payload", 0o755);
        for applet in applets() {
            fs::hard_link(
                rootfs.inside("bin/payload"),
                rootfs.inside("bin").join(applet),
            )
            .expect("a hard link");
        }
        rootfs.write("etc/passwd", PASSWD);
        rootfs.write("etc/group", GROUP);
        rootfs
    }

    /// The same directories without a file in them.
    pub(crate) fn bare() -> Self {
        let temp = tempfile::Builder::new()
            .prefix("execdriver-")
            .tempdir()
            .expect("a temporary directory");
        let rootfs = Self { temp };
        // A mapped root has to reach its rootfs, and tempfile makes 0700.
        fs::set_permissions(rootfs.temp.path(), Permissions::from_mode(0o755))
            .expect("our own directory");
        for dir in ["rootfs", "state", "outside"] {
            fs::create_dir(rootfs.temp.path().join(dir)).expect("our own directory");
        }
        for dir in [
            "bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/sbin", "var",
        ] {
            rootfs.mkdir(dir);
        }
        rootfs.mode("tmp", 0o1777);
        rootfs.mode("root", 0o700);
        rootfs
    }

    /// Adds Debian's static busybox as /bin/busybox and /bin/sh (and no other name: ours stay).
    /// Ask for `Need::Busybox` first.
    pub(crate) fn with_busybox(self) -> Self {
        fs::copy("/bin/busybox", self.inside("bin/busybox")).expect("busybox-static is installed");
        fs::hard_link(self.inside("bin/busybox"), self.inside("bin/sh")).expect("a hard link");
        self
    }

    /// The rootfs itself.
    pub(crate) fn path(&self) -> PathBuf {
        self.temp.path().join("rootfs")
    }

    /// Where a driver under test keeps its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    /// A host directory next to the rootfs, for volumes and for what must stay untouched.
    pub(crate) fn outside(&self) -> PathBuf {
        self.temp.path().join("outside")
    }

    /// The whole temporary directory.
    pub(crate) fn all(&self) -> &Path {
        self.temp.path()
    }

    /// The host's path of something in the rootfs; a leading slash is fine.
    pub(crate) fn inside(&self, path: &str) -> PathBuf {
        self.path().join(path.trim_start_matches('/'))
    }

    /// A directory with its parents, 0755.
    pub(crate) fn mkdir(&self, path: &str) {
        fs::create_dir_all(self.inside(path)).expect("a directory in our own rootfs");
    }

    /// A file with its parents, 0644.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.inside(path);
        fs::create_dir_all(file.parent().expect("a file has a directory"))
            .expect("a directory in our own rootfs");
        fs::write(&file, content).expect("a file in our own rootfs");
        self.mode(path, 0o644);
    }

    /// Mode bits of something in the rootfs.
    pub(crate) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.inside(path), Permissions::from_mode(mode))
            .expect("a file in our own rootfs");
    }

    /// A symbolic link in the rootfs, whatever is there now.
    pub(crate) fn symlink(&self, target: impl AsRef<Path>, path: &str) {
        let link = self.inside(path);
        match fs::symlink_metadata(&link) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&link).expect("our own directory"),
            Ok(_) => fs::remove_file(&link).expect("our own file"),
            Err(_) => {}
        }
        symlink(target, link).expect("a link in our own rootfs");
    }

    /// Gives the rootfs with all in it to a user and group, for mapped containers.
    pub(crate) fn give_to(&self, uid: u32, gid: u32) {
        give(&self.path(), uid, gid);
    }
}

fn give(path: &Path, uid: u32, gid: u32) {
    lchown(path, Some(uid), Some(gid)).expect("root may give files away");
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        let entries = fs::read_dir(path).expect("our own directory");
        entries
            .flatten()
            .for_each(|entry| give(&entry.path(), uid, gid));
    }
}
