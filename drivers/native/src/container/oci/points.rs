//! The places in a root file system where a saved container had something mounted: CRIU wants each to be there.

use crate::at;
use crate::criu::{Mount, SavedPoint};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// The points that lie in the root file system itself; those in other mounts come with what is mounted there.
pub(super) fn of_root(mounts: &[Mount], is_dir: impl Fn(&str) -> bool) -> Vec<SavedPoint> {
    let Some(root) = mounts.iter().find(|mount| mount.point == "/") else {
        return Vec::new();
    };
    let on_root = mounts.iter().filter(|mount| mount.parent == root.id);
    let points = on_root.map(|mount| SavedPoint {
        dir: is_dir(&mount.point),
        path: mount.point.clone(),
    });
    points.collect()
}

/// Makes what is not there. A symbolic link on the way is an error: the point was none when it was saved.
pub(super) fn make(rootfs: &Path, points: &[SavedPoint]) -> Result<(), (String, Errno)> {
    for point in points {
        one(rootfs, point).map_err(|errno| (point.path.clone(), errno))?;
    }
    Ok(())
}

fn one(rootfs: &Path, point: &SavedPoint) -> nix::Result<()> {
    let names = Path::new(&point.path)
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
    let names: Vec<&OsStr> = names.collect();
    let Some((last, above)) = names.split_last() else {
        return Ok(());
    };
    let mut dir = at::open_root(rootfs)?;
    for name in above {
        dir = enter(dir.as_fd(), name)?;
    }
    match (at::stat(dir.as_fd(), last), point.dir) {
        (Ok(_), _) => Ok(()),
        (Err(Errno::ENOENT), true) => enter(dir.as_fd(), last).map(drop),
        (Err(Errno::ENOENT), false) => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(0o644);
            let name = std::ffi::CString::new(last.as_bytes()).map_err(|_| Errno::EINVAL)?;
            openat(dir.as_fd(), name.as_c_str(), flags, mode).map(drop)
        }
        (Err(errno), _) => Err(errno),
    }
}

fn enter(dir: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
    match at::open_dir(dir, name) {
        Err(Errno::ENOENT) => {
            at::make_dir(dir, name, 0o755)?;
            at::open_dir(dir, name)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn point(path: &str, dir: bool) -> SavedPoint {
        let path = path.to_owned();
        SavedPoint { path, dir }
    }

    #[test]
    fn only_points_in_the_root_itself_are_kept() {
        let text = "66 42 254:0 /r / rw - ext4 d rw\n67 66 0:9 / /proc rw - proc p rw\n\
                    68 67 0:6 /null /proc/keys rw - devtmpfs d rw\n69 66 254:0 /h /etc/hosts rw - ext4 d rw\n";
        let points = of_root(&crate::criu::read_mounts(text), |path| path == "/proc");
        assert_eq!(points, [point("/proc", true), point("/etc/hosts", false)]);
        assert!(of_root(&[], |_| true).is_empty());
    }

    #[test]
    fn what_is_not_there_is_made_and_what_is_there_stays() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/hosts"), "x").unwrap();
        let points = [
            point("/etc/hosts", false),
            point("/run/a/b", true),
            point("/run/file", false),
        ];
        make(root.path(), &points).unwrap();
        assert_eq!(fs::read(root.path().join("etc/hosts")).unwrap(), b"x");
        assert!(root.path().join("run/a/b").is_dir());
        assert_eq!(fs::read(root.path().join("run/file")).unwrap(), b"");
    }

    #[test]
    fn a_link_on_the_way_leads_nowhere() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), root.path().join("run")).unwrap();
        let (path, _) = make(root.path(), &[point("/run/a", true)]).unwrap_err();
        assert_eq!(path, "/run/a");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
