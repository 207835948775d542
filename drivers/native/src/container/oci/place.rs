//! Where a bundle's document wants its cgroup, and what stands before its first process: the record and the cgroup.

use super::{OciError, OciResult, Runtime};
use crate::cgroup::{CgroupPath, Place};
use crate::container::made::Made;
use crate::facts::HostFacts;
use crate::state::{BundleRecord, Record};
use execdriver_core::{Error, Result, Spec};
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

    /// Writes the container down and makes its cgroup there. An id that is taken is told in the words of the specification.
    pub(super) fn begin(
        &self,
        place: &Place,
        spec: &Spec,
        facts: &HostFacts,
        bundle: BundleRecord,
    ) -> OciResult<Made> {
        let stores = (&self.containers.store, self.containers.manager());
        let note = |record: &mut Record| record.bundle = Some(Box::new(bundle));
        Made::begin_at(stores, place, spec, facts, note).map_err(|error| match error {
            Error::AlreadyExists { id } => OciError::Exists { id },
            other => other.into(),
        })
    }
}
