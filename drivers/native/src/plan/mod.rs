//! From the specification to a plan: every decision made, still data.
//!
//! [`Plan::build`] touches nothing. What it needs to know of the world comes in as values: the
//! [`Host`], and the [`Sources`] that [`Sources::resolve`] looked up. A plan is a list of steps,
//! each with the words that errors describe it with, and what the parent does beside them.

mod access;
mod attributes;
mod caps;
mod cgroup;
mod cgroupfs;
mod confine;
mod dev;
pub(crate) mod encode;
mod error;
pub(crate) mod exec;
mod filter;
mod found;
mod hidden;
mod hooks;
mod host;
mod idmaps;
mod input;
mod landlock;
mod mapped;
mod masks;
mod mounts;
mod namespaces;
mod netdev;
mod options;
mod process;
mod ready;
mod remount;
mod rlimits;
mod root;
mod sources;
mod steps;
mod support;
mod system;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod volumes;

pub(crate) use cgroup::CgroupPlan;
pub(crate) use error::PlanError;
pub(crate) use host::{AppArmor, Hierarchy, Host, HostCgroup, OwnCgroup, OwnDirectory};
pub(crate) use idmaps::{asks_sub_ids, is_mapped};
pub(crate) use input::RunInput;
pub(crate) use mapped::{MappedTree, chown as chown_mend};
pub(crate) use namespaces::{JoinFrom, is_apart};
pub(crate) use options::mount_words;
pub(crate) use ready::{Ready, Shape, makes_network};
pub(crate) use sources::{Source, Sources, file_system};

use crate::launch::IdMaps;
use crate::netdev::NetDevice;
use crate::state::NamespaceRecord;
use crate::wire::Op;
use confine::Confinement;
use encode::PackedParams;
use execdriver_core::Spec;
use namespaces::Namespaces;
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::fmt;
use std::path::Path;
use steps::{Part, Steps};
use text::{c_path, container_path};

/// A container's, or an exec's, every decision.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// `CLONE_NEW*` bits for clone.
    pub(crate) clone_flags: u64,
    /// What init does, in order.
    pub(crate) steps: Steps,
    /// The descriptors that init gets, in the order of their slots.
    pub(crate) fds: Vec<FdSlot>,
    /// How many slots there are, those that init fills itself included.
    slots: u16,
    /// The maps of a new user namespace.
    pub(crate) id_maps: Option<IdMaps>,
    namespaces: Vec<NamespaceRecord>,
    denies_setgroups: bool,
    /// For the parent to write; `None`: left alone.
    pub(crate) oom_score_adj: Option<i32>,
    /// Whether init begins while the parent does its part, and waits for it only before it becomes the user.
    pub(crate) go_ahead: bool,
    /// The container's cgroup.
    pub(crate) cgroup: CgroupPlan,
    /// The interfaces of the host that the parent moves in.
    pub(crate) net_devices: Vec<NetDevice>,
    /// Whether they come when init reports its mounts, and not when it reports its namespaces.
    pub(crate) net_devices_late: bool,
    /// Whether init stays above the program.
    pub(crate) init: bool,
    /// The AppArmor profile that was decided on, for execs to get the same.
    pub(crate) apparmor: Option<String>,
    /// Controls of the template that are not in force here, a sentence each.
    pub(crate) unenforced: Vec<String>,
}

/// A descriptor that init gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FdSlot {
    /// Becomes descriptor 0.
    Stdin,
    /// Becomes descriptor 1.
    Stdout,
    /// Becomes descriptor 2.
    Stderr,
    /// A namespace to join.
    Namespace {
        /// Which.
        kind: Kind,
        /// Whose: a pidfd, or a descriptor of the namespace's file.
        from: JoinFrom,
    },
    /// A pidfd of the container's first process, for an exec.
    Container,
    /// The n-th of the version 1 cgroups' `tasks` files, open for writing.
    CgroupEntry(u16),
    /// A pidfd of the host program.
    HostProcess,
    /// A tree of the host whose owners the parent has mapped.
    Mapped(Box<MappedTree>),
    /// The write end of a pipe for the program's wait status, when init stays.
    Status,
    /// The socket on which init waits for whoever starts the program.
    Start,
    /// The n-th descriptor that the program gets beside its streams.
    Preserved(u16),
    /// A network namespace that was made ahead, and is this container's alone.
    ReadyNetwork,
    /// An IPC namespace of the same kind.
    ReadyIpc,
    /// The n-th tree of mounts of the same kind.
    ReadyTree(u16),
}

