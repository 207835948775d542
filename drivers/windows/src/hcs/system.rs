//! A compute system that is held: its handle, its notices, and what it can be told.

use super::board::{Arrived, Board, Notice};
use super::host::{Host, failed};
use super::service::{Handle, Kind, Operation, Reply};
use super::{HcsError, Meaning};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A handle of a compute system and the registration for its notices. Both are given back when it is dropped; with the
/// last handle anywhere the system ends.
#[derive(Debug)]
pub(crate) struct System {
    host: Host,
    id: String,
    /// For errors: `container "web-1"`.
    object: String,
    handle: Handle,
    /// `None` where the service took no registration: then its end is asked for, as a lost notice is.
    watch: Option<Handle>,
    board: Arc<Board>,
    /// The exit code of whatever was ended with it from here; the service gives one of its own.
    killed: OnceLock<u32>,
}

impl System {
    /// Makes a compute system and waits until it is made. What comes to be after a failure is ended again.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn create(
        host: &Host,
        id: &str,
        object: &str,
        document: String,
    ) -> Result<Self, HcsError> {
        const CALL: &str = "HcsCreateComputeSystem";
        let name = id.to_owned();
        let create = move |service: &dyn super::Service| service.create_system(&name, &document);
        let reply = host.call(CALL, object, create, |service, handle| {
            service.operate(handle, Operation::Terminate);
            service.close_system(handle);
        })?;
        let pending = reply.code.meaning() == Meaning::Pending;
        let mut system = Self::held(host, id, object, reply.value);
        if let Err(error) = system.watch() {
            let _ = system.begin(Operation::Terminate);
            return Err(error);
        }
        if pending && let Err(error) = system.completion(CALL, Kind::CreateCompleted) {
            // It may still come to be. That it cannot be ended either changes nothing about the first error.
            let _ = system.begin(Operation::Terminate);
            return Err(error);
        }
        Ok(system)
    }

    /// Opens a compute system that is there; `None` when there is none of this id.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn open(host: &Host, id: &str, object: &str) -> Result<Option<Self>, HcsError> {
        let name = id.to_owned();
        let open = move |service: &dyn super::Service| service.open_system(&name);
        let reply = host.call("HcsOpenComputeSystem", object, open, |service, handle| {
            service.close_system(handle);
        });
        match reply {
            Ok(reply) => {
                let mut system = Self::held(host, id, object, reply.value);
                match system.watch() {
                    // It can be ended although it cannot be heard of.
                    Ok(()) | Err(HcsError::Timeout { .. }) => Ok(Some(system)),
                    Err(error) if error.is_gone() => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A system that is held by this handle; its notices are not registered for yet.
    fn held(host: &Host, id: &str, object: &str, handle: Handle) -> Self {
        Self {
            host: host.clone(),
            id: id.to_owned(),
            object: object.to_owned(),
            handle,
            watch: None,
            board: Arc::default(),
            killed: OnceLock::new(),
        }
    }

    /// Registers for its notices.
    fn watch(&mut self) -> Result<(), HcsError> {
        let (handle, theirs) = (self.handle, Arc::clone(&self.board));
        let reply = self.host.call(
            "HcsRegisterComputeSystemCallback",
            &self.object,
            move |service| service.watch_system(handle, theirs),
            |service, watch| {
                service.unwatch_system(watch);
            },
        )?;
        self.watch = Some(reply.value);
        Ok(())
    }

    /// Begins an operation; whether it is pending. What it was asked for may be so already.
    fn begin(&self, operation: Operation) -> Result<bool, HcsError> {
        let handle = self.handle;
        self.board.begin(operation.completion());
        let begin = move |service: &dyn super::Service| service.operate(handle, operation);
        let reply = self.host.ask(operation.call(), &self.object, begin)?;
        Ok(reply.code.meaning() == Meaning::Pending)
    }

    /// Does an operation and waits for its end.
    ///
    /// # Errors
    /// What the service said; `Timeout` naming the operation.
    pub(crate) fn operate(&self, operation: Operation) -> Result<(), HcsError> {
        if self.begin(operation)? {
            self.completion(operation.call(), operation.completion())?;
        }
        Ok(())
    }

    /// Asks the system to end, and returns after `limit` at the latest; whether it has ended.
    ///
    /// # Errors
    /// What the service said; `Timeout` when it did not even take the request.
    pub(crate) fn shut_down(&self, limit: Duration) -> Result<bool, HcsError> {
        match self.begin(Operation::Shutdown) {
            Ok(_) => {}
            Err(error) if error.is_gone() => return Ok(true),
            Err(error) => return Err(error),
        }
        self.gone_within(limit)
    }

    /// Ends the system at once and waits until it is gone. One that is gone already is no error. Its processes' exit code
    /// is `code` from now on, as far as they are known here.
    ///
    /// # Errors
    /// What the service said; `Timeout` when it is still there.
    pub(crate) fn terminate(&self, code: u32) -> Result<(), HcsError> {
        if self.board.has_ended() {
            return Ok(());
        }
        // Whoever came first has ended it.
        let _ = self.killed.set(code);
        match self.begin(Operation::Terminate) {
            Ok(_) => {}
            Err(error) if error.is_gone() => return Ok(()),
            Err(error) => return Err(error),
        }
        let call = Operation::Terminate.call();
        match self.gone_within(self.host.bound)? {
            true => Ok(()),
            false => Err(self.host.about(call, &self.object).timeout()),
        }
    }

    /// Waits for the end. The service can lose the notice, so it is asked for the system too.
    fn gone_within(&self, limit: Duration) -> Result<bool, HcsError> {
        const LOOK: Duration = Duration::from_secs(1);
        let deadline = Instant::now().checked_add(limit);
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let slice = left.map_or(LOOK, |left| left.min(LOOK));
            match self.board.wait(Kind::SystemExited, Some(slice)) {
                Arrived::Done(_) | Arrived::Exited(_) => return Ok(true),
                Arrived::Disconnected => return Err(self.disconnected("wait for the end")),
                Arrived::Nothing | Arrived::Doubtful => {}
            }
            if self.is_gone() {
                return Ok(true);
            }
            if left.is_some_and(|left| left <= slice) {
                return Ok(false);
            }
        }
    }

    /// Whether the service has no such system any more, or one that has stopped.
    fn is_gone(&self) -> bool {
        match self.properties("") {
            Ok(text) => super::properties::has_stopped(&text),
            Err(error) => error.is_gone(),
        }
    }

    fn completion(&self, call: &'static str, kind: Kind) -> Result<(), HcsError> {
        let object = self.object.clone();
        match self.board.wait(kind, Some(self.host.bound)) {
            Arrived::Done(Notice { code, .. }) if !code.failed() => Ok(()),
            Arrived::Done(Notice { code, answer }) => Err(failed(call, &object, code, answer)),
            Arrived::Exited(Notice { code, answer }) => Err(HcsError::Exited {
                call,
                object,
                code,
                answer,
            }),
            Arrived::Disconnected => Err(self.disconnected(call)),
            Arrived::Nothing | Arrived::Doubtful => {
                self.board.give_up(kind);
                Err(self.host.about(call, &object).timeout())
            }
        }
    }

    /// Properties as a document; `query` as it goes to the service, or nothing for the basic ones.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn properties(&self, query: &str) -> Result<String, HcsError> {
        self.properties_within(query, self.host.bound)
    }

    fn properties_within(&self, query: &str, bound: Duration) -> Result<String, HcsError> {
        let host = Host {
            bound,
            ..self.host.clone()
        };
        let (handle, query) = (self.handle, query.to_owned());
        let ask = move |service: &dyn super::Service| service.system_properties(handle, &query);
        let reply = host.ask("HcsGetComputeSystemProperties", &self.object, ask)?;
        Ok(reply.value)
    }

    /// Changes something of the running system.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn modify(&self, request: String) -> Result<(), HcsError> {
        const CALL: &str = "HcsModifyComputeSystem";
        let handle = self.handle;
        self.board.begin(Kind::ModifyCompleted);
        let modify = move |service: &dyn super::Service| service.modify_system(handle, &request);
        let reply: Reply<()> = self.host.ask(CALL, &self.object, modify)?;
        if reply.code.meaning() == Meaning::Pending {
            self.completion(CALL, Kind::ModifyCompleted)?;
        }
        Ok(())
    }

    /// Properties, if the service is quick to answer: what wants to end a system must not wait for them.
    ///
    /// # Errors
    /// What the service said; `Timeout`.
    pub(crate) fn last_properties(&self, query: &str) -> Result<String, HcsError> {
        self.properties_within(query, self.host.bound.min(Duration::from_secs(1)))
    }

    /// The exit code that its processes were ended with from here.
    pub(crate) fn killed(&self) -> Option<u32> {
        self.killed.get().copied()
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What it is called in errors.
    pub(crate) fn object(&self) -> &str {
        &self.object
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    fn disconnected(&self, call: &'static str) -> HcsError {
        HcsError::Disconnected {
            call,
            object: self.object.clone(),
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let (handle, watch) = (self.handle, self.watch);
        // Unregistering waits for callbacks that run, which never block.
        self.host.release("HcsCloseComputeSystem", move |service| {
            if let Some(watch) = watch {
                service.unwatch_system(watch);
            }
            service.close_system(handle);
        });
    }
}
