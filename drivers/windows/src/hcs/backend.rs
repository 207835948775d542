//! The back-end: a container is a compute system, its processes are the service's.

use super::document::{self, Layer, Parts, Schema, Units};
use super::ends::{HcsTerminal, StdinEnd};
use super::hns::{self, Endpoints};
use super::host::Host;
use super::process::{HcsProcess, start_error};
use super::system::System;
use super::{HcsError, Meaning, Operation, Service, folders, freeze, guid_text, properties};
use crate::NAME;
use crate::backend::{
    Backend, ComputeSystem, Created, Process, ProcessIdentity, ProcessRequest, Traits,
};
use crate::limits::{Change, Limits};
use crate::names::SystemName;
use execdriver_core::console::{Cancel, InputEnd, Streams};
use execdriver_core::{
    Command, Control, Error, Isolation, OomEvents, ProcessConfig, ResourceStats, Result, Terminal,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// What the back-end can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HcsSettings {
    /// The form of the documents; `None`: version 2, and 1 for Hyper-V, which has no other.
    pub(crate) schema: Option<Schema>,
    /// Of commands that leave theirs unset.
    pub(crate) isolation: Isolation,
    /// How long the service may take for one call or operation.
    pub(crate) bound: Duration,
    /// The name of the address translation, for Docker's documents.
    pub(crate) nat: String,
    /// Bytes of memory that the machine has.
    pub(crate) machine_memory: u64,
}

/// How long the service may take: what hcsshim grants it.
pub(crate) const BOUND: Duration = Duration::from_secs(4 * 60);

impl Default for HcsSettings {
    fn default() -> Self {
        Self {
            schema: None,
            isolation: Isolation::Unset,
            bound: BOUND,
            nat: "ContainerNAT".to_owned(),
            machine_memory: 0,
        }
    }
}

/// Containers of a compute service.
#[derive(Debug)]
pub(crate) struct HcsBackend {
    host: Host,
    settings: HcsSettings,
}

impl HcsBackend {
    /// The back-end over `service`.
    pub(crate) fn new(service: Arc<dyn Service>, settings: HcsSettings) -> Self {
        let bound = settings.bound;
        Self {
            host: Host { service, bound },
            settings,
        }
    }

    fn schema(&self, hyperv: bool) -> Schema {
        let fitting = if hyperv { Schema::V1 } else { Schema::V2 };
        self.settings.schema.unwrap_or(fitting)
    }

    fn layers(&self, command: &Command) -> Result<Vec<Layer>> {
        let paths = &command.require_windows(NAME)?.layer_paths;
        let layer = |path: &std::path::PathBuf| {
            let name = folders::base_name(path);
            let object = format!("layer {name:?}");
            let ask = move |service: &dyn Service| service.layer_id(&name);
            let reply = self.host.ask("NameToGuid", &object, ask)?;
            Ok(Layer {
                id: guid_text(reply.value),
                path: path.clone(),
            })
        };
        paths.iter().map(layer).collect()
    }
}

fn object(id: &str) -> String {
    format!("container {id:?}")
}

