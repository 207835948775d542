//! `create`: everything up to the program, which waits for `start`.

use super::{
    Launched, OciError, OciResult, Runtime, class, document, hooks, interfaces, listener, named,
    notify, state,
};
use crate::cgroup::Cgroup;
use crate::container::descriptors::{Held, Slots};
use crate::container::made::Made;
use crate::container::mapped::IdNamespaces;
use crate::container::run::plan_host;
use crate::container::taken::Taken;
use crate::container::{error, starved, traced};
use crate::facts::HostFacts;
use crate::launch::{Launch, LaunchError, Limits, Process, Started, launch};
use crate::plan::{Plan, RunInput, Sources};
use crate::resctrl::{Class, Entered, Resctrl};
use crate::state::{BundleRecord, Status, Store, TerminalRecord};
use crate::stdio;
use execdriver_core::{Error, Pipes, Result, Spec};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, bind, listen, socket};
use nix::sys::stat::{SFlag, fstat};
use oci_spec::runtime;
use oci_spec::runtime::LinuxSeccomp;
use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// A container to make. Its streams are those of the calling process, unless the document asks for a terminal.
#[derive(Debug)]
#[non_exhaustive]
pub struct Create<'a> {
    /// The container's id.
    pub id: &'a str,
    /// The bundle's document.
    pub document: runtime::Spec,
    /// The bundle's directory, absolute.
    pub bundle: &'a Path,
    /// Whether the program waits for `start`; else it runs when this returns.
    pub hold: bool,
    /// What the program gets as descriptors 3 and so on.
    pub preserved: Vec<OwnedFd>,
    /// Leave the caller's session keyring to the program.
    pub keep_keyring: bool,
    /// Give the program a socket for its word that it is ready (sd_notify(3)): [`Runtime::notices`].
    pub notify: bool,
    /// Whether what cannot be enforced here is an error, for an ordinary user too.
    pub strict: bool,
}

impl<'a> Create<'a> {
    /// A container that waits for `start`.
    pub fn new(id: &'a str, document: runtime::Spec, bundle: &'a Path) -> Self {
        Self {
            id,
            document,
            bundle,
            hold: true,
            preserved: Vec::new(),
            keep_keyring: false,
            notify: false,
            strict: false,
        }
    }
}

impl Runtime {
    /// Makes a container. On every error nothing of it is left.
    ///
    /// # Errors
    /// The id is taken or is none, the document asks for what cannot be had, or a step failed.
    pub fn create(&self, create: Create<'_>) -> OciResult<Launched> {
        Store::check(create.id).map_err(|error| named(create.id, error))?;
        let facts = self.containers.facts();
        let (hold, keep_keyring) = (create.hold, create.keep_keyring);
        let strict = create.strict;
        let mut create = create;
        let preserved = std::mem::take(&mut create.preserved);
        let notify = create.notify;
        if notify {
            let state = self.containers.store.path(create.id);
            notify::announce(&mut create.document, &state);
        }
        let mut bundle = BundleRecord::of(&create);
        let spec = document::specification(create)?;
        let class = class::of(&spec)?;
        bundle.class = class.as_ref().map(|(_, class)| class.record().clone());
        let place = self.place(&spec, &facts)?;
        let made = self.begin(&place, &spec, &facts, bundle)?;
        if notify {
            let step = "make the directory of the socket for notices";
            let dir = made.entry().make_notify_dir();
            dir.map_err(error::setup(step))?;
        }
        let creation = Creation {
            runtime: self,
            spec: &spec,
            made: &made,
            hold,
            preserved: &preserved,
            keep_keyring,
            strict,
            class: class.as_ref(),
            entered: RefCell::new(None),
        };
        let (started, warnings) = match creation.start(&facts) {
            Ok(started) => started,
            Err(error) => {
                drop(made);
                return Err(after_failure(error, &spec));
            }
        };
        let mut alive = Alive(Some(Arc::clone(&started.process)));
        creation.finish(&started)?;
        if !hold && spec.oci.hooks().is_some() {
            self.poststart(&made.entry().read().map_err(Error::from)?)?;
        }
        alive.0 = None;
        if let Some(entered) = creation.entered.take() {
            entered.keep();
        }
        made.leave();
        Ok(Launched {
            process: started.process,
            terminal: started.terminal,
            warnings,
        })
    }
}

impl BundleRecord {
    pub(super) fn of(create: &Create<'_>) -> Self {
        let annotations = create.document.annotations().clone().unwrap_or_default();
        Self {
            path: create.bundle.to_string_lossy().into_owned(),
            version: create.document.version().clone(),
            annotations: annotations.into_iter().collect(),
            hooks: create.document.hooks().clone(),
            class: None,
            first_step: 0,
            steps: Vec::new(),
        }
    }
}

