//! `exec`: one more process in a container that runs, perhaps another process's.

use super::descriptors::{Held, Slots};
use super::entered::Entered;
use super::life::{Life, pid_of};
use super::mapped::IdNamespaces;
use super::taken::Taken;
use super::{Containers, error, host, starved, traced, unless_ended};
use crate::cgroup::Cgroup;
use crate::cgroup::kept::Entrance;
use crate::facts::HostFacts;
use crate::launch::{
    Callback, End, Killed, Launch, LaunchError, Process, Started, launch, root_of,
};
use crate::plan::exec::Running;
use crate::plan::{Plan, RunInput};
use crate::seccomp::Filter;
use crate::state::{Entry, LOCK_PATIENCE, Record, Status};
use crate::stdio::{self, HostStdio};
use execdriver_core::spec::ExecSpec;
use execdriver_core::{
    ContainerId, Error, ExecRequest, ExitReason, ExitStatus, Hooks, Pipes, Result, Signal,
};
use nix::unistd::{Pid, getpgid};
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

impl Containers {
    /// Runs one more process in the container `id`.
    pub(crate) fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        let executed = self.execute(id, request, pipes, hooks);
        if let Err(Error::NotRunning { .. } | Error::NotFound { .. }) = &executed {
            // It has ended elsewhere. Any other error says nothing of its cgroups, which are looked at each time.
            self.kept.entrances.forget(id);
        }
        executed
    }

    fn execute(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        let begun = Instant::now();
        pipes.check()?;
        let exec_id = request.exec_id.clone().unwrap_or_else(made_up_id);
        ContainerId::check(&exec_id)?;
        let (entry, record, container) = self.live_process(id)?;
        let not_running = || Error::NotRunning { id: id.to_owned() };
        if record.status != Status::Running {
            return Err(not_running());
        }
        let container = Arc::new(container.ok_or_else(not_running)?);
        let recorded = record.cgroup.as_ref();
        let entrance = recorded.map(|recorded| self.kept.entrances.open(id, recorded));
        let entrance = entrance.transpose();
        let entrance = entrance.map_err(|error| unless_ended(&record, error.into()))?;
        let entrance = entrance.as_deref();
        let cgroup = entrance.map(Entrance::cgroup);
        let defaults = record.defaults.as_ref().ok_or_else(not_running)?;
        let defaults = entry.part(defaults)?;
        let facts = self.facts_but_cgroups();
        let filter = self.filter((&defaults).into(), &facts)?;
        let spec = defaults.exec(request)?;
        traced::note_exec(&entry, &record, &spec.process)?;
        let limits = record.limits.as_ref().map(|part| entry.part(part));
        let memory = limits
            .transpose()?
            .and_then(|all| all.memory().as_ref()?.limit());
        let room = stdio::room(facts.is_root(), memory);
        let exec = Exec {
            containers: self,
            facts,
            filter,
            record: &record,
            entry: &entry,
            container: &container,
            entrance,
            cgroup,
            request,
            oom_kills: cgroup.map_or(0, Cgroup::oom_kills),
            life: Life {
                terminals: &self.terminals,
                id,
                exec_id: Some(&exec_id),
                process: &request.process,
                options: &request.options,
                hooks,
                room,
                begun,
                pre_start_reached: Cell::new(false),
                oom: RefCell::new(None),
            },
        };
        exec.whole(&exec_id, spec, pipes)
    }
}

/// An id that no other exec has: RandomState takes its seed from the system's random source.
fn made_up_id() -> String {
    let random = RandomState::new().hash_one(std::process::id());
    // Not of the smallest blocks: of these the words of a command take as many as the allocator keeps for a thread.
    let mut id = String::with_capacity(32);
    // Into a text nothing fails.
    let _ = write!(id, "exec-{random:016x}");
    id
}

/// Whether the process ended before its program by a signal that a driver sent it: it is on record from before.
fn was_killed(error: &LaunchError, entered: &Entered<'_>) -> bool {
    let LaunchError::EndedEarly { exit: Some(exit) } = error else {
        return false;
    };
    matches!(exit.end, End::Signalled { signal, .. } if entered.was_sent(signal))
}

/// So often an exec looks again for where its container's first process is.
const ATTEMPTS: usize = 8;

