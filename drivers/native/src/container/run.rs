//! `run`: a container from its command to its end.

use super::Containers;
use super::descriptors::{Held, Slots};
use super::gate::{Pass, STARTS};
use super::life::Life;
use super::made::Made;
use super::mapped::IdNamespaces;
use super::oom::OomNotifier;
use super::watch::payload_end;
use super::{error, host, starved, traced};
use crate::NativeDriver;
use crate::apparmor;
use crate::cgroup::{Cgroup, limits};
use crate::facts::{HostFacts, Status as StandingStatus, SubIds};
use crate::launch::{Early, Launch, LaunchError, Process, Started, launch};
use crate::plan::{AppArmor, Host, Plan, Ready, RunInput, Sources, asks_sub_ids};
use crate::seccomp::Filter;
use crate::stdio::{self, HostStdio};
use execdriver_core::spec::{Draft, TemplateDefault, requested_controls};
use execdriver_core::{Command, Error, ExitStatus, Hooks, Pipes, Result, RunOptions, Spec};
use nix::fcntl::OFlag;
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

impl Containers {
    /// Runs a container and returns when nothing of it is left.
    pub(crate) fn run(
        &self,
        command: &Command,
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        let begun = Instant::now();
        pipes.check()?;
        let start = self.prepare(command)?;
        let memory = command.resources.as_ref().map(|limits| limits.memory);
        let run = Run {
            containers: self,
            command,
            life: Life {
                terminals: &self.terminals,
                id: &command.id,
                exec_id: None,
                process: &command.process,
                options,
                hooks,
                room: stdio::room(start.facts.is_root(), memory),
                begun,
                pre_start_reached: Cell::new(false),
                oom: RefCell::new(None),
            },
        };
        run.whole(start, pipes)
    }

    /// What can be known of a start before anything is made.
    fn prepare(&self, command: &Command) -> Result<Start> {
        let draft = self.draft(command)?;
        refuse_unsupported(command)?;
        let mut status = None;
        let wanted = self.stock.kept_sandboxes().map(|_| &mut status);
        let facts = self.facts_with(wanted);
        let filter = self.filter_of(draft.spec(), &facts)?;
        Ok(Start {
            draft,
            facts,
            filter,
            status,
        })
    }

    #[inline(never)]
    fn filter_of(&self, spec: &Spec, facts: &HostFacts) -> Result<Option<Arc<Filter>>> {
        self.filter(spec.into(), facts)
    }
}

/// What the plan judges by itself, beside attributes of processes.
const DONE: [&str; 7] = [
    "sysctl",
    "seccomp_profile",
    "mount_label",
    "process_label",
    "apparmor_profile",
    "landlock",
    "time_offsets",
];

/// What the caller asked for and this version does not do is an error before anything is touched.
fn refuse_unsupported(command: &Command) -> Result<()> {
    let mut asked = requested_controls(command);
    let judged = ["attributes.", "resources."];
    asked.retain(|control| {
        let field = control.field;
        !DONE.contains(&field) && !judged.iter().any(|part| field.starts_with(part))
    });
    if asked.is_empty() {
        return Ok(());
    }
    let fields: Vec<String> = asked.iter().map(ToString::to_string).collect();
    let operation = format!("{} (not in this version)", fields.join(", "));
    Err(Error::unsupported(NativeDriver::NAME, operation))
}

/// A run under way.
struct Run<'a> {
    containers: &'a Containers,
    command: &'a Command,
    life: Life<'a>,
}

/// What a start is made from. It goes when the program runs: a wait may take years. What a thread
/// once had on its stack stays in memory as long, so nothing large is passed by value, and the
/// parts of a start are functions that the compiler must not put into one frame.
struct Start {
    draft: Draft,
    facts: Arc<HostFacts>,
    filter: Option<Arc<Filter>>,
    /// Of the calling thread, where something is kept ready for it.
    status: Option<StandingStatus>,
}

/// A program that runs, and what its end needs of its plan.
struct Running {
    started: Started,
    streams: HostStdio,
    /// Where init as PID 1 tells its program's end.
    status_read: Option<OwnedFd>,
    own_pid_namespace: bool,
    unenforced: Vec<String>,
}

