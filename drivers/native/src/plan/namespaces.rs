//! Which namespaces a container creates, which it joins, and who its root is on the host.

use super::ready::Ready;
use super::steps::Steps;
use super::{FdSlot, Host, PlanError, idmaps, time};
use crate::launch::IdMaps;
use crate::state::NamespaceRecord;
use crate::wire::Op;
use execdriver_core::{Spec, UserNamespace};
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::path::PathBuf;

/// Whose namespace is joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JoinFrom {
    /// Those of a running container of this driver: a pidfd of its first process is wanted.
    Container(String),
    /// The one at this path: a descriptor of that file is wanted.
    Path(PathBuf),
}

/// Where each kind of namespace comes from.
#[derive(Debug, Clone)]
pub(super) struct Namespaces {
    /// `CLONE_NEW*` bits of the new ones, the cgroup namespace included.
    created: u64,
    /// The joined ones, the user namespace first: joining the others takes its capabilities.
    joined: Vec<(Kind, JoinFrom)>,
    /// Present with a new user namespace.
    pub(super) maps: Option<IdMaps>,
    /// The ids of the host program's own user namespace, when that is not the machine's first.
    outer: Option<IdMaps>,
    /// What is written for the clocks of a new time namespace.
    time_offsets: String,
    /// What of it is there already.
    pub(super) ready: Ready,
    /// The new user namespace is entered after the others were joined, which are the host's to give.
    user_after_joins: bool,
}

/// What clone never makes: the cgroup namespace's root would be the parent's cgroup, and a time
/// namespace takes its offsets before anybody is in it.
const BY_UNSHARE: u64 = flag(Kind::Cgroup) | flag(Kind::Time);

/// A namespace's `CLONE_NEW*` bit.
pub(super) const fn flag(kind: Kind) -> u64 {
    // OCI's type has the kernel's numbers.
    kind as u64
}

/// Whether the document has a namespace of this kind, a new one or another's.
pub(super) fn lists(spec: &Spec, kind: Kind) -> bool {
    let joined = spec.joins.iter().any(|join| join.kind == kind);
    joined || listed(spec).any(|(listed, _)| listed == kind)
}

impl Namespaces {
    /// Decides by the document, and by whether the caller needs a user namespace to make others.
    pub(super) fn decide(spec: &Spec, host: &Host) -> Result<Self, PlanError> {
        let mut created = 0;
        let mut joined = Vec::new();
        let mut seen = 0;
        let joins = spec
            .joins
            .iter()
            .map(|join| (join.kind, Some(JoinFrom::Container(join.container.clone()))));
        for (kind, from) in listed(spec).chain(joins) {
            if seen & flag(kind) != 0 {
                let reason = format!("the {} namespace is listed twice", name(kind));
                return Err(PlanError::invalid("linux.namespaces", reason));
            }
            seen |= flag(kind);
            match from {
                None => created |= flag(kind),
                Some(from) => joined.push((kind, from)),
            }
        }
        let mut namespaces = Self {
            created,
            joined,
            maps: None,
            outer: host.outer.clone(),
            time_offsets: String::new(),
            ready: Ready::Nothing,
            user_after_joins: false,
        };
        namespaces.time_offsets = time::check(spec, &namespaces, host)?;
        namespaces.check(spec)?;
        namespaces.decide_user(spec, host)?;
        Ok(namespaces)
    }

    /// Whether the container makes this kind for itself.
    pub(super) fn creates(&self, kind: Kind) -> bool {
        self.created & flag(kind) != 0
    }

    /// Whether what is set in it is the container's own affair: it is new, or somebody made it for this container.
    pub(super) fn is_own(&self, kind: Kind) -> bool {
        let made = |(joined, from): &(Kind, JoinFrom)| {
            *joined == kind && matches!(from, JoinFrom::Path(_))
        };
        self.creates(kind) || self.joined.iter().any(made)
    }

    /// Whether it belongs to the user namespace that mounts are made in, so that its file systems can be mounted.
    pub(super) fn may_mount(&self, kind: Kind) -> bool {
        let joined = self.joins(kind) && !self.user_after_joins;
        self.creates(kind) || joined || !self.is_confined()
    }

    /// Whether it stays in the host's.
    pub(super) fn is_host(&self, kind: Kind) -> bool {
        !self.creates(kind) && !self.joins(kind)
    }

    /// Whether it enters another's.
    pub(super) fn joins(&self, kind: Kind) -> bool {
        self.joined.iter().any(|(joined, _)| *joined == kind)
    }

    /// Whether it is in a user namespace that is not the host program's.
    pub(super) fn in_user_namespace(&self) -> bool {
        !self.is_host(Kind::User)
    }

