//! A process in a compute system: waiting for it, ending it, telling it things.

use super::board::{Arrived, Board};
use super::document::{console_size, properties, signal};
use super::host::Host;
use super::properties::{Ended, exit, processes};
use super::service::{Handle, Kind, NewProcess};
use super::system::System;
use super::{HcsError, Meaning, Service};
use crate::NAME;
use crate::backend::{Process, ProcessIdentity};
use crate::exit::KILLED;
use execdriver_core::{Error, Result, Signal, WindowSize};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The exit code of a process whose end the service cannot tell any more, because its container was killed: Docker's.
pub(crate) const UNKNOWN_EXIT: u32 = 32_767;

/// `ERROR_PROCESS_ABORTED`: the exit code that the service gives to what it terminates.
const ABORTED: u32 = 1067;

/// How often a process is looked at although no notice came: the service can lose the one of its end.
const LOOK: Duration = Duration::from_secs(5);

/// How long a request to end is waited for. A server core answers it only when the process is gone.
const SIGNAL_BOUND: Duration = Duration::from_secs(1);

/// A handle of a process and the registration for its notices.
#[derive(Debug)]
pub(crate) struct HcsProcess {
    system: Arc<System>,
    object: String,
    pid: u32,
    /// When it was made; 0 where nobody tells. Asked for when it is first wanted.
    created: OnceLock<u64>,
    handle: Handle,
    watch: Handle,
    board: Arc<Board>,
    /// The exit code that it was ended with from here; the service gives one of its own.
    killed: OnceLock<u32>,
}

