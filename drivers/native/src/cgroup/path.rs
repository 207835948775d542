//! Where a container belongs below a hierarchy's mount point.

use super::detect::Hierarchy;
use super::error::CgroupError;

/// `<cgroup_parent>/<id>`, cleaned: an absolute parent starts at the hierarchy's root, a relative
/// one at the cgroup that we are in ourselves. `..` cannot climb out of either (a
/// denial of service in the original, mended there by 40b5eebb0b); a parent that only climbs
/// names no cgroup and is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CgroupPath {
    absolute: bool,
    /// Parents and the container's own name, between slashes.
    names: String,
    keeps_parents: bool,
    delegated: bool,
}

/// The longest name of a directory (`NAME_MAX`).
const MAX_NAME: usize = 255;

impl CgroupPath {
    /// The place of container `id` under `parent`, which may be empty.
    pub(crate) fn new(parent: &str, id: &str) -> Result<Self, CgroupError> {
        let mut names = String::with_capacity(parent.len() + 1 + id.len());
        clean(parent, &mut names)?;
        if names.is_empty() && climbs(parent) {
            return Err(invalid(
                parent,
                "it leads above the cgroup that it starts at and names none",
            ));
        }
        let mut leaf = String::new();
        clean(id, &mut leaf)?;
        if leaf.is_empty() || leaf.contains('/') {
            return Err(invalid(id, "an id is one name"));
        }
        push(&mut names, &leaf);
        Ok(Self {
            absolute: parent.starts_with('/'),
            names,
            keeps_parents: false,
            delegated: false,
        })
    }

    /// Leaves the parents where they are when the container goes: for the driver's own, which the
    /// next start would only make again, at the cost of half of all its work on cgroups.
    pub(crate) fn keeping_parents(self) -> Self {
        Self {
            keeps_parents: true,
            ..self
        }
    }

    /// Starts a relative path at the topmost cgroup above us that was handed to us, where there is
    /// one, in place of our own.
    pub(crate) fn where_delegated(self) -> Self {
        Self {
            delegated: !self.absolute,
            ..self
        }
    }

    /// Whether it starts at what was handed to us.
    pub(super) fn is_delegated(&self) -> bool {
        self.delegated
    }

    /// Whether parents that were made on the way stay.
    pub(super) fn keeps_parents(&self) -> bool {
        self.keeps_parents
    }

    /// The cgroup that must exist already: the root, or our own (`own`).
    pub(super) fn base<'a>(&self, own: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let own = if self.absolute { "" } else { own };
        own.split('/').filter(|name| !name.is_empty())
    }

    /// The path of the container's own directory of this hierarchy, where we are in `own`: to the end of `text`.
    pub(super) fn write(&self, hierarchy: &Hierarchy, own: &str, text: &mut String) {
        let mount = hierarchy.mount.to_string_lossy();
        text.push_str(mount.trim_end_matches('/'));
        for name in self.base(own).chain(self.names.split('/')) {
            text.push('/');
            text.push_str(name);
        }
    }

    /// No less than [`CgroupPath::write`] writes.
    pub(super) fn room(&self, hierarchy: &Hierarchy, own: &str) -> usize {
        hierarchy.mount.as_os_str().len() + 1 + own.len() + 1 + self.names.len()
    }

    /// The names between the base and the container's own.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        let parents = self.names.rsplit_once('/').map(|(parents, _)| parents);
        parents.into_iter().flat_map(|parents| parents.split('/'))
    }

    /// The container's own name.
    pub(super) fn leaf(&self) -> &str {
        self.names.rsplit('/').next().unwrap_or(&self.names)
    }
}

/// Writes the names of a path, with `.` and `..` worked in and never above the start.
fn clean(path: &str, names: &mut String) -> Result<(), CgroupError> {
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => names.truncate(names.rfind('/').unwrap_or(0)),
            name if name.chars().any(char::is_control) => {
                return Err(invalid(path, "it has a control character"));
            }
            name if name.len() > MAX_NAME => {
                return Err(invalid(path, "a name in it is longer than 255 bytes"));
            }
            name => push(names, name),
        }
    }
    Ok(())
}

fn push(names: &mut String, name: &str) {
    if !names.is_empty() {
        names.push('/');
    }
    names.push_str(name);
}

/// Whether more `..` than names come before them.
fn climbs(path: &str) -> bool {
    let mut depth = 0_usize;
    path.split('/').any(|name| {
        match name {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
        false
    })
}

fn invalid(path: &str, reason: &'static str) -> CgroupError {
    CgroupError::InvalidPath {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(path: &CgroupPath, own: &str) -> String {
        let mut names: Vec<&str> = path.base(own).collect();
        names.extend(path.parents());
        names.push(path.leaf());
        names.join("/")
    }

    #[test]
    fn cgroup_parent() {
        for (parent, own, expected) in [
            ("", "/user/me", "user/me/c1"),
            ("jobs", "/user/me", "user/me/jobs/c1"),
            ("/docker", "/user/me", "docker/c1"),
            ("/", "/user/me", "c1"),
            ("a/..", "/user/me", "user/me/c1"),
            ("../../etc", "/user/me", "user/me/etc/c1"),
            ("/../../x/../y/./", "/user/me", "y/c1"),
            ("jobs", "/", "jobs/c1"),
        ] {
            let path = CgroupPath::new(parent, "c1").unwrap();
            assert_eq!(whole(&path, own), expected, "{parent:?} in {own:?}");
        }
    }

    #[test]
    fn a_path_that_is_not_one_is_refused() {
        for (parent, id) in [
            ("a\nb", "c1"),
            ("a\0", "c1"),
            ("../..", "c1"),
            ("/..", "c1"),
            ("a/../../", "c1"),
            ("", ".."),
            ("", ""),
            ("", "a/b"),
        ] {
            assert!(CgroupPath::new(parent, id).is_err(), "{parent:?} {id:?}");
        }
        assert!(CgroupPath::new(&"n".repeat(256), "c1").is_err());
    }

    proptest! {
        #[test]
        fn no_parent_climbs_above_its_start(parent in "[./a\\-]{0,40}") {
            if let Ok(path) = CgroupPath::new(&parent, "c1") {
                let whole = whole(&path, "/own");
                prop_assert!(whole.split('/').all(|name| name != ".." && name != "." && !name.is_empty()));
                prop_assert!(parent.starts_with('/') || whole.starts_with("own/"));
            }
        }
    }
}