    /// Whether it is in a user namespace that is not the machine's first: the host's own namespaces
    /// and mounts are not its to change then, though it be root.
    pub(super) fn is_confined(&self) -> bool {
        self.in_user_namespace() || self.outer.is_some()
    }

    /// The ids that exist in the container; `None`: all, or nobody knows.
    pub(super) fn ids(&self) -> Option<&IdMaps> {
        match &self.maps {
            Some(maps) => Some(maps),
            None => self.outer.as_ref().filter(|_| !self.joins(Kind::User)),
        }
    }

    /// Whether groups can be set. In a joined user namespace nobody knows; rootless ones deny it.
    pub(super) fn setgroups(&self) -> bool {
        match &self.maps {
            Some(maps) => !maps.deny_setgroups,
            None => {
                let denied = self
                    .outer
                    .as_ref()
                    .is_some_and(|outer| outer.deny_setgroups);
                !self.joins(Kind::User) && !denied
            }
        }
    }

    /// Those that are not the host program's, for the container's record.
    pub(super) fn foreign(&self) -> Vec<NamespaceRecord> {
        let all = [
            Kind::User,
            Kind::Mount,
            Kind::Uts,
            Kind::Ipc,
            Kind::Pid,
            Kind::Network,
            Kind::Cgroup,
            Kind::Time,
        ];
        let mut foreign = Vec::with_capacity(all.len());
        for kind in all.into_iter().filter(|kind| !self.is_host(*kind)) {
            let own = self.creates(kind);
            foreign.push(NamespaceRecord { kind, own });
        }
        foreign
    }

    /// What clone makes. Never the cgroup namespace: its root would be the parent's cgroup, since
    /// the process is placed in its own only later. Nothing at all when the user namespace is
    /// joined: only then are there capabilities to make the others.
    pub(super) fn clone_flags(&self) -> u64 {
        if self.joins(Kind::User) || self.user_after_joins {
            return 0;
        }
        self.created & !BY_UNSHARE & !self.ready.namespaces()
    }

    /// The same in a process that was cloned before, into a pid namespace alone.
    pub(super) fn make_all_but_pid(&self, steps: &mut Steps) {
        let rest = self.clone_flags() & !flag(Kind::Pid);
        unshare(rest, "create the namespaces", steps);
    }

    /// Whether the report that they exist comes after some were joined.
    pub(super) fn report_late(&self) -> bool {
        self.user_after_joins
    }

    /// Whether entering them takes nothing of the parent: no maps, and no second process that it has to learn of.
    pub(super) fn need_no_parent(&self) -> bool {
        self.maps.is_none() && !self.joins(Kind::User) && !self.joins(Kind::Pid)
    }

    /// From the clone, and the parent's part where it must come first, to being root in all of them.
    pub(super) fn enter(
        &self,
        writes_procfs: bool,
        steps: &mut Steps,
        fds: &mut Vec<FdSlot>,
    ) -> Result<(), PlanError> {
        if self.creates(Kind::User) && !self.user_after_joins {
            self.take_root(steps);
        }
        // Before the first descriptor of another container is in reach (CVE-2016-9962), and not
        // before the maps: a rootless parent may not write those of a process that is not dumpable.
        steps.push(&Op::Undumpable {}, "hide from the container");
        if writes_procfs || self.creates(Kind::Time) {
            steps.push(&Op::Procfs {}, "open /proc of the host");
        }
        for (kind, from) in &self.joined {
            let words = match from {
                JoinFrom::Container(id) => format!("join the {} namespace of {id}", name(*kind)),
                JoinFrom::Path(path) => {
                    format!("join the {} namespace at {}", name(*kind), path.display())
                }
            };
            let slot = super::slot(
                fds,
                FdSlot::Namespace {
                    kind: *kind,
                    from: from.clone(),
                },
            )?;
            let flags = u32::try_from(flag(*kind)).unwrap_or_default();
            steps.push(&Op::Join { slot, flags }, words);
            if *kind == Kind::User {
                self.take_root(steps);
                unshare(self.created & !BY_UNSHARE, "create the namespaces", steps);
            }
        }
        if self.user_after_joins {
            // Nobody but root of the host comes here, who writes maps of a process that is not dumpable, too.
            unshare(flag(Kind::User), "create the user namespace", steps);
            steps.push(&Op::ReportNs {}, "wait for the id maps");
            self.take_root(steps);
            let others = self.created & !BY_UNSHARE & !flag(Kind::User);
            unshare(others, "create the namespaces", steps);
        }
        if self.creates(Kind::Time) {
            time::enter(&self.time_offsets, steps);
        }
        // A process never changes its own pid namespace, only that of its children.
        let late = self.joins(Kind::User) || self.user_after_joins;
        let made_by_unshare = late && self.creates(Kind::Pid);
        if self.joins(Kind::Pid) || made_by_unshare {
            steps.push(&Op::Fork {}, "enter the pid namespace");
        }
        if self.creates(Kind::Cgroup) {
            unshare(flag(Kind::Cgroup), "create the cgroup namespace", steps);
        }
        Ok(())
    }

