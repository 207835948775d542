//! Who makes the cgroups: we ourselves in the file system, or systemd.

use super::planned::planned;
use super::systemd::Systemd;
use super::{Cgroup, CgroupError, CgroupPath, Hierarchies, of_id};
use crate::shared_text::SharedText;

/// A maker of cgroups; what it makes is the same [`Cgroup`] to everybody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Directories, made by us.
    #[default]
    Cgroupfs,
    /// Transient scopes.
    Systemd(Systemd),
}

impl Manager {
    /// The values of `native.cgroupdriver`.
    pub(crate) const NAMES: [&str; 2] = ["cgroupfs", "systemd"];

    /// The manager of this name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "cgroupfs" => Some(Self::Cgroupfs),
            "systemd" => Some(Self::Systemd(Systemd::of_this_user())),
            _ => None,
        }
    }

    /// Its value of the option.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd(_) => "systemd",
        }
    }

    /// Whether containers could be made now.
    ///
    /// # Errors
    /// `Systemd` when it does not answer.
    pub(crate) fn check(&self) -> Result<(), CgroupError> {
        match self {
            Self::Cgroupfs => Ok(()),
            Self::Systemd(systemd) => systemd.check(),
        }
    }

    /// Judges the parent that a command names, before anything is made; an ordinary user is one who may
    /// make no cgroups at a root.
    ///
    /// # Errors
    /// `InvalidPath`.
    pub(crate) fn place(
        &self,
        parent: &str,
        id: &str,
        ordinary: bool,
    ) -> Result<Place, CgroupError> {
        match self {
            Self::Cgroupfs => directory(parent, id, ordinary).map(Place::Directory),
            Self::Systemd(systemd) => systemd.place(parent, id).map(Place::Scope),
        }
    }

    /// Makes the cgroup.
    ///
    /// # Errors
    /// As [`Cgroup::create`] and [`Systemd::create`].
    pub(crate) fn create(
        &self,
        host: &Hierarchies,
        place: &Place,
        needed: &[String],
    ) -> Result<Cgroup, CgroupError> {
        match (self, place) {
            (Self::Systemd(systemd), Place::Scope(name)) => systemd.create(host, name, needed),
            (_, Place::Directory(path)) => Cgroup::create(host, path, needed),
            (Self::Cgroupfs, Place::Scope(name)) => Err(CgroupError::InvalidPath {
                path: name.path(),
                reason: "only systemd makes scopes",
            }),
        }
    }
}

/// Where a container's cgroup belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the file system.
    Directory(CgroupPath),
    /// In systemd's tree.
    Scope(super::systemd::ScopeName),
}

impl Place {
    /// The directories that making it makes. A scope is systemd's to remove, once nothing is in it.
    pub(crate) fn planned(&self, host: &Hierarchies) -> Vec<SharedText> {
        match self {
            Self::Directory(path) => planned(host, path),
            Self::Scope(_) => Vec::new(),
        }
    }
}

/// An absolute parent for root, as the original's `/docker`; for others below what was handed to
/// them, or below our own cgroup: they can have nothing elsewhere.
fn directory(parent: &str, id: &str, ordinary: bool) -> Result<CgroupPath, CgroupError> {
    let name = of_id::directory(id);
    match parent {
        "" if ordinary => {
            let place = CgroupPath::new("execdriver", &name)?;
            Ok(place.keeping_parents().where_delegated())
        }
        "" => Ok(CgroupPath::new("/execdriver", &name)?.keeping_parents()),
        parent => CgroupPath::new(parent, &name),
    }
}
