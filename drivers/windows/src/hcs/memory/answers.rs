//! The functions of the service in memory.

use super::*;
use crate::backend::ProcessIdentity;

/// In the document of a virtual machine.
const HYPERV: &str = "\"HvPartition\":true";

/// The first pid that is given.
const PID: u32 = 1000;

impl Service for Memory {
    fn create_system(&self, id: &str, document: &str) -> Reply<Handle> {
        let (mut state, trouble) =
            self.enter("HcsCreateComputeSystem", &format!("{id} {document}"));
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        if state.systems.contains_key(id) {
            return reply(ALREADY_EXISTS);
        }
        let mut system = System {
            document: document.to_owned(),
            ..System::default()
        };
        if let Some(code) = outcome(trouble.as_ref()) {
            system.notices.post(Kind::CreateCompleted, code);
        }
        state.systems.insert(id.to_owned(), system);
        Reply {
            value: state.open(Of::System(id.to_owned())),
            ..reply(PENDING)
        }
    }

    fn open_system(&self, id: &str) -> Reply<Handle> {
        let (mut state, trouble) = self.enter("HcsOpenComputeSystem", id);
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        match state.systems.contains_key(id) {
            true => done(state.open(Of::System(id.to_owned()))),
            false => reply(NOT_FOUND),
        }
    }

    fn close_system(&self, system: Handle) -> Code {
        self.give_back("HcsCloseComputeSystem", system)
    }

    fn operate(&self, system: Handle, operation: Operation) -> Reply<()> {
        let id = self.lock().id(system).unwrap_or_default();
        let (mut state, trouble) = self.enter(operation.call(), &id);
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(found) = state.system(system) else {
            return reply(ALREADY_STOPPED);
        };
        let next = match (operation, found.state) {
            (Operation::Start, Running::Created) | (Operation::Resume, Running::Paused) => {
                Running::Runs
            }
            (Operation::Pause, Running::Runs) if !found.document.contains(HYPERV) => {
                return reply(Code::win32(50));
            }
            (Operation::Pause, Running::Runs) => Running::Paused,
            (Operation::Shutdown | Operation::Terminate, _) => {
                if let Some(code) = outcome(trouble.as_ref()) {
                    state.end(&id, code);
                }
                return reply(PENDING);
            }
            _ => return reply(INVALID_STATE),
        };
        if let Some(code) = outcome(trouble.as_ref()) {
            if !code.failed() {
                found.state = next;
            }
            found.notices.post(operation.completion(), code);
        }
        reply(PENDING)
    }

    fn modify_system(&self, system: Handle, request: &str) -> Reply<()> {
        let (mut state, trouble) = self.enter("HcsModifyComputeSystem", request);
        let found = state.system(system).map_or(ALREADY_STOPPED, |_| Code::OK);
        failure(trouble.as_ref()).unwrap_or_else(|| reply(found))
    }

    fn system_properties(&self, system: Handle, query: &str) -> Reply<String> {
        let (mut state, trouble) = self.enter("HcsGetComputeSystemProperties", query);
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(found) = state.system(system) else {
            return reply(NOT_FOUND);
        };
        let running = found
            .processes
            .iter()
            .filter(|(_, process)| process.exit.is_none());
        let list: Vec<String> = running
            .map(|(pid, _)| {
                format!(
                    r#"{{"ProcessId":{pid},"CreateTimestamp":"{}"}}"#,
                    made(*pid).0
                )
            })
            .collect();
        let state = match found.state {
            Running::Created => "Created",
            Running::Runs => "Running",
            Running::Paused => "Paused",
        };
        done(format!(
            r#"{{"State":"{state}","ProcessList":[{}],"Statistics":{{"Memory":{{"MemoryUsageCommitBytes":4096}}}}}}"#,
            list.join(",")
        ))
    }

