//! The descriptors that a plan wants init to have, opened in the order of their slots.

use super::Containers;
use super::mapped::IdNamespaces;
use super::taken::Taken;
use crate::launch::Process;
use crate::plan::{FdSlot, JoinFrom};
use crate::state::{Liveness, Record, Status};
use crate::stdio::ChildStdio;
use execdriver_core::{Error, Result};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FsType, fstatfs};
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// `NSFS_MAGIC` of linux/magic.h: the file system of namespaces.
const NSFS: FsType = FsType(0x6e73_6673);

/// A descriptor for init.
pub(super) enum Held<'a> {
    Lent(BorrowedFd<'a>),
    Process(Arc<Process>),
    Owned(OwnedFd),
}

impl AsFd for Held<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Lent(fd) => *fd,
            Self::Process(process) => Process::as_fd(process),
            Self::Owned(fd) => fd.as_fd(),
        }
    }
}

/// What the slots of one launch are filled from.
pub(super) struct Slots<'a> {
    pub(super) containers: &'a Containers,
    pub(super) stdio: &'a ChildStdio,
    /// The container's first process, for an exec.
    pub(super) container: Option<&'a Arc<Process>>,
    /// The `tasks` files of the container's version 1 cgroups.
    pub(super) entries: &'a [OwnedFd],
    /// The write end of the pipe for the program's wait status.
    pub(super) status: Option<&'a OwnedFd>,
    /// The socket on which init waits to be started.
    pub(super) start: Option<BorrowedFd<'a>>,
    /// What the program gets beside its streams.
    pub(super) preserved: &'a [OwnedFd],
    pub(super) id_namespaces: IdNamespaces,
    /// What was made ahead.
    pub(super) taken: &'a Taken,
}

impl<'a> Slots<'a> {
    /// Opens all of `wanted`.
    pub(super) fn open(&self, wanted: &[FdSlot]) -> Result<Vec<Held<'a>>> {
        let mut held = Vec::with_capacity(wanted.len());
        for slot in wanted {
            held.push(self.one(slot, wanted)?);
        }
        Ok(held)
    }

    fn one(&self, slot: &FdSlot, all: &[FdSlot]) -> Result<Held<'a>> {
        let stream = |index: usize| {
            let fds = self.stdio.fds().ok_or_else(|| missing(slot))?;
            Ok(Held::Lent(fds[index]))
        };
        match slot {
            FdSlot::Stdin => stream(0),
            FdSlot::Stdout => stream(1),
            FdSlot::Stderr => stream(2),
            FdSlot::Namespace { kind, from } => {
                self.namespace(field_of(asked(*kind, from, all)), from)
            }
            FdSlot::Container => {
                let process = self.container.ok_or_else(|| missing(slot))?;
                Ok(Held::Process(Arc::clone(process)))
            }
            FdSlot::CgroupEntry(index) => {
                let entry = self.entries.get(usize::from(*index));
                Ok(Held::Lent(entry.ok_or_else(|| missing(slot))?.as_fd()))
            }
            FdSlot::HostProcess => {
                let pid = i32::try_from(std::process::id()).unwrap_or(0);
                let own = Process::open(pid).map_err(super::error::process("open this process"))?;
                Ok(Held::Process(Arc::new(own)))
            }
            FdSlot::Mapped(tree) => Ok(Held::Owned(self.id_namespaces.tree(tree)?)),
            FdSlot::Preserved(index) => {
                let given = self.preserved.get(usize::from(*index));
                Ok(Held::Lent(given.ok_or_else(|| missing(slot))?.as_fd()))
            }
            FdSlot::Start => Ok(Held::Lent(self.start.ok_or_else(|| missing(slot))?)),
            FdSlot::ReadyNetwork | FdSlot::ReadyIpc | FdSlot::ReadyTree(_) => {
                let taken = self.taken.descriptor(slot);
                Ok(Held::Lent(taken.ok_or_else(|| missing(slot))?.as_fd()))
            }
            FdSlot::Status => Ok(Held::Lent(
                self.status.ok_or_else(|| missing(slot))?.as_fd(),
            )),
        }
    }

    fn namespace(&self, field: &str, from: &JoinFrom) -> Result<Held<'a>> {
        match from {
            JoinFrom::Path(path) => Ok(Held::Owned(namespace_file(field, path)?)),
            JoinFrom::Container(id) => {
                let invalid = || {
                    let reason = format!("{id:?} is not a valid running container to join");
                    Error::invalid(format!("{field}.container_id"), reason)
                };
                let (_, record) = self.containers.live(id).map_err(|_| invalid())?;
                let running = record.status == Status::Running;
                let process = first_process(&record).filter(|_| running);
                Ok(Held::Process(Arc::new(process.ok_or_else(invalid)?)))
            }
        }
    }
}

/// The container's first process by a descriptor that is surely its own: opened first, and its
/// identity asked after.
pub(super) fn first_process(record: &Record) -> Option<Process> {
    open_checked(record.init.as_ref()?)
}

/// The process of this identity, if it still runs.
pub(super) fn open_checked(id: &crate::state::ProcessId) -> Option<Process> {
    let process = Process::open(i32::try_from(id.pid).ok()?).ok()?;
    (id.liveness() == Liveness::Alive).then_some(process)
}

fn namespace_file(field: &str, path: &Path) -> Result<OwnedFd> {
    let invalid = |what: String| Error::invalid(format!("{field}.path"), what);
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = open(path, flags, Mode::empty())
        .map_err(|errno| invalid(format!("{}: {}", path.display(), errno.desc())))?;
    match fstatfs(&file) {
        Ok(stat) if stat.filesystem_type() == NSFS => Ok(file),
        _ => Err(invalid(format!("{} is not a namespace", path.display()))),
    }
}

/// The kind that the caller asked for: an ordinary user joins a container's user namespace only on
/// the way to another of its namespaces.
fn asked(kind: Kind, from: &JoinFrom, all: &[FdSlot]) -> Kind {
    let same = |slot: &FdSlot| match slot {
        FdSlot::Namespace { kind, from: other } if other == from && *kind != Kind::User => {
            Some(*kind)
        }
        _ => None,
    };
    match kind {
        Kind::User => all.iter().find_map(same).unwrap_or(kind),
        _ => kind,
    }
}

fn field_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => "network",
        Kind::Ipc => "ipc",
        Kind::Pid => "pid",
        Kind::Uts => "uts",
        Kind::Cgroup => "cgroup_namespace",
        _ => "namespaces",
    }
}

fn missing(slot: &FdSlot) -> Error {
    Error::Driver {
        driver: crate::NativeDriver::NAME.to_owned(),
        operation: format!("find the descriptor for {slot:?}"),
        source: None,
    }
}