impl Backend for HcsBackend {
    fn name(&self) -> &'static str {
        "hcs"
    }

    fn controls(&self) -> Vec<Control> {
        super::controls::controls()
    }

    fn machine_memory(&self) -> u64 {
        self.settings.machine_memory
    }

    fn traits(&self) -> Traits {
        Traits {
            holds_processes: false,
            passes_files: false,
            shuts_down: true,
        }
    }

    fn check(&self, command: &Command) -> Result<()> {
        let windows = command.require_windows(NAME)?;
        let hyperv = document::is_hyperv(command, self.settings.isolation)?;
        document::check_process(&command.process, windows.args_escaped)?;
        hns::request(&command.id, command)?;
        document::check(self.schema(hyperv), command, hyperv)?;
        folders::check(command, hyperv)
    }

    fn check_exec(&self, process: &ProcessConfig) -> Result<()> {
        document::check_process(process, false)
    }

    fn check_limits(&self, limits: &Limits) -> Result<()> {
        if limits.memory == Change::Remove {
            let what = "taking a limit of memory away (set a larger one)";
            return Err(Error::unsupported(NAME, what));
        }
        Units::of(limits).map(drop)
    }

    fn create(
        &self,
        name: &SystemName,
        command: &Command,
        limits: &Limits,
    ) -> Result<Arc<dyn ComputeSystem>> {
        self.check(command)?;
        let hyperv = document::is_hyperv(command, self.settings.isolation)?;
        let schema = self.schema(hyperv);
        let layers = self.layers(command)?;
        let endpoints = Endpoints::of(&self.host, &name.object, command, schema)?;
        let parts = Parts {
            name: &name.object,
            layers: &layers,
            hyperv,
            utility_vm: folders::utility_vm(command, hyperv)?,
            endpoints: &endpoints.ids(),
            nat: &self.settings.nat,
        };
        let document = document::container(schema, command, &parts, limits)?;
        let system = System::create(&self.host, &name.object, &object(&name.id), document);
        let system = system.map_err(|error| match error.meaning() {
            Some(Meaning::AlreadyExists) => Error::AlreadyExists {
                id: name.id.clone(),
            },
            _ => error.into(),
        })?;
        Ok(Arc::new(HcsSystem {
            id: name.id.clone(),
            system: Arc::new(system),
            schema,
            last: Mutex::default(),
            _endpoints: Some(endpoints),
        }))
    }

    fn open(&self, name: &SystemName) -> Result<Option<Arc<dyn ComputeSystem>>> {
        let Some(system) = System::open(&self.host, &name.object, &object(&name.id))? else {
            return Ok(None);
        };
        Ok(Some(Arc::new(HcsSystem {
            id: name.id.clone(),
            system: Arc::new(system),
            schema: self.schema(false),
            last: Mutex::default(),
            _endpoints: None,
        })))
    }
}

/// A container.
#[derive(Debug)]
struct HcsSystem {
    id: String,
    system: Arc<System>,
    schema: Schema,
    /// What it had used when it was ended.
    last: Mutex<Option<ResourceStats>>,
    /// Go with the container.
    _endpoints: Option<Endpoints>,
}

impl HcsSystem {
    fn last(&self) -> MutexGuard<'_, Option<ResourceStats>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters are gone with the container, so they are read before its end.
    fn keep_counters(&self) {
        let query = document::properties("Statistics");
        if let Ok(document) = self.system.last_properties(&query)
            && let Ok(stats) = properties::statistics(&document, SystemTime::now().into())
        {
            *self.last() = Some(stats);
        }
    }

    fn ask(&self, kind: &str) -> Result<String, HcsError> {
        self.system.properties(&document::properties(kind))
    }

    fn document_error(&self, source: serde_json::Error) -> HcsError {
        HcsError::Document {
            call: "HcsGetComputeSystemProperties",
            object: self.system.object().to_owned(),
            source,
        }
    }

    /// Not supported is how the service refuses to pause what is no virtual machine.
    fn freeze(&self, operation: Operation, state: &str) -> Result<()> {
        match self.system.operate(operation) {
            Ok(()) => Ok(()),
            // A host that died between this and its note of it has left it so.
            Err(error) if error.meaning() == Some(Meaning::InvalidState) && self.is(state) => {
                Ok(())
            }
            Err(error) if error.meaning() == Some(Meaning::Win32(50)) => {
                let operation =
                    "pausing what is no virtual machine and whose processes are not told";
                Err(Error::unsupported(NAME, operation))
            }
            Err(error) => Err(self.gone_or(error)),
        }
    }

    /// Whether the service says that it is in this state.
    fn is(&self, state: &str) -> bool {
        let document = self.system.properties("");
        document.is_ok_and(|document| properties::is_in_state(&document, state))
    }

    fn gone_or(&self, error: HcsError) -> Error {
        match error.is_gone() {
            true => Error::NotRunning {
                id: self.id.clone(),
            },
            false => error.into(),
        }
    }
}

impl ComputeSystem for HcsSystem {
    fn start(&self) -> Result<()> {
        self.system.operate(Operation::Start).map_err(|error| {
            // The original left a system that could not start behind.
            let _ = self.system.terminate(1);
            error.into()
        })
    }