    fn watch_system(&self, system: Handle, board: Arc<Board>) -> Reply<Handle> {
        let (mut state, trouble) = self.enter("HcsRegisterComputeSystemCallback", "");
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(found) = state.system(system) else {
            return reply(NOT_FOUND);
        };
        found.notices.watch(board);
        let of = Of::Watch(Box::new(Of::System(String::new())));
        done(state.open(of))
    }

    fn unwatch_system(&self, watch: Handle) -> Code {
        self.give_back("HcsUnregisterComputeSystemCallback", watch)
    }

    fn create_process(&self, system: Handle, document: &str) -> Reply<NewProcess> {
        let (mut state, trouble) = self.enter("HcsCreateProcess", document);
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(id) = state.id(system) else {
            return reply(Code::win32(6));
        };
        let Some(found) = state.systems.get_mut(&id) else {
            return reply(ALREADY_STOPPED);
        };
        if found.state != Running::Runs {
            return reply(INVALID_STATE);
        }
        let pid = found
            .processes
            .keys()
            .next_back()
            .map_or(PID, |last| last + 1);
        let mut process = Process::default();
        if let Some(code) = exit_of(document) {
            process.exit = Some(code);
            if trouble != Some(Trouble::Loses) {
                process.notices.post(Kind::ProcessExited, Code::OK);
            }
        }
        found.processes.insert(pid, process);
        let pipe = |key: &str| document.contains(&format!("\"{key}\":true"));
        let text: &'static [u8] = b"from inside\n";
        done(NewProcess {
            handle: state.open(Of::Process(id, pid)),
            pid,
            stdin: pipe("CreateStdInPipe").then(|| Box::new(std::io::sink()) as _),
            stdout: pipe("CreateStdOutPipe").then(|| Box::new(text) as _),
            stderr: pipe("CreateStdErrPipe").then(|| Box::new(std::io::empty()) as _),
            cancel: None,
        })
    }

    fn open_process(&self, system: Handle, pid: u32) -> Reply<Handle> {
        let (mut state, trouble) = self.enter("HcsOpenProcess", &pid.to_string());
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let (Some(id), Some(found)) = (state.id(system), state.system(system)) else {
            return reply(NOT_FOUND);
        };
        match found.processes.contains_key(&pid) {
            true => done(state.open(Of::Process(id, pid))),
            false => reply(NO_ELEMENT),
        }
    }

    fn close_process(&self, process: Handle) -> Code {
        self.give_back("HcsCloseProcess", process)
    }

    fn terminate_process(&self, process: Handle) -> Reply<()> {
        let (mut state, trouble) = self.enter("HcsTerminateProcess", "");
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(found) = state.process(process) else {
            return reply(NO_ELEMENT);
        };
        if found.exit.is_some() {
            return reply(Code::win32(5));
        }
        found.exit = Some(1);
        if trouble != Some(Trouble::Loses) {
            found.notices.post(Kind::ProcessExited, Code::OK);
        }
        reply(Code::OK)
    }

    /// Every program ends of a console event.
    fn signal_process(&self, process: Handle, options: &str) -> Reply<()> {
        let (mut state, trouble) = self.enter("HcsSignalProcess", options);
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        if let Some(found) = state.process(process) {
            found.exit = Some(0xC000_013A);
            found.notices.post(Kind::ProcessExited, Code::OK);
        }
        reply(Code::OK)
    }

    fn modify_process(&self, _process: Handle, settings: &str) -> Reply<()> {
        let (_state, trouble) = self.enter("HcsModifyProcess", settings);
        failure(trouble.as_ref()).unwrap_or_else(|| reply(Code::OK))
    }

    fn process_properties(&self, process: Handle) -> Reply<String> {
        let (mut state, trouble) = self.enter("HcsGetProcessProperties", "");
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(found) = state.process(process) else {
            return reply(NO_ELEMENT);
        };
        done(format!(
            r#"{{"ProcessId":0,"Exited":{},"ExitCode":{},"LastWaitResult":0}}"#,
            found.exit.is_some(),
            found.exit.unwrap_or_default()
        ))
    }

