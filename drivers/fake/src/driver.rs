//! `FakeDriver`: the contract over scripts.

use crate::life::Life;
use crate::limits;
use crate::process::Process;
use crate::script::Script;
use crate::table::{Live, Table};
use execdriver_core::{
    Capabilities, Command, ContainerId, ContainerInfo, ContainerState, Control, Driver, Error,
    ExecRequest, ExitStatus, Hooks, Pipes, ProcessConfig, ResourceStats, Resources, Result,
    RunOptions, Signal, Target, WindowSize,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A driver whose programs are scripts. Clones share everything, as drivers opened on one root do.
///
/// ```
/// use execdriver_core::{Command, Driver, Hooks, Pipes, RunOptions};
/// use execdriver_fake::{FakeDriver, Script, StartFailure};
/// let driver = FakeDriver::new()
///     .script("ok", Script::exits(0))
///     .script("broken", Script::fails(StartFailure::ProgramNotFound));
/// let command = Command::linux("a", "/rootfs", "broken");
/// let error = driver.run(&command, &RunOptions::default(), Pipes::null(), &Hooks::none());
/// assert_eq!(error.unwrap_err().exit_code(), 127);
/// ```
#[derive(Debug, Clone, Default)]
pub struct FakeDriver {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    scripts: Mutex<BTreeMap<String, Script>>,
    table: Table,
    runs: Mutex<Vec<Command>>,
    last_pid: AtomicU32,
}

impl FakeDriver {
    /// The name that hosts usually register it under.
    pub const NAME: &'static str = "fake";

    /// A fake that knows no program yet: everything is `ProgramNotFound`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what `program` (a command's `entrypoint`) does.
    pub fn script(self, program: impl Into<String>, script: Script) -> Self {
        let mut scripts = lock(&self.shared.scripts);
        scripts.insert(program.into(), script);
        drop(scripts);
        self
    }

    /// The commands that were run so far, in order.
    pub fn runs(&self) -> Vec<Command> {
        lock(&self.shared.runs).clone()
    }

    fn process(&self, config: &ProcessConfig) -> Arc<Process> {
        let missing = || Script::fails(crate::StartFailure::ProgramNotFound);
        let scripts = lock(&self.shared.scripts);
        let script = scripts.get(&config.entrypoint).cloned();
        let pid = 1000 + self.shared.last_pid.fetch_add(1, Ordering::Relaxed);
        Process::new(pid, script.unwrap_or_else(missing))
    }

    fn with<T>(&self, id: &str, act: impl FnOnce(&mut Live) -> Result<T>) -> Result<T> {
        self.shared.table.with(id, act)
    }

    fn kill_all(live: &Live) {
        live.process.signal(Signal::KILL);
        live.execs
            .values()
            .for_each(|exec| exec.signal(Signal::KILL));
    }
}

impl Driver for FakeDriver {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new(Self::NAME);
        let operations = [
            "run",
            "exec",
            "kill",
            "resize",
            "pause",
            "unpause",
            "pids",
            "terminate",
            "clean",
            "stats",
            "update",
            "hooks",
        ];
        let limits = ["limits of memory", "limits of swap", "limits of processes"];
        let control = |group| move |name: &&str| Control::enforced(group, name);
        capabilities.controls = operations.iter().map(control("operations")).collect();
        let limits = limits.iter().map(control("cgroups"));
        capabilities.controls.extend(limits);
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
        command.validate()?;
        pipes.check()?;
        let process = self.process(&command.process);
        self.shared.table.insert(command, &process)?;
        let entered = Entered {
            driver: self,
            id: &command.id,
            exec: None,
        };
        lock(&self.shared.runs).push(command.clone());
        let life = Life {
            id: &command.id,
            exec_id: None,
            config: &command.process,
            process: &process,
            options,
            hooks,
        };
        let running = || {
            let set = |live: &mut Live| {
                live.state = ContainerState::Running;
                Ok(())
            };
            // The entry is there until `entered` is dropped.
            let _ = self.with(&command.id, set);
        };
        life.live(pipes, running, || drop(entered))
    }

    fn exec(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<ExitStatus> {
        pipes.check()?;
        request.process.validate()?;
        if let Some(resources) = &request.resources {
            resources.validate()?;
        }
        let process = self.process(&request.process);
        let made_up = || format!("exec-{}", process.pid);
        let exec_id = request.exec_id.clone().unwrap_or_else(made_up);
        ContainerId::parse(&exec_id)?;
        self.with(id, |live| {
            match live.state {
                ContainerState::Paused => return Err(Error::Paused { id: id.to_owned() }),
                ContainerState::Running => {}
                _ => return Err(Error::NotRunning { id: id.to_owned() }),
            }
            if let Some(resources) = &request.resources {
                resources.validate_for(&live.command.platform)?;
            }
            if live.execs.contains_key(&exec_id) {
                return Err(Error::AlreadyExists {
                    id: exec_id.clone(),
                });
            }
            live.execs.insert(exec_id.clone(), Arc::clone(&process));
            Ok(())
        })?;
        let entered = Entered {
            driver: self,
            id,
            exec: Some(&exec_id),
        };
        let life = Life {
            id,
            exec_id: Some(&exec_id),
            config: &request.process,
            process: &process,
            options: &request.options,
            hooks,
        };
        life.live(pipes, || (), || drop(entered))
    }

    fn kill(&self, target: &Target, signal: Signal) -> Result<()> {
        // One visit: the container may be gone as soon as its process is.
        self.with(target.container(), |live| match target {
            Target::Container(_) if signal == Signal::KILL => {
                Self::kill_all(live);
                Ok(())
            }
            _ => live.target(target).map(|process| process.signal(signal)),
        })
    }

    fn resize(&self, target: &Target, size: WindowSize) -> Result<()> {
        self.with(target.container(), |live| {
            live.target(target).map(|process| process.resize(size))
        })
    }

    fn pause(&self, id: &str) -> Result<()> {
        self.with(id, |live| {
            if live.state == ContainerState::Starting {
                return Err(Error::NotRunning { id: id.to_owned() });
            }
            live.state = ContainerState::Paused;
            live.process.pause();
            live.execs.values().for_each(|exec| exec.pause());
            Ok(())
        })
    }

    fn unpause(&self, id: &str) -> Result<()> {
        self.with(id, |live| {
            if live.state == ContainerState::Starting {
                return Err(Error::NotRunning { id: id.to_owned() });
            }
            if live.state == ContainerState::Paused {
                live.state = ContainerState::Running;
                live.process.unpause();
                live.execs.values().for_each(|exec| exec.unpause());
            }
            Ok(())
        })
    }

    fn pids(&self, id: &str) -> Result<Vec<u32>> {
        self.with(id, |live| {
            let execs = live.execs.values().map(|exec| exec.pid);
            Ok(std::iter::once(live.process.pid).chain(execs).collect())
        })
    }

    fn terminate(&self, id: &str) -> Result<()> {
        self.with(id, |live| {
            Self::kill_all(live);
            Ok(())
        })
    }

    fn clean(&self, id: &str) -> Result<()> {
        match self.with(id, |_| Ok(())) {
            Ok(()) => Err(Error::Running { id: id.to_owned() }),
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn stats(&self, id: &str) -> Result<ResourceStats> {
        self.with(id, |live| match live.state {
            ContainerState::Starting => Err(Error::NotRunning { id: id.to_owned() }),
            _ => Ok(limits::stats(live)),
        })
    }

    fn update(&self, id: &str, resources: &Resources) -> Result<()> {
        ContainerId::parse(id)?;
        resources.validate()?;
        self.with(id, |live| match live.state {
            ContainerState::Starting => Err(Error::NotRunning { id: id.to_owned() }),
            _ => limits::update(live, resources),
        })
    }

    fn list(&self) -> Result<Vec<ContainerInfo>> {
        let live = self.shared.table.lock();
        Ok(live.values().map(info).collect())
    }
}

fn info(live: &Live) -> ContainerInfo {
    let mut info = ContainerInfo::new(live.command.id.clone(), live.state);
    let config = &live.command.process;
    info.pid = Some(live.process.pid);
    info.command = vec![config.entrypoint.clone()];
    info.command.extend(config.arguments.iter().cloned());
    info.started_unix_ms = live.started_unix_ms;
    info
}

/// An entry of the table; dropping it takes the entry out, also when a hook panics. The execs of
/// a container die with it.
struct Entered<'a> {
    driver: &'a FakeDriver,
    id: &'a str,
    exec: Option<&'a str>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut table = self.driver.shared.table.lock();
        match self.exec {
            Some(exec) => {
                if let Some(live) = table.get_mut(self.id) {
                    live.execs.remove(exec);
                }
            }
            None => {
                if let Some(live) = table.remove(self.id) {
                    FakeDriver::kill_all(&live);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
