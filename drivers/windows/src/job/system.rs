//! A container of one job object.

use super::process::{JobProcess, Pipes};
use super::{failed, program, setup, stats};
use crate::backend::{
    ChildStream, ComputeSystem, Created, Process, ProcessIdentity, ProcessRequest,
};
use crate::command_line::command_line;
use crate::environment::Environment;
use crate::limits::{Change, Cpu, Limits};
use crate::names::SystemName;
use crate::sys::conpty::PseudoConsole;
use crate::sys::job::{Basic, Job, Port, Rate};
use crate::sys::process::ProcessHandle;
use crate::sys::spawn::{Held, Spawn, Streams};
use crate::sys::{ntdll, pipe};
use crate::{NAME, sys};
use crossbeam_channel::{Receiver, Sender};
use execdriver_core::{Error, OomEvent, OomEvents, ResourceStats, Result, Signal};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long new processes may keep appearing while all are being suspended.
const PAUSE: Duration = Duration::from_secs(10);

/// Messages of a job about its memory limit (winnt.h): a process's, the job's.
const MEMORY_MESSAGES: [u32; 2] = [9, 10];

/// A job, as its maker or as another process sees it.
#[derive(Debug)]
pub(super) struct JobSystem {
    job: Job,
    name: SystemName,
    restricted_token: bool,
    watch: Option<Watch>,
}

/// Reads the messages of a job until it is dropped.
#[derive(Debug)]
struct Watch {
    port: Arc<Port>,
    events: Receiver<OomEvent>,
    thread: Option<JoinHandle<()>>,
}

impl JobSystem {
    pub(super) fn new(job: Job, name: SystemName, restricted_token: bool) -> Self {
        Self {
            job,
            name,
            restricted_token,
            watch: None,
        }
    }

    /// Has a thread wait for notices of memory exhaustion.
    pub(super) fn watched(mut self) -> Result<Self> {
        let what = || format!("watch job {}", self.name.object);
        let port = Port::of(&self.job).map_err(|error| setup(what(), error))?;
        let port = Arc::new(port);
        let (send, events) = crossbeam_channel::bounded(16);
        let messages = Arc::clone(&port);
        let thread = std::thread::Builder::new()
            .name("execdriver-job".into())
            .spawn(move || watch(&messages, &send))
            .map_err(|error| setup(what(), error))?;
        self.watch = Some(Watch {
            port,
            events,
            thread: Some(thread),
        });
        Ok(self)
    }

    /// Sets limits on top of `before`: all or none.
    pub(super) fn set(&self, before: &Limits, changes: &Limits) -> Result<()> {
        let all = before.then(*changes);
        if let Change::Set(limit) = changes.memory {
            let used = self.stats()?.cgroup.unwrap_or_default();
            let used = used.memory_stats.usage.usage;
            if used > limit {
                let reason = format!("got {limit}, and {used} bytes are in use");
                return Err(Error::invalid("resources.memory", reason));
            }
        }
        if let Change::Set(limit) = changes.processes {
            let active = self.processes()?.len();
            if active > usize::try_from(limit).unwrap_or(usize::MAX) {
                let reason = format!("got {limit}, and {active} processes run");
                return Err(Error::invalid("resources.processes", reason));
            }
        }
        self.limit_basic(&all)?;
        if (changes.cpu != Change::Keep || changes.cpu_maximum != Change::Keep)
            && let Err(error) = self.limit_cpu(&all)
        {
            // What held before holds again; it held already, so the system takes it.
            let _ = self.limit_basic(before);
            return Err(error);
        }
        Ok(())
    }

    /// The limits that a job has in one structure: all that hold are set each time.
    fn limit_basic(&self, limits: &Limits) -> Result<()> {
        fn set<T>(change: Change<T>) -> Option<T> {
            match change {
                Change::Set(value) => Some(value),
                Change::Keep | Change::Remove => None,
            }
        }
        let basic = Basic {
            memory: set(limits.memory),
            processes: set(limits.processes),
            affinity: set(limits.affinity).and_then(|mask| usize::try_from(mask).ok()),
        };
        let set = self.job.limit(&basic);
        set.map_err(|error| failed(format!("limit job {}", self.name.object), error))
    }