    fn take_root(&self, steps: &mut Steps) {
        let setgroups = self.setgroups();
        steps.push(
            &Op::TakeRoot { setgroups },
            "become root of the user namespace",
        );
    }

    fn check(&self, spec: &Spec) -> Result<(), PlanError> {
        if self.is_host(Kind::Mount) {
            return Err(PlanError::unsupported(
                "a container in the host's mount namespace (linux.namespaces needs mount)",
            ));
        }
        if self.joins(Kind::Mount) {
            return Err(PlanError::unsupported("joining a mount namespace in run"));
        }
        let linux = spec.oci.linux().as_ref();
        let mapped = linux.is_some_and(|linux| {
            let some = |map: &Option<Vec<_>>| map.as_ref().is_some_and(|map| !map.is_empty());
            some(linux.uid_mappings()) || some(linux.gid_mappings())
        });
        if mapped && !self.creates(Kind::User) {
            let reason = "got id mappings, but linux.namespaces has no new user namespace";
            return Err(PlanError::invalid("linux.uidMappings", reason));
        }
        Ok(())
    }

    fn decide_user(&mut self, spec: &Spec, host: &Host) -> Result<(), PlanError> {
        if self.joins(Kind::User) {
            self.user_first();
            return Ok(());
        }
        if self.creates(Kind::User) {
            self.maps = Some(idmaps::decide(spec, host)?);
        } else if !host.is_root() {
            if spec.user_namespace == UserNamespace::Host {
                return Err(PlanError::unsupported(
                    "user_namespace host: an ordinary user makes no other namespaces without a user namespace",
                ));
            }
            match self.container_joined() {
                // Its namespaces belong to its user namespace, and only from within can they be
                // entered.
                Some(id) => {
                    self.joined.push((Kind::User, JoinFrom::Container(id)));
                    self.user_first();
                    return Ok(());
                }
                None => {
                    self.created |= flag(Kind::User);
                    self.maps = Some(idmaps::decide(spec, host)?);
                }
            }
        }
        if self.creates(Kind::User) && host.is_root() && !self.joined.is_empty() {
            if spec.is_document() {
                self.user_after_joins = true;
                return Ok(());
            }
            return Err(PlanError::unsupported(
                "joining namespaces from within a new user namespace (remap_root)",
            ));
        }
        Ok(())
    }

    fn user_first(&mut self) {
        self.joined.sort_by_key(|(kind, _)| *kind != Kind::User);
    }

    fn container_joined(&self) -> Option<String> {
        self.joined.iter().find_map(|(_, from)| match from {
            JoinFrom::Container(id) => Some(id.clone()),
            JoinFrom::Path(_) => None,
        })
    }
}

fn unshare(flags: u64, words: &str, steps: &mut Steps) {
    if let Ok(flags) = u32::try_from(flags)
        && flags != 0
    {
        steps.push(&Op::Unshare { flags }, words);
    }
}

/// The namespaces of the document; those with a path are joined.
fn listed(spec: &Spec) -> impl Iterator<Item = (Kind, Option<JoinFrom>)> {
    let linux = spec.oci.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_deref());
    namespaces.unwrap_or_default().iter().map(|namespace| {
        let path = namespace.path().clone();
        (namespace.typ(), path.map(JoinFrom::Path))
    })
}

/// Whether a container is in no namespace of the host's, nor of another container's, which a process that waits for it would have to
/// be in, too; and in no user namespace, which is the first that it has to be in.
pub(crate) fn is_apart(spec: &Spec) -> bool {
    let needed = [Kind::Mount, Kind::Uts, Kind::Ipc, Kind::Pid, Kind::Network];
    let (mut made, mut first) = (0, spec.joins.is_empty());
    for (kind, from) in listed(spec) {
        made |= flag(kind);
        first &= kind != Kind::User && from.is_none();
    }
    first && needed.iter().all(|kind| made & flag(*kind) != 0)
}

/// The namespace in words.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Mount => "mount",
        Kind::Cgroup => "cgroup",
        Kind::Uts => "uts",
        Kind::Ipc => "ipc",
        Kind::User => "user",
        Kind::Pid => "pid",
        Kind::Network => "network",
        Kind::Time => "time",
    }
}
