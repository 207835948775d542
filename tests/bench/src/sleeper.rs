//! A container that waits for its end, and the thread that waits for it.

use crate::Result;
use crossbeam_channel::bounded;
use execdriver::{
    Command, Driver, ExecRequest, ExitStatus, Hooks, Options, Pipes, ProcessConfig, Registry,
    RunOptions,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// The stack of a thread that only calls `run`, bytes.
const STACK: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    128 << 10
};

/// The driver that holds the sleepers.
pub(crate) fn driver(state: &Path) -> Result<Arc<dyn Driver>> {
    pooled_driver(state, 0)
}

/// The same with as many sandboxes and first processes made ahead.
pub(crate) fn pooled_driver(state: &Path, size: usize) -> Result<Arc<dyn Driver>> {
    let options = Options::parse([format!("native.sandbox_pool={size}")])?;
    Ok(Registry::with_builtin().open("native", state, options)?)
}

/// A running container of this process; dropped, it is killed.
pub(crate) struct Sleeper {
    driver: Arc<dyn Driver>,
    id: String,
    run: Option<JoinHandle<execdriver::Result<ExitStatus>>>,
}

impl Sleeper {
    /// Starts one and returns when its program runs.
    pub(crate) fn start(driver: &Arc<dyn Driver>, rootfs: &Path) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("execdriver-bench-sleeper-{}-{number}", std::process::id());
        let driver = Arc::clone(driver);
        let command = Command::linux(id.as_str(), rootfs, "/bin/pause");
        let (tell, started) = bounded(1);
        let worker = Arc::clone(&driver);
        let run = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || {
                let hooks = Hooks::default().on_start(move |_| Ok(tell.send(())?));
                worker.run(&command, &RunOptions::default(), Pipes::null(), &hooks)
            })?;
        let mut sleeper = Self {
            driver,
            id,
            run: Some(run),
        };
        match started.recv() {
            Ok(()) => Ok(sleeper),
            Err(_) => Err(format!("a container did not start: {:?}", sleeper.join()?).into()),
        }
    }

    /// Its container's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Its first process.
    pub(crate) fn pid(&self) -> Result<u32> {
        let pids = self.driver.pids(&self.id)?;
        Ok(pids.first().copied().ok_or("it has no process")?)
    }

    /// A static `true` in it.
    pub(crate) fn exec(&self) -> Result<()> {
        let request = ExecRequest::new(ProcessConfig::new("/bin/true"));
        let status = self
            .driver
            .exec(&self.id, &request, Pipes::null(), &Hooks::none())?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("true ended so: {status:?}").into()),
        }
    }

    /// Kills it and waits until nothing of it is left.
    pub(crate) fn end(mut self) -> Result<()> {
        self.driver.terminate(&self.id)?;
        match self.join()??.code {
            137 => Ok(()),
            code => Err(format!("a killed container ended with {code}").into()),
        }
    }

    fn join(&mut self) -> Result<execdriver::Result<ExitStatus>> {
        let run = self.run.take().ok_or("it was joined already")?;
        run.join()
            .map_err(|_| "the thread of a container panicked".into())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if self.run.is_some() {
            // It may have ended by itself.
            let _ = self.driver.terminate(&self.id);
            let _ = self.join();
        }
    }
}
