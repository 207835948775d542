//! `WindowsDriver`: the contract over a back-end.

mod acts;
mod exec;
mod inherit;
mod kill;
mod life;
mod run;
mod streams;

use crate::NAME;
use crate::backend::Backend;
#[cfg(windows)]
use crate::settings::Choice;
use crate::settings::Settings;
use crate::state::Root;
use execdriver_core::{
    Capabilities, Command, ContainerInfo, Driver, ExecRequest, ExitStatus, Hooks, Pipes,
    ResourceStats, Resources, Result, RunOptions, Signal, Target, Terminal, WindowSize,
};
#[cfg(windows)]
use execdriver_core::{Error, Options};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Runs containers by the Host Compute Service or in job objects.
///
/// Options: `windows.backend=hcs|job` (default: `hcs` where the host has it, else `job`), `windows.token=own|restricted`
/// (jobs), `windows.schema=v1|v2` (HCS; default: 2, and 1 for Hyper-V), `windows.hcs.timeout=SECONDS` (for one call or
/// operation of the compute service; default: 240), `windows.hcs.library=PATH` (the compute service's library, for tests;
/// absolute), and the original's `isolation=default|process|hyperv`, `forcekill=1` and `dummy=1` (HCS).
#[derive(Debug, Clone)]
pub struct WindowsDriver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: Root,
    backend: Arc<dyn Backend>,
    settings: Settings,
    /// The terminals of this handle's own runs and execs; nobody else has their ends.
    terminals: Mutex<BTreeMap<String, Arc<dyn Terminal>>>,
}

impl WindowsDriver {
    /// The name that it is registered under.
    pub const NAME: &'static str = NAME;

    /// Opens the driver with its state in the directory `root`, which it creates.
    ///
    /// # Errors
    /// `InvalidOption`; `Unsupported` for a back-end that this host has not; `Driver` when the root cannot be made.
    #[cfg(windows)]
    pub fn open(root: &Path, options: &mut Options) -> Result<Self> {
        let settings = Settings::take(options)?;
        let backend: Arc<dyn Backend> = match settings.backend {
            Some(Choice::Hcs) => Arc::new(crate::hcs::open(&settings)?),
            Some(Choice::Job) => Arc::new(crate::job::JobBackend::new(&settings)),
            None => match crate::hcs::open(&settings) {
                Ok(hcs) => Arc::new(hcs),
                // A host without the compute service; what was asked of it by option is an error all the same.
                Err(Error::Unsupported { .. }) => Arc::new(crate::job::JobBackend::new(&settings)),
                Err(error) => return Err(error),
            },
        };
        Self::over(backend, root, settings)
    }

    /// A driver over `backend` with its state in the directory `root`, which it creates.
    pub(crate) fn over(backend: Arc<dyn Backend>, root: &Path, settings: Settings) -> Result<Self> {
        let shared = Shared {
            root: Root::open(root)?,
            backend,
            settings,
            terminals: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

impl Shared {
    fn terminals(&self) -> MutexGuard<'_, BTreeMap<String, Arc<dyn Terminal>>> {
        self.terminals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for WindowsDriver {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new(Self::NAME);
        capabilities.controls = self.shared.backend.controls();
        capabilities
    }

    fn supports_hooks(&self) -> bool {
        true
    }

    fn run(
        &self,
        command: &Command,
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        self.shared.run(command, options, pipes, hooks)
    }

    fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        self.shared.exec(id, request, pipes, hooks)
    }

    fn kill(&self, target: &Target, signal: Signal) -> Result<()> {
        self.shared.kill(target, signal)
    }

    fn resize(&self, target: &Target, size: WindowSize) -> Result<()> {
        self.shared.resize(target, size)
    }

    fn pause(&self, id: &str) -> Result<()> {
        self.shared.pause(id)
    }

    fn unpause(&self, id: &str) -> Result<()> {
        self.shared.unpause(id)
    }

    fn pids(&self, id: &str) -> Result<Vec<u32>> {
        self.shared.pids(id)
    }

    fn terminate(&self, id: &str) -> Result<()> {
        self.shared.terminate(id)
    }

    fn clean(&self, id: &str) -> Result<()> {
        self.shared.clean(id)
    }

    fn stats(&self, id: &str) -> Result<ResourceStats> {
        self.shared.stats(id)
    }

    fn update(&self, id: &str, resources: &Resources) -> Result<()> {
        self.shared.update(id, resources)
    }

    fn list(&self) -> Result<Vec<ContainerInfo>> {
        self.shared.list()
    }
}