impl HcsProcess {
    /// Makes a process; with it come the host's ends of its pipes.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn create(
        system: &Arc<System>,
        document: String,
    ) -> Result<(Self, NewProcess), HcsError> {
        let parent = system.handle();
        let mut made = system.host().call(
            "HcsCreateProcess",
            system.object(),
            move |service| service.create_process(parent, &document),
            |service, made| {
                service.terminate_process(made.handle);
                service.close_process(made.handle);
            },
        )?;
        let made = std::mem::take(&mut made.value);
        Ok((Self::watched(system, made.handle, made.pid, true)?, made))
    }

    /// Opens this very process; `None` when it is gone, or its pid is another's by now.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn open(
        system: &Arc<System>,
        identity: ProcessIdentity,
    ) -> Result<Option<Self>, HcsError> {
        let (parent, pid) = (system.handle(), identity.pid);
        let opened = system.host().call(
            "HcsOpenProcess",
            system.object(),
            move |service| service.open_process(parent, pid),
            |service, handle| {
                service.close_process(handle);
            },
        );
        let opened = match opened {
            Ok(reply) => Self::watched(system, reply.value, pid, false)?,
            Err(error) if error.is_gone() => return Ok(None),
            Err(error) => return Err(error),
        };
        // Asked for only now: a pid is nobody else's while a handle of its process is open.
        let another = identity.created != 0 && ![0, identity.created].contains(&opened.created());
        Ok((!another).then_some(opened))
    }

    /// `born`: it was made just now, so it ends when nobody can be told of its end.
    fn watched(
        system: &Arc<System>,
        handle: Handle,
        pid: u32,
        born: bool,
    ) -> Result<Self, HcsError> {
        let object = format!("process {pid} of {}", system.object());
        let board = Arc::<Board>::default();
        let theirs = Arc::clone(&board);
        let watch = system.host().call(
            "HcsRegisterProcessCallback",
            &object,
            move |service| service.watch_process(handle, theirs),
            |service, watch| {
                service.unwatch_process(watch);
            },
        );
        let watch = match watch {
            Ok(reply) => reply.value,
            Err(error) => {
                system.host().release("HcsCloseProcess", move |service| {
                    if born {
                        service.terminate_process(handle);
                    }
                    service.close_process(handle);
                });
                return Err(error);
            }
        };
        system.board().follow(&board);
        Ok(Self {
            system: Arc::clone(system),
            object,
            pid,
            created: OnceLock::new(),
            handle,
            watch,
            board,
            killed: OnceLock::new(),
        })
    }

    fn host(&self) -> &Host {
        self.system.host()
    }

    /// When it was made, as the list of processes tells it. Who starts or looks for a process does not wait long for a
    /// service that does not tell: then only the pid says which one it is.
    fn created(&self) -> u64 {
        let ask = || {
            let query = properties("ProcessList");
            let document = self.system.last_properties(&query).unwrap_or_default();
            let listed = processes(&document).unwrap_or_default();
            let own = listed.iter().find(|process| process.pid == self.pid);
            own.map_or(0, |process| process.created)
        };
        *self.created.get_or_init(ask)
    }

    /// Its exit code, if it has ended, by asking for it.
    fn exit_code(&self) -> Result<Option<u32>, HcsError> {
        const CALL: &str = "HcsGetProcessProperties";
        let handle = self.handle;
        let asked = self.host().ask(CALL, &self.object, move |service| {
            service.process_properties(handle)
        });
        let document = match asked {
            Ok(reply) => reply.value,
            // Its pipe to the guest has ended (109): the container was killed elsewhere, which is no failed start.
            Err(error) if error.is_gone() || error.meaning() == Some(Meaning::Win32(109)) => {
                return Ok(Some(UNKNOWN_EXIT));
            }
            Err(error) => return Err(error),
        };
        let ended = exit(&document).map_err(|source| HcsError::Document {
            call: CALL,
            object: self.object.clone(),
            source,
        })?;
        Ok(match ended {
            Ended::Not => None,
            Ended::With(code) => Some(code),
        })
    }

    /// The exit code as the driver knows it: what was ended from outside has the one that it was to have.
    fn told(&self, code: u32) -> u32 {
        let with_its_system = code == UNKNOWN_EXIT && self.system.board().has_ended();
        let killed = code == ABORTED || with_its_system;
        let wanted = self.killed.get().copied().or(self.system.killed());
        match (wanted, killed) {
            (Some(wanted), _) => wanted,
            (None, true) => KILLED,
            (None, false) => code,
        }
    }

    /// Changes something of the process.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(super) fn modify(&self, settings: String) -> Result<(), HcsError> {
        let handle = self.handle;
        let modify = move |service: &dyn Service| service.modify_process(handle, &settings);
        self.host()
            .ask("HcsModifyProcess", &self.object, modify)
            .map(drop)
    }

    /// Whether it is known to have ended.
    pub(super) fn has_ended(&self) -> bool {
        self.board.has_ended()
    }
}

