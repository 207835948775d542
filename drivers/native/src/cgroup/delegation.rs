//! The part of the version 2 hierarchy that was handed to an ordinary user.
//!
//! A container's cgroup is best made not below the one that we are in but beside it: a cgroup with
//! processes of its own has no controllers for its children. So we look for the topmost cgroup above
//! us that is ours, as `user@UID.service` of systemd is, or the one that `Delegate=yes` made. It
//! holds our own cgroup and the container's, which is what the kernel asks of who moves a process
//! (cgroup-v2.rst, "Delegation Containment").

use super::detect::{Hierarchy, Version};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};
use std::path::Path;

/// Its path below the mount point; `None` when nothing was handed to us.
pub(crate) fn top(hierarchy: &Hierarchy) -> Option<String> {
    if hierarchy.version != Version::V2 {
        return None;
    }
    let own = hierarchy.own.as_deref()?;
    let mut here = hierarchy.mount.clone();
    let mut path = String::new();
    if is_ours(&here) {
        return Some(path);
    }
    for name in own.split('/').filter(|name| !name.is_empty()) {
        here.push(name);
        path = format!("{path}/{name}");
        if is_ours(&here) {
            return Some(path);
        }
    }
    None
}

/// Whether we may make cgroups in it, move processes within it and give controllers to them: the
/// three files that a delegation is made of.
fn is_ours(cgroup: &Path) -> bool {
    let may = |path: &Path, wanted| faccessat(AT_FDCWD, path, wanted, AtFlags::AT_EACCESS).is_ok();
    may(cgroup, AccessFlags::W_OK | AccessFlags::X_OK)
        && ["cgroup.procs", "cgroup.subtree_control"]
            .iter()
            .all(|file| may(&cgroup.join(file), AccessFlags::W_OK))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree in which `ours` are complete.
    fn tree(own: &str, ours: &[&str]) -> (tempfile::TempDir, Hierarchy) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(own.trim_start_matches('/'))).unwrap();
        for cgroup in ours {
            for file in ["cgroup.procs", "cgroup.subtree_control"] {
                std::fs::write(dir.path().join(cgroup).join(file), "").unwrap();
            }
        }
        let hierarchy = Hierarchy {
            version: Version::V2,
            controllers: "".into(),
            mount: dir.path().to_owned(),
            root: "/".to_owned(),
            own: Some(own.to_owned()),
        };
        (dir, hierarchy)
    }

    #[test]
    fn the_topmost_cgroup_that_is_ours_is_found_above_us() {
        let own = "/user.slice/user-7.slice/user@7.service/app.slice/run.scope";
        let service = "user.slice/user-7.slice/user@7.service";
        let app = "user.slice/user-7.slice/user@7.service/app.slice";
        let (_dir, hierarchy) = tree(own, &[service, app]);
        assert_eq!(top(&hierarchy), Some(format!("/{service}")));
    }

    #[test]
    fn a_delegation_of_ones_own_cgroup_alone_is_one_and_none_is_none() {
        let (_dir, hierarchy) = tree("/kim", &["kim"]);
        assert_eq!(top(&hierarchy), Some("/kim".to_owned()));
        let (_dir, hierarchy) = tree("/kim/below", &[]);
        assert_eq!(top(&hierarchy), None);
        let (_dir, mut hierarchy) = tree("/", &["."]);
        assert_eq!(top(&hierarchy), Some(String::new()));
        hierarchy.version = Version::V1;
        assert_eq!(top(&hierarchy), None);
    }
}