    fn create_process(&self, request: &ProcessRequest<'_>) -> Result<Created> {
        let document = document::process(self.schema, request)?;
        let program = &request.process.entrypoint;
        let made = HcsProcess::create(&self.system, document);
        let (process, pipes) =
            made.map_err(|error| start_error(error, program, request.working_dir))?;
        let process = Arc::new(process);
        let end = |pipe| -> Box<dyn InputEnd> {
            let process = Arc::clone(&process);
            Box::new(StdinEnd { pipe, process })
        };
        let terminal = HcsTerminal {
            id: self.id.clone(),
            process: Arc::downgrade(&process),
        };
        let terminal: Arc<dyn Terminal> = Arc::new(terminal);
        Ok(Created {
            streams: Streams {
                stdin: pipes.stdin.map(end),
                stdout: pipes.stdout,
                stderr: pipes.stderr,
            },
            cancel: pipes
                .cancel
                .unwrap_or_else(|| Box::new(()) as Box<dyn Cancel>),
            terminal: request.process.tty.then_some(terminal),
            process,
        })
    }

    fn open_process(&self, identity: ProcessIdentity) -> Result<Option<Arc<dyn Process>>> {
        let opened = HcsProcess::open(&self.system, identity)?;
        Ok(opened.map(|process| Arc::new(process) as Arc<dyn Process>))
    }

    fn shutdown(&self, limit: Duration) -> Result<bool> {
        self.keep_counters();
        Ok(self.system.shut_down(limit.min(self.system.host().bound))?)
    }

    fn terminate(&self, code: u32) -> Result<()> {
        if self.system.board().has_ended() {
            return Ok(());
        }
        self.keep_counters();
        Ok(self.system.terminate(code)?)
    }

    fn pause(&self) -> Result<Vec<ProcessIdentity>> {
        match freeze::suspend(&self.system, &self.id)? {
            Some(suspended) => Ok(suspended),
            None => {
                self.freeze(Operation::Pause, "Paused")?;
                Ok(Vec::new())
            }
        }
    }

    fn resume(&self, suspended: &[ProcessIdentity]) -> Result<()> {
        match suspended {
            [] => self.freeze(Operation::Resume, "Running"),
            suspended => freeze::resume(&self.system, suspended),
        }
    }

    fn stats(&self) -> Result<ResourceStats> {
        let document = match self.ask("Statistics") {
            Ok(document) => document,
            Err(error) => {
                let last = self.last().clone().filter(|_| error.is_gone());
                return last.ok_or_else(|| self.gone_or(error));
            }
        };
        let stats = properties::statistics(&document, SystemTime::now().into());
        Ok(stats.map_err(|source| self.document_error(source))?)
    }

    fn processes(&self) -> Result<Vec<u32>> {
        let listed = freeze::processes(&self.system).map_err(|error| self.gone_or(error))?;
        Ok(listed.iter().map(|process| process.pid).collect())
    }

    /// The processor first: what the service may refuse is then refused before anything changed.
    fn modify(&self, before: &Limits, changes: &Limits) -> Result<()> {
        let (before, units) = (Units::of(before)?, Units::of(changes)?);
        if let Change::Set(limit) = changes.memory {
            let used = self.stats()?.cgroup.unwrap_or_default();
            let used = used.memory_stats.usage.usage;
            if used > limit {
                let reason = format!("got {limit}, and {used} bytes are in use");
                return Err(Error::invalid("resources.memory", reason));
            }
        }
        if let Some(request) = document::processor_update(units) {
            self.system.modify(request)?;
        }
        let memory = document::memory_update(units);
        let changed = memory.map_or(Ok(()), |request| self.system.modify(request));
        let Err(error) = changed else {
            return Ok(());
        };
        let back = units.processor_back(before);
        Err(
            match back.map_or(Ok(()), |request| self.system.modify(request)) {
                Ok(()) => error.into(),
                Err(cleanup) => Error::Cleanup {
                    error: Box::new(error.into()),
                    cleanup: Box::new(cleanup.into()),
                },
            },
        )
    }

    fn oom_events(&self) -> OomEvents {
        crossbeam_channel::bounded(0).1
    }
}
