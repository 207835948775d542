//! One more process for a running container.

use super::attributes;
use super::confine::Confinement;
use super::namespaces::flag;
use super::process::Wanted;
use super::steps::Steps;
use super::{CgroupPlan, FdSlot, Host, Plan, PlanError, RunInput, caps, cgroup, slot, support};
use crate::wire::Op;
use execdriver_core::spec::{ExecSpec, User};
use oci_spec::runtime::LinuxNamespaceType as Kind;

/// What is recorded of a running container, as far as an exec depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// The namespaces that are not the host program's.
    pub(crate) namespaces: Kinds,
    /// Its user namespace denies `setgroups`.
    pub(crate) denies_setgroups: bool,
    /// Its first process, as the host program sees it.
    pub(crate) pid: i32,
    /// Its programs may have CAP_SYS_PTRACE.
    pub(crate) may_trace: bool,
}

/// Kinds of namespaces, as the `CLONE_NEW*` bits that setns(2) takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u64);

impl Kinds {
    /// Whether this kind is one of them.
    pub(crate) fn contains(self, kind: Kind) -> bool {
        self.0 & flag(kind) != 0
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let all = kinds.into_iter();
        Self(all.fold(0, |flags, kind| flags | flag(kind)))
    }
}

impl Plan {
    /// Decides everything about an exec. Touches nothing.
    ///
    /// # Errors
    /// As for [`Plan::build`].
    pub(crate) fn for_exec(
        exec: &ExecSpec,
        running: &Running,
        host: &Host,
        input: &RunInput,
    ) -> Result<Self, PlanError> {
        support::check_process(&exec.process)?;
        let foreign = running.namespaces.contains(Kind::User);
        let setgroups = match foreign {
            true => !running.denies_setgroups,
            false => !host.denies_setgroups(),
        };
        let confinement = Confinement::of_process(&exec.process, host)?;
        // A capability in a user namespace of its own does not reach a process whose program the host's executed.
        let hidden = running.may_trace && !foreign && running.namespaces.contains(Kind::Pid);
        // By numbers goes whoever has a document, whose capabilities are wishes.
        let lenient = exec.user == User::Ids;
        let sets = exec.process.capabilities().as_ref();
        let unenforced = match lenient {
            true => caps::lost(sets, host, foreign),
            false => Vec::new(),
        };
        let wanted = Wanted {
            process: &exec.process,
            user: &exec.user,
            named_capabilities: &exec.named_capabilities,
            host,
            input,
            maps: None,
            in_user_namespace: foreign,
            setgroups,
            init: false,
            hidden,
            // /dev/console is the first process's; this one's terminal keeps its own name.
            console: false,
            controls: &exec.controls,
            confinement: &confinement,
            lenient,
            hooks: None,
        };
        let mut steps = Steps::with_room();
        // Its streams, the container, and what a file of the host is kept open for.
        let mut fds = Vec::with_capacity(usize::from(input.cgroup_entries) + 8);
        cgroup::enter(input.cgroup_entries, &mut steps, &mut fds)?;
        let oom_score_adj = host.oom_score_adj_to_write(exec.process.oom_score_adj());
        let forks = running.namespaces.contains(Kind::Pid) && !hidden;
        // The second process waits anyway.
        if !(input.go_ahead && oom_score_adj.is_none() && forks) {
            steps.push(&Op::ReportNs {}, "wait for the parent");
        }
        // Before anything of the container can look (CVE-2016-9962).
        steps.push(&Op::Undumpable {}, "hide from the container");
        if confinement.writes_procfs() {
            steps.push(&Op::Procfs {}, "open /proc of the host");
        }
        attributes::core_scheduling(&exec.controls, host, running.pid, &mut steps)?;
        enter(running, setgroups, &mut steps, &mut fds)?;
        if forks {
            steps.push(&Op::Fork {}, "enter the pid namespace");
        }
        wanted.open_terminal(&mut steps)?;
        wanted.plan(&mut steps, &mut fds)?;
        let slots = u16::try_from(fds.len()).unwrap_or(u16::MAX);
        Ok(Self {
            clone_flags: 0,
            steps,
            fds,
            slots,
            id_maps: None,
            namespaces: Vec::new(),
            denies_setgroups: !setgroups,
            oom_score_adj,
            go_ahead: false,
            cgroup: CgroupPlan::default(),
            net_devices: Vec::new(),
            net_devices_late: false,
            init: false,
            apparmor: None,
            unenforced,
        })
    }
}

/// All namespaces of the container at once: the kernel takes the user namespace first, and the
/// pidfd cannot come to mean another process meanwhile (setns(2), since Linux 5.8).
fn enter(
    running: &Running,
    setgroups: bool,
    steps: &mut Steps,
    fds: &mut Vec<FdSlot>,
) -> Result<(), PlanError> {
    let slot = slot(fds, FdSlot::Container)?;
    let flags = u32::try_from(running.namespaces.0).unwrap_or_default();
    steps.push(&Op::Join { slot, flags }, "join the container's namespaces");
    if running.namespaces.contains(Kind::User) {
        steps.push(
            &Op::TakeRoot { setgroups },
            "become root of the user namespace",
        );
    }
    Ok(())
}
