//! A compute service in memory: it keeps a trace of what it was asked, and fails, waits or forgets as it is told.

mod answers;

use super::board::Notice;
use super::service::{Handle, Kind, NewProcess, Operation, Reply, Service};
use super::{Board, Code};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a function does instead of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Answers this failure and document.
    Fails(Code, &'static str),
    /// Begins its work, and the notice says this.
    Ends(Code),
    /// Begins its work and never says that it is done.
    Loses,
    /// Does not return before [`Memory::let_go`].
    Hangs,
}

/// The service. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    trace: Vec<String>,
    troubles: BTreeMap<&'static str, VecDeque<Trouble>>,
    systems: BTreeMap<String, System>,
    /// Open handles and registrations: what each is of.
    handles: BTreeMap<Handle, Of>,
    last: Handle,
    let_go: bool,
    /// Functions that do not return.
    silent: Vec<&'static str>,
    /// How many processes are made by those that are about to be suspended.
    forks: u32,
    /// Processes from this pid on are none of this host's.
    strangers: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    System(String),
    Process(String, u32),
    Watch(Box<Of>),
}

#[derive(Debug, Default)]
struct System {
    notices: Notices,
    processes: BTreeMap<u32, Process>,
    state: Running,
    /// What it was made with.
    document: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Running {
    #[default]
    Created,
    Runs,
    Paused,
}

#[derive(Debug, Default)]
struct Process {
    notices: Notices,
    exit: Option<u32>,
    suspended: u32,
}

/// Notices, which wait for the first board.
#[derive(Debug, Default)]
struct Notices {
    boards: Vec<Arc<Board>>,
    held: Vec<(Kind, Code)>,
}

impl Notices {
    fn post(&mut self, kind: Kind, code: Code) {
        if self.boards.is_empty() {
            self.held.push((kind, code));
        }
        for board in &self.boards {
            let answer = String::new();
            board.post(kind, Notice { code, answer });
        }
    }

    fn watch(&mut self, board: Arc<Board>) {
        self.boards.push(board);
        for (kind, code) in std::mem::take(&mut self.held) {
            self.post(kind, code);
        }
    }
}

const PENDING: Code = Code::of(0xC037_0103);
const INVALID_STATE: Code = Code::of(0xC037_0105);
const NOT_FOUND: Code = Code::of(0xC037_010E);
const ALREADY_EXISTS: Code = Code::of(0xC037_010F);
const ALREADY_STOPPED: Code = Code::of(0xC037_0110);
const NO_ELEMENT: Code = Code::of(0x8007_0490);

impl Memory {
    /// A service that does as it should.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets the next call of this function come to grief; given more than once, one after another.
    pub(crate) fn trouble(self, function: &'static str, trouble: Trouble) -> Self {
        let mut state = self.lock();
        state
            .troubles
            .entry(function)
            .or_default()
            .push_back(trouble);
        drop(state);
        self
    }

    /// What was asked so far, a line a call.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    /// How many handles and registrations are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().handles.len()
    }

    /// The ids of the systems that are there.
    pub(crate) fn systems(&self) -> Vec<String> {
        self.lock().systems.keys().cloned().collect()
    }