impl Run<'_> {
    fn whole(&self, mut start: Start, pipes: Pipes) -> Result<ExitStatus> {
        let pass = self.pass();
        let (made, early) = self.containers.begin(
            (start.draft.spec(), &start.facts),
            start.status.take(),
            self.life.options,
        )?;
        let _closed_at_last = self.containers.kept.forgetting(self.life.id);
        let waited = early.is_some();
        let lived = self.live(start, &made, pipes, (pass, early));
        drop(self.life.oom.take());
        let kept = self.containers.stock.kept_sandboxes();
        let cleaned = match kept.filter(|_| waited && lived.is_ok()) {
            Some(kept) => made.clean_later(|cgroup| kept.let_go(cgroup)),
            None => made.clean(),
        };
        let closed = self.life.close(lived, cleaned);
        self.containers.stock.restock();
        closed
    }

    /// A slot among the starts under way. A hook in the midst of a start may wait for another start, and for anything else.
    fn pass(&self) -> Option<Pass<'static>> {
        let hooks = self.life.hooks;
        let hooked = !hooks.pre_start.is_empty() || hooks.seccomp_listener.is_some();
        (!hooked)
            .then(|| STARTS.enter(self.life.deadline()))
            .flatten()
    }

    /// From the plan to the end of the process and of its output.
    fn live(
        &self,
        start: Start,
        made: &Made,
        pipes: Pipes,
        (pass, early): (Option<Pass<'_>>, Option<Early>),
    ) -> Result<ExitStatus> {
        let Running {
            started,
            streams,
            status_read,
            own_pid_namespace,
            unenforced,
        } = self
            .start(&start, made, pipes, early)
            .map_err(|error| self.unless_given_up(error, made))?;
        self.containers.keep_draft(start.draft);
        drop((start.facts, start.filter, pass));
        let unfreeze = || made.kill_frozen();
        let record = |_pid, terminal| made.record_running(terminal);
        let rest = || {
            made.rest();
            self.containers.stock.restock();
        };
        let meanwhile = (&unfreeze as &dyn Fn(), &rest as &dyn Fn());
        let attended = self.life.attend(started, streams, meanwhile, record);
        let (ended, console) = attended?;
        if !own_pid_namespace {
            // Nothing else ends what the program leaves behind in a shared pid namespace.
            made.kill_all()?;
        }
        let output = console.finish(self.life.options.output_grace);
        let status = ended.status(payload_end(status_read), |signal| made.was_sent(signal));
        let mut status = self.life.counted(status, made.counters(), output);
        status.unenforced = unenforced;
        Ok(status)
    }

    /// From the plan to the program that runs.
    #[inline(never)]
    fn start(
        &self,
        start: &Start,
        made: &Made,
        pipes: Pipes,
        early: Option<Early>,
    ) -> Result<Running> {
        let (spec, facts) = (start.draft.spec(), &start.facts);
        let (child, streams) = stdio::prepare(pipes, self.command.process.tty)?;
        let cgroup = made.cgroup();
        let host = plan_host(spec, facts, cgroup.as_deref().map_err(|why| *why));
        let sources = Sources::resolve(spec, &host);
        let entered = early.is_some();
        let entries = match &cgroup {
            Ok(cgroup) if !entered => cgroup.entry_files()?,
            _ => Vec::new(),
        };
        let input = RunInput {
            ready: Ready::Nothing,
            begun: entered,
            cgroup_entries: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            owned_streams: child.chown_mask(),
            die_with_host: self.life.options.die_with_host,
            strict: self.life.options.strict,
            filter: start.filter.clone(),
            listener: self.life.hooks.seccomp_listener.is_some(),
            hold: false,
            preserved: 0,
            keep_keyring: false,
            go_ahead: self.life.hooks.pre_start.is_empty() && facts.calls.clone_into_cgroup,
        };
        let (plan, taken) = self.containers.plan(spec, &host, &sources, input)?;
        drop(cgroup);
        made.restrict(&plan.cgroup, &self.containers.device_programs)?;
        traced::note_joined(self.containers, spec.oci.process().as_ref(), &plan.fds)?;
        if let Some((uid, gid)) = plan.root_on_host().filter(|_| facts.is_root()) {
            let given = child.give_to(uid, gid);
            given.map_err(error::setup("give the streams to the container's root"))?;
        }
        let (status_read, status_write) = match plan.init {
            true => {
                let pipe = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK);
                let (read, write) = pipe.map_err(error::setup("make a pipe for init"))?;
                (Some(read), Some(write))
            }
            false => (None, None),
        };
        let slots = Slots {
            containers: self.containers,
            stdio: &child,
            container: None,
            entries: &entries,
            status: status_write.as_ref(),
            start: None,
            preserved: &[],
            id_namespaces: IdNamespaces::default(),
            taken: &taken,
        };
        let held = slots.open(&plan.fds)?;
        let hooks = self.life.hooks;
        if hooks.start.is_some() || !hooks.pre_start.is_empty() {
            // Nobody else can be told.
            self.life
                .oom
                .replace(OomNotifier::begin(made.cgroup().ok().as_deref()));
        }
        // What is held and the child's ends go with this call, so that their ends are seen.
        let started = self.launch(&plan, made, &held, early)?;
        drop(held);
        self.containers.let_go(taken);
        Ok(Running {
            started,
            streams,
            status_read,
            own_pid_namespace: plan.clone_flags & Kind::Pid as u64 != 0,
            unenforced: plan.unenforced,
        })
    }

    #[inline(never)]
    fn launch(
        &self,
        plan: &Plan,
        made: &Made,
        held: &[Held<'_>],
        early: Option<Early>,
    ) -> Result<Started> {
        let message = plan.message()?;
        let fds: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        let cgroup = made.cgroup().ok();
        let unified = cgroup.as_deref().and_then(Cgroup::unified_dir);
        let mut place = |process: &Arc<Process>| {
            made.record_init(process.pid(), plan)?;
            Ok(())
        };
        let mut pre_start = |process: &Arc<Process>| self.life.pre_start(process);
        let mut listener = |process: &Arc<Process>, listener| self.life.listener(process, listener);
        let started = launch(Launch {
            early,
            listener: Some(&mut listener),
            namespaces: plan.clone_flags,
            cgroup: unified,
            message: &message,
            fds: &fds,
            describe: &|index| plan.describe(index),
            go_ahead: plan.go_ahead,
            id_maps: plan.id_maps.as_ref(),
            place: Some(&mut place),
            oom_score_adj: plan.oom_score_adj,
            pre_start: Some(&mut pre_start),
            hold: false,
            mounted: None,
            init_stays: plan.init,
            entered: None,
            known: None,
            release_killed: None,
            limits: self.life.limits(),
        });
        started.map_err(|error| self.launch_error(error, plan, made))
    }

    /// A start whose cgroup or record is taken away while it is made fails in many words; the one who did that is the story.
    fn unless_given_up(&self, error: Error, made: &Made) -> Error {
        let may_follow = matches!(
            error,
            Error::Setup { .. } | Error::Driver { .. } | Error::Unsupported { .. }
        );
        match may_follow && made.given_up() {
            true => Error::Aborted {
                id: self.life.id.to_owned(),
            },
            false => error,
        }
    }

    fn launch_error(&self, error: LaunchError, plan: &Plan, made: &Made) -> Error {
        // Killed by us at the caller's word: the kill is the story, not what it interrupted.
        if matches!(error, LaunchError::EndedEarly { .. }) && made.aborted() {
            let id = self.life.id.to_owned();
            return Error::Aborted { id };
        }
        if starved::is(&error, made.cgroup().ok().as_deref(), 0) {
            return starved::error(error, self.command.resources.as_ref());
        }
        error::launch(error, plan, &self.command.process.entrypoint)
    }
}

/// The facts of the host that a plan is made with.
pub(super) fn plan_host<'a>(
    spec: &Spec,
    facts: &'a HostFacts,
    cgroup: Result<&'a Cgroup, &str>,
) -> Host<'a> {
    let limited = spec.limits().is_some_and(limits::asks);
    let mut host = host::host(facts, cgroup, limited);
    if asks_sub_ids(spec, &host) {
        host.sub_ids = Some(SubIds::read(facts.euid));
    }
    if facts.security.apparmor && spec.defaults.contains(&TemplateDefault::AppArmor) {
        let default = apparmor::load_default();
        let default = default.map_err(Into::into);
        host.apparmor = AppArmor::Active { default };
    }
    host
}