impl Plan {
    /// Decides everything about a new container. Touches nothing.
    ///
    /// # Errors
    /// What is not acceptable, cannot be had on this host, or is not done by this driver.
    pub(crate) fn build(
        spec: &Spec,
        host: &Host,
        sources: &Sources,
        input: &RunInput,
    ) -> Result<Self, PlanError> {
        support::check(spec)?;
        hooks::judge(spec)?;
        let (cgroup, mut unenforced) = cgroup::plan(spec, host)?;
        unenforced.extend(filter::unenforced(spec, input));
        let process =
            spec.oci.process().as_ref().ok_or_else(|| {
                PlanError::invalid("process", "got none, expected what to execute")
            })?;
        let namespaces = Namespaces::decide(spec, host)?.with(input.ready, spec);
        let confinement = Confinement::of_run(spec, process, host, &mut unenforced)?;
        if input.strict && !unenforced.is_empty() {
            return Err(PlanError::Unenforced(unenforced));
        }
        if spec.is_document() {
            let sets = process.capabilities().as_ref();
            unenforced.extend(caps::lost(sets, host, namespaces.in_user_namespace()));
        }
        let controls = spec.controls();
        let mut fds = Vec::with_capacity(24);
        let mut steps = Steps::with_room();
        if input.begun {
            namespaces.make_all_but_pid(&mut steps);
        }
        cgroup::enter(input.cgroup_entries, &mut steps, &mut fds)?;
        let trees = namespaces.take_ready(&mut steps, &mut fds)?;
        let oom_score_adj = host.oom_score_adj_to_write(process.oom_score_adj());
        let net_devices = netdev::plan(spec, &namespaces)?;
        let go_ahead = input.go_ahead
            && oom_score_adj.is_none()
            && namespaces.need_no_parent()
            && net_devices.is_empty()
            && !hooks::outside(spec)
            && (input.cgroup_entries > 0 || process.terminal() != Some(true));
        if !go_ahead && !namespaces.report_late() {
            steps.push(&Op::ReportNs {}, "wait for the id maps");
        }
        namespaces.enter(confinement.writes_procfs(), &mut steps, &mut fds)?;
        let shm = match &spec.shm_of {
            Some(id) => Some(slot(&mut fds, shm_of(id))?),
            None => None,
        };
        let mapped = mapped::plan(spec, host, sources, &namespaces, &mut fds)?;
        let mut builder = Builder::new(spec, host, sources, &namespaces, steps);
        let wanted = process::Wanted {
            process,
            user: &spec.user,
            named_capabilities: &spec.named_capabilities,
            host,
            input,
            maps: namespaces.ids(),
            in_user_namespace: namespaces.in_user_namespace(),
            setgroups: namespaces.setgroups(),
            init: spec.init,
            hidden: false,
            console: dev::is_ours(&builder),
            controls: &controls,
            confinement: &confinement,
            lenient: spec.is_document(),
            hooks: Some(spec),
        };
        // The descriptors of the process are counted before init's own slots begin.
        let running = builder.steps.at(Part::Process);
        if go_ahead {
            running.push(&Op::AwaitGo {}, "wait for the parent");
        }
        attributes::core_scheduling(&controls, host, 0, running)?;
        wanted.plan(running, &mut fds)?;
        builder.first_slot(fds.len())?;
        builder.shm_from = shm;
        builder.mapped = mapped;
        builder.file_systems(&wanted, hooks::output(&fds))?;
        system::plan(spec, &namespaces, builder.steps.at(Part::Within))?;
        let slots = builder.next_slot;
        let mut steps = builder.steps.in_order();
        if let Some(first) = trees {
            ready::attach(&mut steps, first);
        }
        Ok(Self {
            clone_flags: namespaces.clone_flags(),
            steps,
            fds,
            slots,
            id_maps: namespaces.maps.clone(),
            namespaces: namespaces.foreign(),
            denies_setgroups: !namespaces.setgroups(),
            oom_score_adj,
            go_ahead,
            cgroup,
            net_devices,
            net_devices_late: netdev::come_late(spec, &namespaces),
            init: spec.init,
            apparmor: confinement.apparmor.clone(),
            unenforced,
        })
    }
}

