//! A wrapper that makes any driver fail on cue.

use execdriver_core::{
    Capabilities, Command, ContainerInfo, Driver, Error, ExecRequest, ExitStatus, Hooks, Pipes,
    ResourceStats, Resources, Result, RunOptions, Signal, Target, WindowSize,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A fallible method of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "they are the methods' names")]
pub enum Operation {
    Run,
    Exec,
    Kill,
    Resize,
    Pause,
    Unpause,
    Pids,
    Terminate,
    Clean,
    Stats,
    Update,
    List,
}

/// Makes the error of one call.
pub type Fault = Box<dyn Fn() -> Error + Send + Sync>;

/// A driver that answers the next calls of an operation with errors, and else does as the driver
/// inside.
///
/// ```
/// use execdriver_core::{Driver, Error};
/// use execdriver_fake::{FakeDriver, Faulty, Operation};
/// let driver = Faulty::new(FakeDriver::new());
/// driver.fail_next(Operation::List, || Error::unsupported("fake", "listing today"));
/// assert!(driver.list().is_err());
/// assert!(driver.list().is_ok());
/// ```
pub struct Faulty<D> {
    inner: D,
    faults: Mutex<BTreeMap<Operation, Vec<Fault>>>,
}

impl<D: Driver> Faulty<D> {
    /// Wraps `inner`, failing nothing yet.
    pub fn new(inner: D) -> Self {
        Self {
            inner,
            faults: Mutex::default(),
        }
    }

    /// The driver inside.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// Makes one more call of `operation` fail; calls fail in the order in which this was said.
    pub fn fail_next(
        &self,
        operation: Operation,
        fault: impl Fn() -> Error + Send + Sync + 'static,
    ) {
        self.lock()
            .entry(operation)
            .or_default()
            .push(Box::new(fault));
    }

    fn check(&self, operation: Operation) -> Result<()> {
        let mut faults = self.lock();
        match faults.get_mut(&operation) {
            Some(queue) if !queue.is_empty() => Err(queue.remove(0)()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Operation, Vec<Fault>>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<D: Driver> Driver for Faulty<D> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn supports_hooks(&self) -> bool {
        self.inner.supports_hooks()
    }

    fn run(
        &self,
        command: &Command,
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        self.check(Operation::Run)?;
        self.inner.run(command, options, pipes, hooks)
    }

    fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        self.check(Operation::Exec)?;
        self.inner.exec(id, request, pipes, hooks)
    }

    fn kill(&self, target: &Target, signal: Signal) -> Result<()> {
        self.check(Operation::Kill)?;
        self.inner.kill(target, signal)
    }

    fn resize(&self, target: &Target, size: WindowSize) -> Result<()> {
        self.check(Operation::Resize)?;
        self.inner.resize(target, size)
    }

    fn pause(&self, id: &str) -> Result<()> {
        self.check(Operation::Pause)?;
        self.inner.pause(id)
    }

    fn unpause(&self, id: &str) -> Result<()> {
        self.check(Operation::Unpause)?;
        self.inner.unpause(id)
    }

    fn pids(&self, id: &str) -> Result<Vec<u32>> {
        self.check(Operation::Pids)?;
        self.inner.pids(id)
    }

    fn terminate(&self, id: &str) -> Result<()> {
        self.check(Operation::Terminate)?;
        self.inner.terminate(id)
    }

    fn clean(&self, id: &str) -> Result<()> {
        self.check(Operation::Clean)?;
        self.inner.clean(id)
    }

    fn stats(&self, id: &str) -> Result<ResourceStats> {
        self.check(Operation::Stats)?;
        self.inner.stats(id)
    }

    fn update(&self, id: &str, resources: &Resources) -> Result<()> {
        self.check(Operation::Update)?;
        self.inner.update(id, resources)
    }

    fn list(&self) -> Result<Vec<ContainerInfo>> {
        self.check(Operation::List)?;
        self.inner.list()
    }
}
