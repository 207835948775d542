//! The content of `state.json` and `exec-<id>.json`: versioned data, nothing that lives.

use super::lists;
use super::process::{Liveness, ProcessId};
use super::unread::Unread;
use super::words::Words;
use crate::controllers::Controllers;
use crate::resctrl::ClassRecord;
use crate::shared_text::SharedText;
use execdriver_core::ContainerState;
use execdriver_core::spec::ExecDefaults;
use oci_spec::runtime::{Hooks, LinuxNamespaceType, LinuxResources};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The format that this version writes and the only one that it reads.
pub(super) const VERSION: u32 = 1;

/// A container. What is large in it is [`Unread`]: it passes through the stack of every caller's
/// thread, which then waits for as long as its container lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) version: u32,
    pub(crate) id: SharedText,
    pub(crate) status: Status,
    /// A kill asked for the start to be given up before there was an init to kill. Whoever starts
    /// the container looks at it, under the lock, when it records `init`.
    pub(crate) aborted: bool,
    /// The host program that starts or runs the container.
    pub(crate) parent: ProcessId,
    /// The container's first process; `None` until it was cloned.
    pub(crate) init: Option<ProcessId>,
    /// When the start began, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) started_unix_ms: u64,
    /// The program and its arguments, for listings.
    pub(crate) command: Words,
    /// The root file system, as the host names it.
    pub(crate) rootfs: String,
    /// `None`: the host let us make none, so processes are found by their pid namespace.
    pub(crate) cgroup: Option<CgroupRecord>,
    /// The directories of cgroups that the start is about to make, until `cgroup` is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) planned_cgroups: Vec<SharedText>,
    /// The namespaces that are not those of the host program.
    #[serde(deserialize_with = "lists::namespaces")]
    pub(crate) namespaces: Vec<NamespaceRecord>,
    /// Whether its user namespace denies `setgroups`.
    pub(crate) denies_setgroups: bool,
    /// The limits in force, those of later updates included; without device rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<Unread<LinuxResources>>,
    /// What an exec inherits: environment, cwd, user, capabilities, rlimits, no_new_privs.
    pub(crate) defaults: Option<Unread<ExecDefaults>>,
    /// The signals that drivers sent to the first process: bit n - 1 is signal n.
    pub(crate) signals: u64,
    /// The container's terminal, for `resize` from another process.
    pub(crate) terminal: Option<TerminalRecord>,
    /// How many processes the kernel killed for want of memory in the cgroups of execs that are gone. Version 1 counts
    /// in each cgroup for itself; version 2 has them in the container's own count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) exec_oom_kills: u64,
    /// Something with CAP_SYS_PTRACE was put into its pid namespace: its own program, an exec, or a container that joined it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) traced: bool,
    /// What it is to an OCI runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bundle: Option<Box<BundleRecord>>,
}

/// What an OCI runtime has to know of a container beside all others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BundleRecord {
    /// The bundle's directory, absolute.
    pub(crate) path: String,
    /// The document's own version.
    pub(crate) version: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hooks: Option<Hooks>,
    /// Its class of service of the caches and of memory's bandwidth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<ClassRecord>,
    /// The number of init's first step after it was let go, and the words of those steps.
    pub(crate) first_step: u32,
    pub(crate) steps: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How far a start got. Whether the process still lives is asked of the kernel, never recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Starting,
    /// It waits for whoever starts its program: an OCI runtime's.
    Created,
    Running,
}

/// A namespace that the container has of its own or shares with another container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NamespaceRecord {
    pub(crate) kind: LinuxNamespaceType,
    /// Made for this container; false: joined.
    pub(crate) own: bool,
}

/// The cgroups of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CgroupRecord {
    #[serde(deserialize_with = "lists::hierarchies")]
    pub(crate) hierarchies: Vec<HierarchyRecord>,
    /// Parents that were made on the way, outermost first: removed when nothing else uses them.
    pub(crate) made_parents: Vec<SharedText>,
    /// The scope that holds them, with the systemd manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<UnitRecord>,
}

/// A unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnitRecord {
    pub(crate) name: String,
    /// The address of the bus on which its manager is.
    pub(crate) bus: String,
}

/// The cgroup in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HierarchyRecord {
    /// 1 or 2.
    pub(crate) version: u8,
    /// `cpu`, `cpuacct`, `name=systemd` ...; empty for version 2.
    pub(crate) controllers: Controllers,
    /// The directory as the host names it.
    pub(crate) path: SharedText,
    /// Device and inode of the directory: another cgroup of the same name is not ours.
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

/// The terminal's slave: only a file that is this very one is ever resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TerminalRecord {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) rdev: u64,
}

/// A process that was executed in a running container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExecRecord<'a> {
    pub(super) version: u32,
    pub(crate) id: Cow<'a, str>,
    /// The host program that waits for it.
    pub(crate) parent: ProcessId,
    /// `None` until it was cloned.
    pub(crate) process: Option<ProcessId>,
    pub(crate) started_unix_ms: u64,
    pub(crate) command: Cow<'a, [String]>,
    pub(crate) terminal: Option<TerminalRecord>,
    /// Its own cgroup, below the container's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cgroup: Option<CgroupRecord>,
    /// Whether it has a terminal.
    pub(crate) tty: bool,
    /// The signals that drivers sent to it: bit n - 1 is signal n.
    pub(crate) signals: u64,
}

impl Record {
    /// The record of a start by `parent` that begins now.
    pub(crate) fn starting(id: &str, parent: ProcessId) -> Self {
        Self {
            version: VERSION,
            id: id.into(),
            status: Status::Starting,
            aborted: false,
            parent,
            init: None,
            started_unix_ms: now_unix_ms(),
            command: Words::default(),
            rootfs: String::new(),
            cgroup: None,
            planned_cgroups: Vec::new(),
            namespaces: Vec::new(),
            denies_setgroups: false,
            limits: None,
            defaults: None,
            signals: 0,
            terminal: None,
            exec_oom_kills: 0,
            traced: false,
            bundle: None,
        }
    }

    /// Whether its init runs, or is a zombie or gone. A start without an init yet lives as long as
    /// the host program that makes it.
    pub(crate) fn liveness(&self) -> Liveness {
        match (&self.init, self.status) {
            (Some(init), _) => init.liveness(),
            (None, Status::Starting) => self.parent.liveness(),
            (None, Status::Created | Status::Running) => Liveness::Gone,
        }
    }

    /// Where the container is in its life, as far as the state and the process table tell;
    /// whether it is paused only its cgroup knows.
    pub(crate) fn state(&self) -> ContainerState {
        match (self.liveness(), self.status) {
            (Liveness::Alive | Liveness::Unknown(_), Status::Starting | Status::Created) => {
                ContainerState::Starting
            }
            (Liveness::Alive | Liveness::Unknown(_), Status::Running) => ContainerState::Running,
            _ => ContainerState::Stopped,
        }
    }
}

impl<'a> ExecRecord<'a> {
    /// The record of an exec of `command` by `parent` that begins now.
    pub(crate) fn starting(id: &'a str, command: &'a [String], parent: ProcessId) -> Self {
        Self {
            version: VERSION,
            id: id.into(),
            parent,
            process: None,
            started_unix_ms: now_unix_ms(),
            command: command.into(),
            terminal: None,
            cgroup: None,
            tty: false,
            signals: 0,
        }
    }
}

pub(crate) fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