/// An exec under way.
struct Exec<'a> {
    containers: &'a Containers,
    facts: Arc<HostFacts>,
    filter: Option<Arc<Filter>>,
    record: &'a Record,
    entry: &'a Entry,
    container: &'a Arc<Process>,
    entrance: Option<&'a Entrance>,
    /// Those that it leads to.
    cgroup: Option<&'a Cgroup>,
    request: &'a ExecRequest,
    /// How many processes the kernel had killed in the container for want of memory, before this one.
    oom_kills: u64,
    life: Life<'a>,
}

impl Exec<'_> {
    fn whole(&self, exec_id: &str, spec: ExecSpec, pipes: Pipes) -> Result<ExitStatus> {
        let (request, cgroup) = (self.request, self.cgroup);
        let entered = Entered::enter(self.entry, exec_id, request, &spec, cgroup, &self.facts);
        let entered = entered.map_err(|error| unless_ended(self.record, error))?;
        let lived = self.live(spec, pipes, &entered);
        self.life.close(lived, entered.clean())
    }

    fn live(&self, spec: ExecSpec, pipes: Pipes, entered: &Entered<'_>) -> Result<ExitStatus> {
        let started = self.start(&spec, pipes, entered);
        drop(spec);
        let (started, streams) = started.map_err(|error| unless_ended(self.record, error))?;
        let pid = started.process.pid();
        let unfreeze = || self.release_killed(Killed::Process(pid));
        let record = |_, terminal| match terminal {
            Some(terminal) => entered.record_terminal(terminal),
            None => Ok(()),
        };
        let attended = self
            .life
            .attend(started, streams, (&unfreeze, &|| ()), record);
        let (ended, console) = attended?;
        // What it left would hold its output open.
        let mut counters = entered.settle()?;
        let output = console.finish(self.request.options.output_grace);
        let status = ended.status(None, |signal| entered.was_sent(signal));
        if entered.cgroup().is_none() && status.signal == Some(Signal::KILL) {
            counters.oom_kills = self.killed_for_memory(&status);
        }
        Ok(self.life.counted(status, counters, output))
    }

    fn start(
        &self,
        spec: &ExecSpec,
        pipes: Pipes,
        entered: &Entered<'_>,
    ) -> Result<(Started, HostStdio)> {
        let (child, streams) = stdio::prepare(pipes, self.request.process.tty)?;
        let host = host::host(&self.facts, self.cgroup.ok_or(""), false);
        let running = Running {
            namespaces: self.record.namespaces.iter().map(|n| n.kind).collect(),
            denies_setgroups: self.record.denies_setgroups,
            pid: self.container.pid(),
            may_trace: traced::is_traced(self.record),
        };
        let opened;
        let entries = match self.entrance.and_then(Entrance::entries) {
            Some(open) if entered.cgroup().is_none() => open,
            _ => {
                let cgroup = entered.cgroup().or(self.cgroup);
                opened = cgroup.map_or_else(|| Ok(Vec::new()), Cgroup::entry_files)?;
                opened.as_slice()
            }
        };
        let input = RunInput {
            cgroup_entries: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            owned_streams: child.chown_mask(),
            die_with_host: self.request.options.die_with_host,
            strict: self.request.options.strict,
            filter: self.filter.clone(),
            listener: self.life.hooks.seccomp_listener.is_some(),
            hold: false,
            preserved: 0,
            keep_keyring: false,
            ready: crate::plan::Ready::Nothing,
            begun: false,
            go_ahead: !self.is_hooked() && self.facts.calls.clone_into_cgroup,
        };
        let plan = Plan::for_exec(spec, &running, &host, &input)?;
        if host.is_root() && running.namespaces.contains(Kind::User) {
            let step = "give the streams to the container's root";
            let root = root_of(self.container).map_err(error::setup(step))?;
            if let Some((uid, gid)) = root {
                child.give_to(uid, gid).map_err(error::setup(step))?;
            }
        }
        let slots = Slots {
            containers: self.containers,
            stdio: &child,
            container: Some(self.container),
            entries,
            status: None,
            start: None,
            preserved: &[],
            id_namespaces: IdNamespaces::default(),
            taken: &Taken::Nothing,
        };
        let held = slots.open(&plan.fds)?;
        // The held ends and the child's go with this call, so that their ends are seen.
        Ok((self.launch(&plan, &held, spec, entered)?, streams))
    }

    /// In version 2 the process is born into its own cgroup, or into that of the first process,
    /// which may move while we look: then the kernel refuses, and the next look finds it.
    fn launch(
        &self,
        plan: &Plan,
        held: &[Held<'_>],
        spec: &ExecSpec,
        entered: &Entered<'_>,
    ) -> Result<Started> {
        let mut attempt = 1;
        loop {
            let joined = match entered.cgroup() {
                Some(_) => None,
                None => self
                    .cgroup
                    .and_then(|all| all.unified_dir_of(self.container.pid(), &self.facts.cgroups)),
            };
            let own = entered.cgroup().and_then(Cgroup::unified_dir);
            let unified = own.or(joined.as_ref().map(AsFd::as_fd));
            match self.launch_into(unified, plan, held, spec, entered) {
                Err(error) if error.is_crowded() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => {
                    let own = entered.cgroup();
                    let before = own.map_or(self.oom_kills, |_| 0);
                    if starved::is(&error, own.or(self.cgroup), before) {
                        return Err(starved::error(error, self.request.resources.as_ref()));
                    }
                    if was_killed(&error, entered) {
                        // Killed by us at the caller's word: the kill is the story, not what it interrupted.
                        let id = self.life.exec_id.unwrap_or_default().to_owned();
                        return Err(Error::Aborted { id });
                    }
                    return Err(error::launch(error, plan, &self.request.process.entrypoint));
                }
                Ok(started) => return Ok(started),
            }
        }
    }

    fn launch_into(
        &self,
        unified: Option<BorrowedFd<'_>>,
        plan: &Plan,
        held: &[Held<'_>],
        spec: &ExecSpec,
        entered: &Entered<'_>,
    ) -> Result<Started, LaunchError> {
        let message = plan
            .message()
            .map_err(|error| LaunchError::Place(error.into()))?;
        let fds: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        // A pause waits for this lock, so that the process is in its cgroups before they freeze: a
        // process that is born into a frozen cgroup never runs, and its parent waits for it.
        let ours = |error: Error| LaunchError::Place(error.into());
        let locked = self.entry.lock(LOCK_PATIENCE);
        let locked = locked.map_err(|error| ours(error.into()))?;
        let may_be_asked = self.is_hooked() || self.life.hooks.seccomp_listener.is_some();
        if self.request.exec_id.is_some() || may_be_asked {
            entered.take_id(&locked, spec).map_err(ours)?;
        }
        let mut locked = Some(locked);
        if self.cgroup.is_some_and(Cgroup::is_frozen) {
            let id = self.life.id.to_owned();
            return Err(ours(Error::Paused { id }));
        }
        let mut unlock = || drop(locked.take());
        let release = |killed: Killed| self.release_killed(killed);
        let mut pre_start = |process: &Arc<Process>| self.life.pre_start(process);
        let pre_start: &mut Callback<'_> = &mut pre_start;
        let mut record =
            |process: &Arc<Process>| Ok(entered.record_process(spec, pid_of(process))?);
        let mut listener = |process: &Arc<Process>, listener| self.life.listener(process, listener);
        launch(Launch {
            listener: Some(&mut listener),
            early: None,
            namespaces: plan.clone_flags,
            cgroup: unified,
            message: &message,
            fds: &fds,
            describe: &|index| plan.describe(index),
            go_ahead: false,
            id_maps: None,
            place: None,
            oom_score_adj: plan.oom_score_adj,
            pre_start: self.is_hooked().then_some(pre_start),
            hold: false,
            mounted: None,
            init_stays: false,
            entered: Some(&mut unlock),
            known: Some(&mut record),
            release_killed: Some(&release),
            limits: self.life.limits(),
        })
    }

    /// Whether a hook is called before the program, or after the end of one whose start reached the former.
    fn is_hooked(&self) -> bool {
        let hooks = self.life.hooks;
        !hooks.pre_start.is_empty() || !hooks.post_stop.is_empty()
    }

    /// Among the container's processes it is not counted for itself. Where a KILL that no driver has sent comes together with
    /// one that the kernel counts, they are the same.
    fn killed_for_memory(&self, status: &ExitStatus) -> Option<u64> {
        let kills = self.cgroup?.oom_kills().checked_sub(self.oom_kills)?;
        (status.reason == ExitReason::Signalled).then_some(kills)
    }

    /// The container stays paused when an exec in it is ended.
    fn release_killed(&self, killed: Killed) {
        let Some(cgroup) = self.cgroup else { return };
        match killed {
            Killed::Process(pid) => cgroup.release_killed(|one| one == pid),
            Killed::Group(leader) => {
                let leader = Pid::from_raw(leader);
                cgroup.release_killed(|one| getpgid(Some(Pid::from_raw(one))) == Ok(leader));
            }
        }
    }
}