/// A creation under way.
struct Creation<'a> {
    runtime: &'a Runtime,
    spec: &'a Spec,
    made: &'a Made,
    hold: bool,
    preserved: &'a [OwnedFd],
    keep_keyring: bool,
    strict: bool,
    class: Option<&'a (Resctrl, Class)>,
    /// What was made for the class, until the container is there.
    entered: RefCell<Option<Entered>>,
}

impl Creation<'_> {
    fn start(&self, facts: &HostFacts) -> OciResult<(Started, Vec<String>)> {
        let containers = &self.runtime.containers;
        let (spec, made) = (self.spec, self.made);
        let process = spec.oci.process().as_ref();
        let tty = process.is_some_and(|process| process.terminal().unwrap_or(false));
        let (child, _streams) = stdio::prepare(Pipes::inherit(), tty).map_err(Error::from)?;
        let filter = containers.filter(spec.into(), facts)?;
        let cgroup = made.cgroup();
        let host = plan_host(spec, facts, cgroup.as_deref().map_err(|why| *why));
        let sources = Sources::resolve(spec, &host);
        let entries = cgroup
            .as_ref()
            .map_or_else(|_| Ok(Vec::new()), |cgroup| cgroup.entry_files());
        let entries = entries.map_err(Error::from)?;
        let input = RunInput {
            cgroup_entries: u16::try_from(entries.len()).unwrap_or(u16::MAX),
            owned_streams: child.fds().map_or(0, pipes_among),
            filter,
            hold: self.hold,
            preserved: u16::try_from(self.preserved.len()).unwrap_or(u16::MAX),
            keep_keyring: self.keep_keyring,
            listener: listener::is_named(self.seccomp()),
            ..RunInput::default()
        };
        let plan = Plan::build(spec, &host, &sources, &input).map_err(Error::from)?;
        drop(cgroup);
        if let Some(what) = plan.unenforced.first().filter(|_| self.strict) {
            return Err(Error::unsupported("native", what.clone()).into());
        }
        made.restrict(&plan.cgroup, &containers.device_programs)?;
        traced::note_joined(containers, process, &plan.fds)?;
        let start = self.start_socket()?;
        let slots = Slots {
            containers,
            stdio: &child,
            container: None,
            entries: &entries,
            status: None,
            start: start.as_ref().map(AsFd::as_fd),
            preserved: self.preserved,
            taken: &Taken::Nothing,
            id_namespaces: IdNamespaces::default(),
        };
        let held = slots.open(&plan.fds)?;
        Ok((self.launch(&plan, &held)?, plan.unenforced))
    }

    /// The socket on which init waits, in the state directory, whose path may be longer than an address.
    fn start_socket(&self) -> Result<Option<OwnedFd>> {
        if !self.hold {
            return Ok(None);
        }
        let failed = || error::setup::<nix::errno::Errno>("make the socket that the start goes by");
        let made = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        );
        let made = made.map_err(failed())?;
        let address = self.made.entry().start_address().map_err(failed())?;
        bind(made.as_raw_fd(), &address).map_err(failed())?;
        listen(&made, Backlog::new(8).map_err(failed())?).map_err(failed())?;
        Ok(Some(made))
    }

    fn launch(&self, plan: &Plan, held: &[Held<'_>]) -> OciResult<Started> {
        let made = self.made;
        let message = plan.message().map_err(Error::from)?;
        let fds: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        let cgroup = made.cgroup().ok();
        let mut place = |process: &Arc<Process>| {
            self.record(process.pid(), plan)?;
            if let Some((resctrl, class)) = self.class {
                let entered = class.enter(resctrl, process.pid())?;
                self.entered.replace(Some(entered));
            }
            Ok(())
        };
        let mut namespaced = |process: &Arc<Process>| match plan.net_devices_late {
            true => Ok(()),
            false => Ok(interfaces::hand_over(self.spec, plan, process)?),
        };
        let mut mounted = |process: &Arc<Process>| {
            if plan.net_devices_late {
                interfaces::hand_over(self.spec, plan, process)?;
            }
            Ok(self.before_pivot()?)
        };
        let mut listener = |process: &Arc<Process>, listener| {
            let record = made.entry().read()?;
            let state = state::state(&record);
            listener::hand_over(self.seccomp(), &state, process.pid(), listener)
        };
        let started = launch(Launch {
            listener: Some(&mut listener),
            go_ahead: false,
            early: None,
            namespaces: plan.clone_flags,
            cgroup: cgroup.as_deref().and_then(Cgroup::unified_dir),
            message: &message,
            fds: &fds,
            describe: &|index| plan.describe(index),
            id_maps: plan.id_maps.as_ref(),
            place: Some(&mut place),
            oom_score_adj: plan.oom_score_adj,
            pre_start: Some(&mut namespaced),
            mounted: Some(&mut mounted),
            hold: self.hold,
            init_stays: false,
            entered: None,
            known: None,
            release_killed: None,
            limits: Limits::default(),
        });
        started.map_err(|error| self.launch_error(error, plan))
    }

    fn launch_error(&self, error: LaunchError, plan: &Plan) -> OciError {
        let error = match error {
            LaunchError::PreStart(cause) => match cause.downcast::<OciError>() {
                Ok(own) => return *own,
                Err(cause) => LaunchError::PreStart(cause),
            },
            other => other,
        };
        if matches!(error, LaunchError::EndedEarly { .. }) && self.made.aborted() {
            let id = self.spec.id.clone();
            return Error::Aborted { id }.into();
        }
        if starved::is(&error, self.made.cgroup().ok().as_deref(), 0) {
            return starved::error(error, None).into();
        }
        let args = self
            .spec
            .oci
            .process()
            .as_ref()
            .and_then(|process| process.args().as_ref());
        let program = args
            .and_then(|args| args.first())
            .map_or("", String::as_str);
        error::launch(error, plan, program).into()
    }

    /// Records the first process, and the words of what it does after it is let go.
    fn record(&self, pid: i32, plan: &Plan) -> Result<()> {
        self.made.record_init(pid, plan)?;
        if let Some((first, words)) = plan.after_hold() {
            self.made.modify(|record| {
                if let Some(bundle) = &mut record.bundle {
                    bundle.first_step = first;
                    bundle.steps = words;
                }
            })?;
        }
        Ok(())
    }

    fn seccomp(&self) -> Option<&LinuxSeccomp> {
        self.spec.oci.linux().as_ref()?.seccomp().as_ref()
    }

    /// The hooks of the host that come between the mounts and the pivot.
    fn before_pivot(&self) -> OciResult<()> {
        let Some(document) = self.spec.oci.hooks() else {
            return Ok(());
        };
        let record = self.made.entry().read().map_err(Error::from)?;
        let state = state::state(&record);
        #[allow(deprecated, reason = "documents still have it")]
        hooks::run("prestart", document.prestart().as_deref(), &state)?;
        hooks::run(
            "createRuntime",
            document.create_runtime().as_deref(),
            &state,
        )
    }

    /// The container is made.
    fn finish(&self, started: &Started) -> OciResult<()> {
        let terminal = started.terminal.as_ref();
        let terminal = terminal.and_then(|master| TerminalRecord::of_master(master.as_fd()).ok());
        let hold = self.hold;
        let finished = self.made.modify(|record| {
            record.status = if hold {
                Status::Created
            } else {
                Status::Running
            };
            record.terminal = terminal;
        });
        Ok(finished?)
    }
}

