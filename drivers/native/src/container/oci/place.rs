//! Where a bundle's document wants its cgroup.

use super::Runtime;
use crate::cgroup::{CgroupPath, Place};
use crate::facts::HostFacts;
use execdriver_core::{Result, Spec};
use std::path::Path;

impl Runtime {
    /// Where the document wants its cgroup.
    pub(super) fn place(&self, spec: &Spec, facts: &HostFacts) -> Result<Place> {
        let manager = self.containers.manager();
        let linux = spec.oci.linux().as_ref();
        let path = linux.and_then(|linux| linux.cgroups_path().as_deref());
        let path = path.map(Path::to_string_lossy).unwrap_or_default();
        if path.contains(':') || path.is_empty() {
            let ordinary = !facts.is_root() || facts.user_namespaces.outer.is_some();
            return Ok(manager.place(&path, &spec.id, ordinary)?);
        }
        let (parent, leaf) = path
            .trim_end_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", &path));
        let parent = if path.starts_with('/') && parent.is_empty() {
            "/"
        } else {
            parent
        };
        Ok(Place::Directory(CgroupPath::new(parent, leaf)?))
    }
}