impl Process for HcsProcess {
    fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.pid,
            created: self.created(),
        }
    }

    fn release(&self) -> Result<()> {
        Ok(())
    }

    fn wait(&self, limit: Option<Duration>) -> Result<Option<u32>> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let slice = left.map_or(LOOK, |left| left.min(LOOK));
            let (mut ended, mut in_passing) = (false, false);
            let look = match self.board.wait(Kind::ProcessExited, Some(slice)) {
                Arrived::Done(_) | Arrived::Exited(_) => {
                    ended = true;
                    true
                }
                Arrived::Doubtful => true,
                Arrived::Nothing => {
                    in_passing = true;
                    slice == LOOK
                }
                Arrived::Disconnected => {
                    let (call, object) = ("wait", self.object.clone());
                    return Err(HcsError::Disconnected { call, object }.into());
                }
            };
            if look {
                let code = match self.exit_code() {
                    // Nothing says that it has ended; the next look may be answered.
                    Err(HcsError::Timeout { .. }) if in_passing => None,
                    asked => asked?,
                };
                if let Some(code) = code.or(ended.then_some(UNKNOWN_EXIT)) {
                    return Ok(Some(self.told(code)));
                }
                self.board.believe();
            }
            if left.is_some_and(|left| left <= slice) {
                return Ok(None);
            }
        }
    }

    /// By handles of its own, as the service answers the calls of one handle one after another, and one that waits for
    /// the process would keep this one waiting.
    fn terminate(&self, code: u32) -> Result<()> {
        if self.board.has_ended() {
            return Ok(());
        }
        // Whoever came first has ended it.
        let _ = self.killed.set(code);
        let (id, pid, own) = (self.system.id().to_owned(), self.pid, self.handle);
        let asked = self
            .host()
            .ask("HcsTerminateProcess", &self.object, move |service| {
                let system = service.open_system(&id);
                if system.code.failed() {
                    return service.terminate_process(own);
                }
                let process = service.open_process(system.value, pid);
                let reply = match process.code.failed() {
                    true => service.terminate_process(own),
                    false => {
                        let reply = service.terminate_process(process.value);
                        service.close_process(process.value);
                        reply
                    }
                };
                service.close_system(system.value);
                reply
            });
        // What has ended cannot be accessed (5) any more.
        let ended = |error: &HcsError| {
            error.is_gone()
                || error.meaning() == Some(Meaning::Win32(5))
                    && matches!(self.exit_code(), Ok(Some(_)))
        };
        match asked {
            Err(error) if !ended(&error) => Err(error.into()),
            _ => {
                self.board.doubt();
                Ok(())
            }
        }
    }

    fn signal(&self, wanted: Signal) -> Result<()> {
        let event = match wanted {
            Signal::INT => "CtrlC",
            Signal::QUIT => "CtrlBreak",
            Signal::HUP => "CtrlClose",
            Signal::TERM => "CtrlShutdown",
            other => {
                let operation = format!("signal {}", other.number());
                return Err(Error::unsupported(NAME, operation));
            }
        };
        let (handle, options) = (self.handle, signal(event));
        let host = Host {
            bound: self.host().bound.min(SIGNAL_BOUND),
            ..self.host().clone()
        };
        let send = move |service: &dyn Service| service.signal_process(handle, &options);
        match host.ask("HcsSignalProcess", &self.object, send) {
            Ok(_) => Ok(()),
            Err(error) if error.is_gone() => Ok(()),
            // It was taken, and answers with the end of the process; unless the service answers nothing at all.
            Err(error @ HcsError::Timeout { .. }) => match self.system.last_properties("") {
                Err(HcsError::Timeout { .. }) if !self.board.has_ended() => Err(error.into()),
                _ => Ok(()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn resize(&self, size: WindowSize) -> Result<()> {
        Ok(self.modify(console_size(size)?)?)
    }

    fn times(&self) -> Option<(Duration, Duration)> {
        None
    }
}

impl Drop for HcsProcess {
    fn drop(&mut self) {
        let (handle, watch) = (self.handle, self.watch);
        self.host().release("HcsCloseProcess", move |service| {
            service.unwatch_process(watch);
            service.close_process(handle);
        });
    }
}

/// A code for a process that could not be made: the program's fault, or the container's.
pub(crate) fn start_error(error: HcsError, program: &str, cwd: &str) -> Error {
    let program = program.to_owned();
    match error.meaning() {
        Some(Meaning::Win32(2 | 3)) => Error::ProgramNotFound {
            program,
            source: Some(Box::new(error)),
        },
        Some(Meaning::Win32(5 | 193)) => Error::ProgramNotExecutable {
            program,
            source: Some(Box::new(error)),
        },
        Some(Meaning::Win32(267)) => Error::Setup {
            step: format!("enter the working directory {cwd:?}"),
            source: Some(Box::new(error)),
        },
        // WSAEINVAL: how a utility VM says that it has no more room.
        Some(Meaning::Win32(10_022)) => Error::Setup {
            step: "the limit of docker execs per Hyper-V container has been exceeded".to_owned(),
            source: Some(Box::new(error)),
        },
        _ => error.into(),
    }
}
