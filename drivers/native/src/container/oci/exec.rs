//! `exec`: one more process in a container, which whoever asked for it may wait for or leave.

use super::create::pipes_among;
use super::{
    Launched, OciError, OciResult, Runtime, Status, affinity, class, listener, lock, state,
};
use crate::cgroup::{Cgroup, CgroupError};
use crate::container::descriptors::{Slots, first_process};
use crate::container::mapped::IdNamespaces;
use crate::container::taken::Taken;
use crate::container::{error, host, traced, unless_ended};
use crate::facts::HostFacts;
use crate::launch::{Launch, LaunchError, Limits, Process as LiveProcess, Started, launch};
use crate::plan::exec::Running;
use crate::plan::{Plan, RunInput};
use crate::state::{Entry, Record};
use crate::stdio;
use execdriver_core::spec::{ExecDefaults, ExecSpec};
use execdriver_core::{Error, Pipes};
use oci_spec::runtime::Process;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// How often a paused container is looked at.
const NAP: Duration = Duration::from_millis(20);

/// So often an exec looks again for where its container's first process is.
const ATTEMPTS: usize = 8;

/// A process to execute. Its streams are those of the calling process, unless it has a terminal.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exec<'a> {
    /// The container's id.
    pub id: &'a str,
    /// The process, whole.
    pub process: Process,
    /// In a paused container, wait until it goes on.
    pub ignore_paused: bool,
    /// What the program gets as descriptors 3 and so on.
    pub preserved: Vec<OwnedFd>,
    /// A cgroup below the container's, `path` or `controller,controller:path`; each narrows the one before.
    pub cgroups: Vec<String>,
}

impl<'a> Exec<'a> {
    /// This process in the container `id`.
    pub fn new(id: &'a str, process: Process) -> Self {
        Self {
            id,
            process,
            ignore_paused: false,
            preserved: Vec::new(),
            cgroups: Vec::new(),
        }
    }
}

impl Runtime {
    /// The container's own process, for an exec that says only what is different.
    ///
    /// # Errors
    /// There is no such container.
    pub fn process(&self, id: &str) -> OciResult<Process> {
        let (entry, record) = self.load(id)?;
        let defaults = record.defaults.as_ref().map(|part| entry.part(part));
        let defaults = defaults.transpose().map_err(Error::from)?;
        Ok(defaults.map(|all| all.process).unwrap_or_default())
    }

    /// Executes a process in a container.
    ///
    /// # Errors
    /// The container is stopped or paused, or a step failed.
    pub fn exec(&self, exec: Exec<'_>) -> OciResult<Launched> {
        let (entry, record) = self.load(exec.id)?;
        let wrong = |status| OciError::WrongState {
            verb: "exec in",
            status,
        };
        let status = loop {
            match state::status(&record) {
                Status::Paused if exec.ignore_paused => std::thread::sleep(NAP),
                status => break status,
            }
        };
        if !matches!(status, Status::Created | Status::Running) {
            return Err(wrong(status));
        }
        let stopped = || wrong(Status::Stopped);
        let container = Arc::new(first_process(&record).ok_or_else(stopped)?);
        let defaults = record.defaults.as_ref().ok_or_else(stopped)?;
        let defaults = entry.part(defaults).map_err(Error::from)?;
        let cgroup = record.cgroup.as_ref().map(Cgroup::open).transpose();
        let cgroup = cgroup.map_err(|error| unless_ended(&record, error.into()))?;
        let below = below(cgroup.as_ref(), &exec.cgroups)?;
        let spec = defaults.exec_process(exec.process);
        traced::note_exec(&entry, &record, &spec.process)?;
        let execution = Execution {
            runtime: self,
            facts: self.containers.facts_but_cgroups(),
            entry: &entry,
            record: &record,
            container: &container,
            cgroup: cgroup.as_ref(),
            below: below.as_ref(),
            preserved: &exec.preserved,
        };
        let moved = (affinity::begin(&spec.process)?, class::visit(&record)?);
        let (started, warnings) = execution.start(&spec, &defaults)?;
        drop(moved);
        Ok(Launched {
            process: started.process,
            terminal: started.terminal,
            warnings,
        })
    }
}

/// An exec under way.
struct Execution<'a> {
    runtime: &'a Runtime,
    facts: Arc<HostFacts>,
    entry: &'a Entry,
    record: &'a Record,
    container: &'a Arc<LiveProcess>,
    cgroup: Option<&'a Cgroup>,
    /// Where the process belongs, if that is below the container's.
    below: Option<&'a Cgroup>,
    preserved: &'a [OwnedFd],
}