    /// Lets no call of these functions return before [`Memory::let_go`].
    pub(crate) fn silence(&self, functions: &[&'static str]) {
        self.lock().silent.extend(functions);
    }

    /// Lets every call return that hangs, now and later.
    pub(crate) fn let_go(&self) {
        self.lock().let_go = true;
        self.shared.changed.notify_all();
    }

    /// Ends a process; without a notice when `told` is false.
    pub(crate) fn exit(&self, pid: u32, code: u32, told: bool) {
        let mut state = self.lock();
        let systems = state.systems.values_mut();
        let process = systems
            .into_iter()
            .find_map(|system| system.processes.get_mut(&pid));
        if let Some(process) = process {
            process.exit = Some(code);
            if told {
                process.notices.post(Kind::ProcessExited, Code::OK);
            }
        }
    }

    /// So many processes have yet to be made by others, one each, before they are suspended.
    pub(crate) fn forks(self, count: u32) -> Self {
        self.lock().forks = count;
        self
    }

    /// Lets processes from this pid on be none of this host's, as a guest's are.
    pub(crate) fn strangers(self, from: u32) -> Self {
        self.lock().strangers = Some(from);
        self
    }

    /// How often each process that runs is suspended.
    pub(crate) fn suspended(&self) -> Vec<u32> {
        let state = self.lock();
        let processes = state.systems.values().flat_map(|s| s.processes.values());
        let running = processes.filter(|process| process.exit.is_none());
        running.map(|process| process.suspended).collect()
    }

    /// Tells everybody that the service went away.
    pub(crate) fn disconnect(&self) {
        for system in self.lock().systems.values_mut() {
            system.notices.post(Kind::ServiceDisconnect, Code::OK);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a call in the trace; waits, if it is to hang. What is to become of it.
    fn enter(
        &self,
        function: &'static str,
        about: &str,
    ) -> (MutexGuard<'_, State>, Option<Trouble>) {
        let mut state = self.lock();
        state
            .trace
            .push(format!("{function} {about}").trim_end().to_owned());
        let trouble = state
            .troubles
            .get_mut(function)
            .and_then(VecDeque::pop_front);
        if trouble == Some(Trouble::Hangs) {
            state = self.let_go_of(state);
        }
        (self.answering(state, function), trouble)
    }

    /// Takes a handle back, which no trace tells of.
    fn give_back(&self, function: &'static str, handle: Handle) -> Code {
        self.answering(self.lock(), function).close(handle)
    }

    /// Waits for as long as the function is silent.
    fn answering<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        function: &'static str,
    ) -> MutexGuard<'a, State> {
        match state.silent.contains(&function) {
            true => self.let_go_of(state),
            false => state,
        }
    }

    fn let_go_of<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while !state.let_go {
            let woken = self.shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

impl State {
    fn open(&mut self, of: Of) -> Handle {
        self.last += 1;
        self.handles.insert(self.last, of);
        self.last
    }

    fn id(&self, handle: Handle) -> Option<String> {
        match self.handles.get(&handle)? {
            Of::System(id) | Of::Process(id, _) => Some(id.clone()),
            Of::Watch(_) => None,
        }
    }

    fn system(&mut self, handle: Handle) -> Option<&mut System> {
        let id = self.id(handle)?;
        self.systems.get_mut(&id)
    }

    fn process(&mut self, handle: Handle) -> Option<&mut Process> {
        let Some(Of::Process(id, pid)) = self.handles.get(&handle).cloned() else {
            return None;
        };
        self.systems.get_mut(&id)?.processes.get_mut(&pid)
    }

    /// Everything in a system ends, and it is no more.
    fn end(&mut self, id: &str, code: Code) {
        if let Some(mut system) = self.systems.remove(id) {
            for process in system.processes.values_mut() {
                process.notices.post(Kind::ProcessExited, Code::OK);
            }
            system.notices.post(Kind::SystemExited, code);
        }
    }

    /// With the last handle a system ends.
    fn close(&mut self, handle: Handle) -> Code {
        let Some(of) = self.handles.remove(&handle) else {
            return Code::win32(6);
        };
        if let Of::System(id) = &of
            && !self.handles.values().any(|other| *other == of)
        {
            self.end(id, Code::OK);
        }
        Code::OK
    }
}

fn reply<T: Default>(code: Code) -> Reply<T> {
    Reply {
        code,
        answer: String::new(),
        value: T::default(),
    }
}

fn done<T>(value: T) -> Reply<T> {
    Reply {
        code: Code::OK,
        answer: String::new(),
        value,
    }
}

/// The failure that was asked for, if one was.
fn failure<T: Default>(trouble: Option<&Trouble>) -> Option<Reply<T>> {
    match trouble {
        Some(Trouble::Fails(code, answer)) => Some(Reply {
            answer: (*answer).to_owned(),
            ..reply(*code)
        }),
        _ => None,
    }
}

/// What the notice of an operation says; `None` when none comes.
fn outcome(trouble: Option<&Trouble>) -> Option<Code> {
    match trouble {
        Some(Trouble::Loses) => None,
        Some(Trouble::Ends(code)) => Some(*code),
        _ => Some(Code::OK),
    }
}