/// What was made is gone by now: the specification has the hooks for that run here, too (runtime.md, lifecycle).
fn after_failure(error: OciError, spec: &Spec) -> OciError {
    let hooks = spec.oci.hooks().as_ref();
    let poststop = hooks.and_then(|hooks| hooks.poststop().as_deref());
    let began = matches!(&error, OciError::Hook { .. }) || error.to_string().contains("(hooks.");
    if began && poststop.is_some() {
        let state = state::ended(spec);
        // One failure is told, and it came first.
        hooks::run_all("poststop", poststop, &state);
    }
    error
}

/// A process that must not outlive an error or a panic.
pub(super) struct Alive(pub(super) Option<Arc<Process>>);

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            let _ = process.signal(libc::SIGKILL);
            let _ = process.reap();
        }
    }
}

/// Bit n: descriptor n is a pipe, which the container's user is to own, so that it can open `/dev/stdout` anew. Anything
/// else keeps its owner: a file or a device such as `/dev/null` is the host's.
pub(super) fn pipes_among(fds: [BorrowedFd<'_>; 3]) -> u8 {
    let is_pipe =
        |fd: &BorrowedFd<'_>| fstat(fd).is_ok_and(|stat| crate::at::is(&stat, SFlag::S_IFIFO));
    (0..3)
        .filter(|n| is_pipe(&fds[*n]))
        .fold(0, |mask, n| mask | 1 << n)
}
