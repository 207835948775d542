//! Limits as an ordered list of what is written where: OCI's resources for cgroup version 1 or 2.
//!
//! Pure data to data. Each limit goes where its controller is: on a hybrid host some are in
//! version 1 and some in version 2. A limit that the version or the host has no file for is an
//! error that names it and the mend, never left out. `super::apply` does the writing.

mod block;
mod cpu;
mod memory;
mod merge;
mod rest;
mod undo;

#[cfg(test)]
mod tests;

pub(crate) use merge::merged;

use super::Version;
use oci_spec::runtime::{LinuxCpu, LinuxResources};

/// One value for one file of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// In which hierarchy.
    pub(crate) version: Version,
    /// Whose directory, in that version's word: `blkio` or `io`.
    pub(crate) controller: String,
    /// The file and the text for it; where kernels differ the first that exists is meant.
    pub(crate) files: Vec<(String, String)>,
    /// The field that asked for it, in the words of the command.
    pub(crate) field: String,
    /// What to do about a kernel that has none of the files.
    pub(crate) absent: &'static str,
    /// How the old value is put back.
    pub(in crate::cgroup) shape: Shape,
    /// What must be so beforehand, or afterwards.
    pub(in crate::cgroup) check: Check,
}

/// How a file tells its old value, for the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cgroup) enum Shape {
    /// Its first line is the value.
    Whole,
    /// A line `key value`.
    Key(&'static str),
    /// Lines `device value`; `gone` is written for a device without one.
    Device { device: String, gone: String },
    /// Lines `device name=value name=value`; `max` is written for a device without one.
    Nested { device: String, name: &'static str },
    /// Each line is written by itself.
    Lines,
}

/// What is looked at besides the kernel's answer to the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cgroup) enum Check {
    None,
    /// The kernel bends values that it does not like: what is read back must be this text.
    ReadBack,
    /// The file takes everything and newer kernels ignore it: what is read back must be a limit.
    IsLimit,
    /// The use in this file must not be above the new value. The kernel itself refuses it.
    UsageRefused(&'static str),
    /// The same, where the kernel would take it and kill, or merely let nothing new begin.
    Usage(&'static str),
    /// The same for memory, of which some can be given back.
    Memory,
}

/// What the container's own cgroup has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Available {
    /// The controllers of the version 1 hierarchies in which it has a directory.
    pub(crate) v1: Vec<String>,
    /// The controllers that its version 2 directory has.
    pub(crate) v2: Vec<String>,
    /// Why it lacks a controller of version 2, and the mend.
    pub(crate) refused: Vec<(String, String)>,
    /// Why it lacks any other one, and the mend.
    pub(crate) otherwise: String,
}

/// Why a limit cannot be in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    /// A value that no kernel takes.
    #[error("invalid {field}: {reason}")]
    Invalid { field: String, reason: String },
    /// This host, or its version of cgroups, has no such limit.
    #[error("{field}: {reason}")]
    Unsupported { field: String, reason: String },
}

/// What the settings are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new cgroup, in which nothing is limited: "unlimited" asks for nothing.
    Create,
    /// A cgroup in use: "unlimited" takes a limit away.
    Update,
}

/// What to write, in this order, to have `resources` in force. `before` are the limits that were
/// set earlier: some files of version 2 hold two of them.
///
/// # Errors
/// The first limit that cannot be had.
pub(crate) fn settings(
    resources: &LinuxResources,
    before: &LinuxResources,
    have: &Available,
    purpose: Purpose,
) -> Result<Vec<Setting>, LimitError> {
    let mut list = List {
        have,
        purpose,
        settings: Vec::new(),
    };
    memory::add(resources, before, &mut list)?;
    cpu::add(resources, before, &mut list)?;
    block::add(resources, &mut list)?;
    rest::add(resources, &mut list)?;
    Ok(list.settings)
}

/// Whether anything but device rules is in there.
pub(crate) fn asks(resources: &LinuxResources) -> bool {
    resources.memory().is_some()
        || resources.cpu().is_some()
        || resources.pids().is_some()
        || resources.block_io().is_some()
        || resources.hugepage_limits().is_some()
        || resources.network().is_some()
        || resources.rdma().is_some()
        || resources.unified().is_some()
}