/// A plan of file systems in the making.
struct Builder<'a> {
    spec: &'a Spec,
    host: &'a Host<'a>,
    sources: &'a Sources,
    namespaces: &'a Namespaces,
    /// Every step of the plan, those of its namespaces and of the process too.
    steps: Steps,
    /// Those of the file system that is being planned.
    params: PackedParams,
    next_slot: u16,
    /// The slot of the container whose shared memory is seen.
    shm_from: Option<u16>,
    mapped: mapped::Mapped,
}

impl<'a> Builder<'a> {
    fn new(
        spec: &'a Spec,
        host: &'a Host<'a>,
        sources: &'a Sources,
        namespaces: &'a Namespaces,
        steps: Steps,
    ) -> Self {
        Self {
            spec,
            host,
            sources,
            namespaces,
            steps,
            params: PackedParams::with_capacity(256),
            next_slot: 0,
            shm_from: None,
            mapped: mapped::Mapped::default(),
        }
    }

    fn first_slot(&mut self, fds: usize) -> Result<(), PlanError> {
        self.next_slot = u16::try_from(fds).map_err(|_| too_large("linux.namespaces"))?;
        Ok(())
    }

    /// The container's tree, in the order in which init makes it.
    fn file_systems(
        &mut self,
        wanted: &process::Wanted<'_>,
        hook_output: [u16; 2],
    ) -> Result<(), PlanError> {
        root::plan(self)?;
        mounts::plan(self)?;
        dev::plan(self)?;
        if wanted.terminal() {
            mounts::terminals(self)?;
        }
        wanted.open_terminal(self.steps.at(Part::Tree))?;
        masks::plan(self)?;
        hooks::mounted(self, hook_output)?;
        let tree = self.steps.at(Part::Tree);
        tree.push(&Op::Pivot {}, "enter the root file system");
        Ok(())
    }

    /// A slot that init fills.
    fn take_slot(&mut self) -> Result<u16, PlanError> {
        let slot = self.next_slot;
        self.next_slot = slot.checked_add(1).ok_or_else(|| too_large("mounts"))?;
        Ok(slot)
    }

    /// Opens a file of the host into a slot.
    fn open(
        &mut self,
        field: impl fmt::Display,
        source: &Source,
        recursive: bool,
    ) -> Result<u16, PlanError> {
        let slot = self.take_slot()?;
        self.steps.at(Part::Open).push(
            &Op::Source {
                slot,
                path: &c_path(field, &source.path)?,
                dev: source.dev,
                ino: source.ino,
                recursive,
            },
            format_args!("open {} of the host", source.path.display()),
        );
        Ok(slot)
    }

    /// Makes a mount read-only when all mount points in it are made.
    fn remount_readonly(&mut self, target: &Path) -> Result<(), PlanError> {
        let path = container_path("mounts", target)?;
        self.steps.at(Part::Within).push(
            &Op::RemountReadonly { path: &path },
            format_args!("make {} read-only", target.display()),
        );
        Ok(())
    }
}

/// A process of the container whose shared memory is seen.
fn shm_of(id: &str) -> FdSlot {
    FdSlot::Namespace {
        kind: Kind::Mount,
        from: JoinFrom::Container(id.to_owned()),
    }
}

/// The slot of a descriptor, which is wanted once.
fn slot(fds: &mut Vec<FdSlot>, fd: FdSlot) -> Result<u16, PlanError> {
    let slot = u16::try_from(fds.len()).map_err(|_| too_large("linux.namespaces"))?;
    fds.push(fd);
    Ok(slot)
}

fn too_large(field: &str) -> PlanError {
    PlanError::invalid(field, "got more than a message to init can carry")
}