impl Execution<'_> {
    fn start(&self, spec: &ExecSpec, defaults: &ExecDefaults) -> OciResult<(Started, Vec<String>)> {
        let containers = &self.runtime.containers;
        let tty = spec.process.terminal().unwrap_or(false);
        let (child, _streams) = stdio::prepare(Pipes::inherit(), tty).map_err(Error::from)?;
        let filter = containers.filter(defaults.into(), &self.facts)?;
        let host = host::host(&self.facts, self.cgroup.ok_or(""), false);
        let running = Running {
            namespaces: self.record.namespaces.iter().map(|n| n.kind).collect(),
            denies_setgroups: self.record.denies_setgroups,
            pid: self.container.pid(),
            may_trace: traced::is_traced(self.record),
        };
        let entries = self
            .below
            .or(self.cgroup)
            .map_or_else(|| Ok(Vec::new()), Cgroup::entry_files);
        let entries = entries.map_err(|error| unless_ended(self.record, error.into()))?;
        let input = RunInput {
            cgroup_entries: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            owned_streams: child.fds().map_or(0, pipes_among),
            filter,
            preserved: u16::try_from(self.preserved.len()).unwrap_or(u16::MAX),
            listener: listener::is_named(defaults.seccomp_filter.as_ref()),
            go_ahead: self.facts.calls.clone_into_cgroup,
            ..RunInput::default()
        };
        let plan = Plan::for_exec(spec, &running, &host, &input).map_err(Error::from)?;
        let slots = Slots {
            containers,
            stdio: &child,
            container: Some(self.container),
            entries: &entries,
            status: None,
            start: None,
            preserved: self.preserved,
            taken: &Taken::Nothing,
            id_namespaces: IdNamespaces::default(),
        };
        let held = slots.open(&plan.fds)?;
        let fds: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        let args = spec.process.args().as_ref();
        let program = args
            .and_then(|args| args.first())
            .map_or("", String::as_str);
        let mut attempt = 1;
        loop {
            match self.launch(&plan, &fds) {
                Err(Launching::Failed(error)) if error.is_crowded() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(Launching::Failed(error)) => {
                    let error = error::launch(error, &plan, program);
                    return Err(unless_ended(self.record, error).into());
                }
                Err(Launching::Refused(error)) => return Err(error),
                Ok(started) => return Ok((started, plan.unenforced)),
            }
        }
    }

    /// In version 2 the process is born into the cgroup of the first process, which may move while we look.
    fn launch(&self, plan: &Plan, fds: &[BorrowedFd<'_>]) -> Result<Started, Launching> {
        let refused = |error: OciError| Launching::Refused(error);
        let message = plan
            .message()
            .map_err(|error| refused(Error::from(error).into()))?;
        let joined = self
            .cgroup
            .and_then(|all| all.unified_dir_of(self.container.pid(), &self.facts.cgroups));
        let below = self.below.and_then(Cgroup::unified_dir);
        // A pause waits for this lock: what is born into a frozen cgroup never runs, and its parent waits for it.
        let mut locked = Some(lock(self.entry).map_err(refused)?);
        if self.cgroup.is_some_and(Cgroup::is_frozen) {
            return Err(refused(OciError::WrongState {
                verb: "exec in",
                status: Status::Paused,
            }));
        }
        let mut entered = || drop(locked.take());
        let mut listener = |process: &Arc<LiveProcess>, fd| {
            let told = state::state(self.record);
            listener::of_record(self.entry, self.record, &told, process.pid(), fd)
        };
        launch(Launch {
            listener: Some(&mut listener),
            go_ahead: false,
            early: None,
            namespaces: plan.clone_flags,
            cgroup: below.or(joined.as_ref().map(AsFd::as_fd)),
            message: &message,
            fds,
            describe: &|index| plan.describe(index),
            id_maps: None,
            place: None,
            oom_score_adj: plan.oom_score_adj,
            pre_start: None,
            mounted: None,
            hold: false,
            init_stays: false,
            entered: Some(&mut entered),
            known: None,
            release_killed: None,
            limits: Limits::default(),
        })
        .map_err(Launching::Failed)
    }
}

/// The cgroup that the caller names.
fn below(cgroup: Option<&Cgroup>, asked: &[String]) -> OciResult<Option<Cgroup>> {
    let mut found: Option<Cgroup> = None;
    for text in asked {
        let (controllers, path) = text.split_once(':').unwrap_or(("", text));
        let controllers: Vec<&str> = controllers
            .split(',')
            .filter(|one| !one.is_empty())
            .collect();
        let Some(from) = found.as_ref().or(cgroup) else {
            let reason = "the container has no cgroup";
            return Err(Error::invalid("--cgroup", reason).into());
        };
        let named = from.named_below(&controllers, path);
        found = Some(named.map_err(|error| Error::invalid("--cgroup", told(&error)))?);
    }
    Ok(found)
}

fn told(error: &CgroupError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Why a launch did not come about.
enum Launching {
    Failed(LaunchError),
    Refused(OciError),
}
