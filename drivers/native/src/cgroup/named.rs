//! A cgroup that is there already below a container's own, by its name: the container made it.

use super::detect::is_cgroup;
use super::error::CgroupError;
use super::{Cgroup, Member};
use crate::at;
use std::ffi::OsStr;
use std::os::fd::AsFd;

impl Cgroup {
    /// The cgroup at `path` below this one: in the hierarchies of these controllers, or in every one. The others stay.
    ///
    /// # Errors
    /// There is none of this name, or no hierarchy of these controllers.
    pub(crate) fn named_below(
        &self,
        controllers: &[&str],
        path: &str,
    ) -> Result<Self, CgroupError> {
        let mut members = Vec::new();
        let mut found = false;
        for member in &self.members {
            let mut names = member.controllers.names();
            let wanted = controllers.is_empty() || names.any(|one| controllers.contains(&one));
            found |= wanted;
            members.push(member.below(if wanted { path } else { "" })?);
        }
        if !found {
            return Err(CgroupError::InvalidPath {
                path: format!("{}:{path}", controllers.join(",")),
                reason: "the container has no cgroup with such a controller",
            });
        }
        Ok(Self {
            members,
            made_parents: Vec::new(),
            refused: Vec::new(),
            unit: None,
            placeholder: None,
        })
    }
}

impl Member {
    /// Name by name, so that nothing leads elsewhere.
    fn below(&self, path: &str) -> Result<Self, CgroupError> {
        let mut dir = at::reopen(self.dir.as_fd()).map_err(CgroupError::io("open", &self.path))?;
        let mut whole = self.path.clone();
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            if name == ".." {
                return Err(CgroupError::InvalidPath {
                    path: path.to_owned(),
                    reason: "it leads out of the container's cgroup",
                });
            }
            whole = whole.child(name);
            let below = at::open_dir(dir.as_fd(), OsStr::new(name));
            dir = below.map_err(CgroupError::io("open", &whole))?;
        }
        if !is_cgroup(dir.as_fd(), self.version) {
            return Err(CgroupError::NotACgroup { path: whole.into() });
        }
        let identity = at::identity(&dir).map_err(CgroupError::io("stat", &whole))?;
        Ok(Self {
            version: self.version,
            controllers: self.controllers.clone(),
            path: whole,
            dir,
            identity,
        })
    }
}