/// The controllers that the limits need, by version 2's names.
pub(crate) fn needed(resources: &LinuxResources) -> Vec<String> {
    let cpu = resources.cpu().as_ref();
    let sets = cpu.is_some_and(|cpu| cpu.cpus().is_some() || cpu.mems().is_some());
    let time = cpu.is_some_and(|cpu| {
        let mut rest = cpu.clone();
        let quota = rest.quota().filter(|quota| *quota > 0);
        rest.set_cpus(None).set_mems(None).set_quota(quota);
        rest != LinuxCpu::default()
    });
    let pids = resources.pids().is_some_and(|pids| pids.limit() > 0);
    let pages = resources.hugepage_limits().iter().flatten();
    let rdma = resources.rdma().as_ref();
    let parts = [
        (
            "memory",
            resources.memory().as_ref().is_some_and(memory::limits),
        ),
        ("cpuset", sets),
        ("cpu", time),
        ("io", resources.block_io().is_some()),
        ("pids", pids),
        ("hugetlb", pages.into_iter().any(|page| page.limit() >= 0)),
        ("rdma", rdma.is_some_and(|all| !all.is_empty())),
    ];
    let asked = parts.into_iter().filter(|(_, asked)| *asked);
    let mut names: Vec<String> = asked.map(|(name, _)| name.to_owned()).collect();
    for file in resources.unified().iter().flatten().map(|(file, _)| file) {
        let controller = file.split('.').next().unwrap_or_default();
        if controller != "cgroup" && !names.iter().any(|name| name == controller) {
            names.push(controller.to_owned());
        }
    }
    names
}

/// Instead of a name of version 1, where version 1 will not do.
const VERSION_2_ONLY: &str = "";

/// The settings so far.
struct List<'a> {
    have: &'a Available,
    purpose: Purpose,
    settings: Vec<Setting>,
}

impl List<'_> {
    /// Where the controller is, which is called `v1` or `v2` there.
    fn place(&self, field: &str, v1: &str, v2: &str) -> Result<Version, LimitError> {
        let has = |list: &[String], name: &str| list.iter().any(|have| have == name);
        if has(&self.have.v1, v1) {
            return Ok(Version::V1);
        }
        if has(&self.have.v2, v2) {
            return Ok(Version::V2);
        }
        let mut refused = self.have.refused.iter();
        let why = refused.find_map(|(name, why)| (name == v2).then_some(why.as_str()));
        let why = why.unwrap_or(&self.have.otherwise);
        let name = if v1 == v2 || v1 == VERSION_2_ONLY {
            v2.to_owned()
        } else {
            format!("{v1} or {v2}")
        };
        Err(unsupported(
            field,
            format!("the container's cgroup has no {name} controller: {why}"),
        ))
    }

    /// Adds a setting of one file whose whole content is the value.
    fn whole(
        &mut self,
        version: Version,
        file: &str,
        value: impl ToString,
        field: &str,
    ) -> &mut Setting {
        self.add(version, vec![(file.to_owned(), value.to_string())], field)
    }

    fn add(&mut self, version: Version, files: Vec<(String, String)>, field: &str) -> &mut Setting {
        let first = files
            .first()
            .map(|(file, _)| file.as_str())
            .unwrap_or_default();
        let controller = first.split('.').next().unwrap_or_default().to_owned();
        let setting = Setting {
            version,
            controller,
            files,
            field: field.to_owned(),
            absent: "boot a kernel that has it",
            shape: Shape::Whole,
            check: Check::None,
        };
        self.settings.push(setting);
        let last = self.settings.len() - 1;
        &mut self.settings[last]
    }

    /// Whether a number asks for something: -1 is "unlimited".
    fn asks(&self, limit: i64) -> bool {
        limit >= 0 || self.purpose == Purpose::Update
    }
}

/// Version 2's word for a number of which a negative one is "unlimited".
fn or_max(limit: i64) -> String {
    if limit < 0 {
        "max".to_owned()
    } else {
        limit.to_string()
    }
}

fn invalid(field: &str, reason: impl Into<String>) -> LimitError {
    LimitError::Invalid {
        field: field.to_owned(),
        reason: reason.into(),
    }
}

fn unsupported(field: &str, reason: impl Into<String>) -> LimitError {
    LimitError::Unsupported {
        field: field.to_owned(),
        reason: reason.into(),
    }
}