    fn limit_cpu(&self, limits: &Limits) -> Result<()> {
        let rate = match (limits.cpu_maximum, limits.cpu) {
            (Change::Set(cap), _) => Rate::Cap(cap.into()),
            // Ten thousand weights of the contract on the nine of a job.
            (_, Change::Set(Cpu::Weight(weight))) => {
                Rate::Weight(1 + 8 * u32::from(weight) / 10_000)
            }
            _ => Rate::Free,
        };
        self.job.rate(rate).map_err(|error| {
            let what = format!("shares of processor time on this host: {error}");
            Error::unsupported(NAME, what)
        })
    }

    fn environment(entries: &[String]) -> Environment {
        let mut environment = Environment::of(entries);
        environment.complete(|name| std::env::var(name).ok());
        environment
    }
}

fn watch(port: &Port, send: &Sender<OomEvent>) {
    while let Some(message) = port.next() {
        if MEMORY_MESSAGES.contains(&message) {
            // A commit has failed; nobody was killed. Who does not listen misses it.
            let _ = send.try_send(OomEvent::new(0));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.port.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ComputeSystem for JobSystem {
    fn start(&self) -> Result<()> {
        Ok(())
    }

    fn create_process(&self, request: &ProcessRequest<'_>) -> Result<Created> {
        let environment = Self::environment(request.environment);
        let directory = Some(request.working_dir).filter(|dir| !dir.is_empty());
        let name = &request.process.entrypoint;
        let found = program::find(name, directory.map(Path::new), |name| {
            environment.get(name).map(str::to_owned)
        })?;
        let line = command_line(request.process, request.args_escaped);
        let token = match self.restricted_token {
            true => Some(
                sys::token::restricted()
                    .map_err(|error| setup("make a restricted token".to_owned(), error))?,
            ),
            false => None,
        };
        let spawn = |streams: Streams<'_>| {
            let spawn = Spawn {
                program: &found,
                command_line: &line,
                environment: &environment.block(),
                directory,
                job: &self.job,
                streams,
                token: token.as_ref().map(|token| token.as_handle()),
            };
            spawn
                .spawn()
                .map_err(|error| program::refused(name, directory, error))
        };
        let made = |step: &'static str| move |error| setup(step.to_owned(), error);
        // A job of its own below this one, which it is in before it runs.
        let below = |held: Held| -> Result<(Held, Option<Job>)> {
            let Some(limits) = &request.limits else {
                return Ok((held, None));
            };
            match self.below(&held, limits) {
                Ok(job) => Ok((held, Some(job))),
                Err(error) => {
                    held.give_up();
                    Err(error)
                }
            }
        };
        if request.process.tty {
            let (console, keyboard, screen) = PseudoConsole::new(request.process.console_size)
                .map_err(made("make a pseudo console"))?;
            let held = below(spawn(Streams::Terminal(&console))?)?;
            let has_input = !matches!(request.stdin, ChildStream::Null);
            return Ok(JobProcess::at_terminal(
                held,
                console,
                (keyboard, screen),
                has_input,
            ));
        }
        let mut pipes = Pipes::default();
        let handles = [
            stream(&request.stdin, pipe::input, &mut pipes.stdin),
            stream(&request.stdout, pipe::output, &mut pipes.stdout),
            stream(&request.stderr, pipe::output, &mut pipes.stderr),
        ];
        let [stdin, stdout, stderr] = handles;
        let step = made("make the streams of the process");
        let handles = stdin.and_then(|stdin| Ok([stdin, stdout?, stderr?]));
        let held = below(spawn(Streams::Handles(handles.map_err(step)?))?)?;
        Ok(JobProcess::with_pipes(held, pipes))
    }

    fn open_process(&self, identity: ProcessIdentity) -> Result<Option<Arc<dyn Process>>> {
        let found = ProcessHandle::reopen(identity)
            .map_err(|error| failed(format!("open process {}", identity.pid), error))?;
        Ok(found.map(|handle| JobProcess::opened(handle) as Arc<dyn Process>))
    }

    fn shutdown(&self, limit: Duration) -> Result<bool> {
        let end = Instant::now() + limit;
        for pid in self.processes()? {
            if let Ok(Some(process)) = ProcessHandle::open(pid) {
                // Who does not hear it is terminated later.
                let _ = JobProcess::opened(process).signal(Signal::TERM);
            }
        }
        while !self.processes()?.is_empty() {
            if Instant::now() >= end {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }

    fn terminate(&self, code: u32) -> Result<()> {
        let ended = self.job.terminate(code);
        ended.map_err(|error| failed(format!("terminate job {}", self.name.object), error))
    }

    fn pause(&self) -> Result<Vec<ProcessIdentity>> {
        let end = Instant::now() + PAUSE;
        let mut suspended: BTreeMap<u32, ProcessHandle> = BTreeMap::new();
        // A process that is not suspended yet may make another one: until a look finds no new one.
        let outcome = loop {
            match self.suspend_new(&mut suspended) {
                Ok(true) if Instant::now() < end => {}
                Ok(true) => {
                    break Err(Error::Timeout {
                        operation: format!(
                            "pause {:?}: new processes appear ({PAUSE:?})",
                            self.name.id
                        ),
                    });
                }
                Ok(false) => break Ok(()),
                Err(error) => {
                    break Err(failed(
                        format!("suspend the processes of {:?}", self.name.id),
                        error,
                    ));
                }
            }
        };
        match outcome {
            Ok(()) => Ok(suspended.values().map(ProcessHandle::identity).collect()),
            Err(error) => {
                for process in suspended.values() {
                    let _ = ntdll::resume(process.as_handle());
                }
                Err(error)
            }
        }
    }

    fn resume(&self, suspended: &[ProcessIdentity]) -> Result<()> {
        let mut first = Ok(());
        for identity in suspended {
            let resumed = match ProcessHandle::reopen(*identity) {
                Ok(Some(process)) => ntdll::resume(process.as_handle()),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            let what = || format!("let process {} go on", identity.pid);
            first = first.and(resumed.map_err(|error| failed(what(), error)));
        }
        first
    }

    fn stats(&self) -> Result<ResourceStats> {
        let what = || format!("read the counters of job {}", self.name.object);
        let failed = |error| failed(what(), error);
        let accounting = self.job.accounting().map_err(failed)?;
        let pids = self.job.pids().map_err(failed)?;
        let machine = sys::snapshot::processes().map_err(failed)?;
        Ok(stats::assemble(&accounting, &pids, &machine))
    }

    fn processes(&self) -> Result<Vec<u32>> {
        let pids = self.job.pids();
        pids.map_err(|error| {
            failed(
                format!("list the processes of job {}", self.name.object),
                error,
            )
        })
    }

    fn modify(&self, before: &Limits, changes: &Limits) -> Result<()> {
        self.set(before, changes)
    }

    fn oom_events(&self) -> OomEvents {
        match &self.watch {
            Some(watch) => watch.events.clone(),
            None => crossbeam_channel::bounded(0).1,
        }
    }
}

impl JobSystem {
    fn below(&self, held: &Held, limits: &Limits) -> Result<Job> {
        let step = |error| setup("limit the process".to_owned(), error);
        let nested = Self::new(Job::nested().map_err(step)?, self.name.clone(), false);
        nested.set(&Limits::default(), limits)?;
        nested.job.assign(held.process()).map_err(step)?;
        Ok(nested.job)
    }

    /// Suspends the processes that are not among `suspended`; whether there were any.
    fn suspend_new(&self, suspended: &mut BTreeMap<u32, ProcessHandle>) -> io::Result<bool> {
        let mut found = false;
        for pid in self.job.pids()? {
            if suspended.contains_key(&pid) {
                continue;
            }
            // One that is gone meanwhile needs no suspending.
            let Some(process) = ProcessHandle::open(pid)? else {
                continue;
            };
            match ntdll::suspend(process.as_handle()) {
                Ok(()) => {
                    found = true;
                    suspended.insert(pid, process);
                }
                Err(_) if !process.is_alive() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// The process's end of a stream; the host's goes into `ours`.
fn stream(
    asked: &ChildStream,
    pipe: fn() -> io::Result<(pipe::PipeEnd, OwnedHandle)>,
    ours: &mut Option<pipe::PipeEnd>,
) -> io::Result<OwnedHandle> {
    match asked {
        ChildStream::Null => {
            let null = File::options().read(true).write(true).open("NUL")?;
            Ok(null.into())
        }
        ChildStream::File(file) => Ok(file.try_clone()?.into()),
        ChildStream::Pipe => {
            let (host, process) = pipe()?;
            *ours = Some(host);
            Ok(process)
        }
    }
}