    fn watch_process(&self, process: Handle, board: Arc<Board>) -> Reply<Handle> {
        let (mut state, trouble) = self.enter("HcsRegisterProcessCallback", "");
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        let Some(found) = state.process(process) else {
            return reply(NO_ELEMENT);
        };
        found.notices.watch(board);
        let of = Of::Watch(Box::new(Of::Process(String::new(), 0)));
        done(state.open(of))
    }

    fn unwatch_process(&self, watch: Handle) -> Code {
        self.give_back("HcsUnregisterProcessCallback", watch)
    }

    fn layer_id(&self, name: &str) -> Reply<[u8; 16]> {
        let (_state, trouble) = self.enter("NameToGuid", name);
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        failure(trouble.as_ref()).unwrap_or_else(|| done(id))
    }

    fn network(&self, method: &str, path: &str, request: &str) -> Reply<String> {
        let (_state, trouble) = self.enter("HNSCall", &format!("{method} {path} {request}"));
        let output = match (method, path) {
            ("GET", "/networks/") => {
                r#"[{"ID":"n-1","Name":"nat"},{"ID":"n-2","Name":"Virtual Switch"}]"#
            }
            ("GET", _) => "[]",
            ("POST", _) => r#"{"ID":"e-1","Name":"x"}"#,
            _ => "null",
        };
        failure(trouble.as_ref())
            .unwrap_or_else(|| done(format!(r#"{{"Success":true,"Output":{output}}}"#)))
    }

    fn suspend_process(&self, process: ProcessIdentity) -> Reply<bool> {
        let (mut state, trouble) = self.enter("NtSuspendProcess", &process.pid.to_string());
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        if state.forks > 0 {
            state.forks -= 1;
            let system = state.systems.values_mut().next_back();
            if let Some(system) = system {
                let next = system
                    .processes
                    .keys()
                    .next_back()
                    .map_or(PID, |last| last + 1);
                system.processes.insert(next, Process::default());
            }
        }
        done(state.on_host(process, |count| count + 1))
    }

    fn resume_process(&self, process: ProcessIdentity) -> Reply<bool> {
        let (mut state, trouble) = self.enter("NtResumeProcess", &process.pid.to_string());
        if let Some(failed) = failure(trouble.as_ref()) {
            return failed;
        }
        done(state.on_host(process, |count| count.saturating_sub(1)))
    }
}

impl State {
    /// Counts the suspensions of a process anew, if it is one of this host's.
    fn on_host(&mut self, process: ProcessIdentity, count: impl Fn(u32) -> u32) -> bool {
        let stranger = self.strangers.is_some_and(|from| process.pid >= from)
            || process.created != made(process.pid).1;
        let systems = self.systems.values_mut();
        // A guest has pids of its own.
        let mut systems = systems.filter(|system| !system.document.contains(HYPERV));
        let found = systems.find_map(|system| system.processes.get_mut(&process.pid));
        match found.filter(|found| found.exit.is_none() && !stranger) {
            Some(found) => {
                found.suspended = count(found.suspended);
                true
            }
            None => false,
        }
    }
}

/// When the process of this pid was made: as the service tells it, and as the system counts it.
fn made(pid: u32) -> (String, u64) {
    let (minutes, seconds) = (pid / 60 % 60, pid % 60);
    let text = format!("1601-01-01T00:{minutes:02}:{seconds:02}.0000001Z");
    (text, u64::from(minutes * 60 + seconds) * 10_000_000 + 1)
}

/// A program `exit 3` has ended with 3 when it was made; every other one goes on.
fn exit_of(document: &str) -> Option<u32> {
    let (_, rest) = document.split_once(r#""CommandLine":"exit "#)?;
    rest.split('"').next()?.parse().ok()
}
