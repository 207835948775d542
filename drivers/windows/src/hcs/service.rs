//! What the compute service can be asked, one method a function of it: the library answers, or a service in memory.

use super::{Board, Code};
use crate::backend::ProcessIdentity;
use execdriver_core::console::Cancel;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::sync::Arc;

/// A handle of the service's.
pub(crate) type Handle = usize;

/// What a function returned.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    pub(crate) code: Code,
    /// The result document, or nothing.
    pub(crate) answer: String,
    /// What it gave; of no meaning when the code is a failure.
    pub(crate) value: T,
}

/// The functions. None of them may be called on a thread that has something better to do: any can block for ever.
///
/// A function that the library does not have answers [`NO_FUNCTION`]. What a function began is told to the [`Board`]
/// that was registered, which may come after the fact: the service holds notices until there is one.
pub(crate) trait Service: Debug + Send + Sync {
    fn create_system(&self, id: &str, document: &str) -> Reply<Handle>;
    fn open_system(&self, id: &str) -> Reply<Handle>;
    fn close_system(&self, system: Handle) -> Code;
    fn operate(&self, system: Handle, operation: Operation) -> Reply<()>;
    fn modify_system(&self, system: Handle, request: &str) -> Reply<()>;
    fn system_properties(&self, system: Handle, query: &str) -> Reply<String>;
    fn watch_system(&self, system: Handle, board: Arc<Board>) -> Reply<Handle>;
    fn unwatch_system(&self, watch: Handle) -> Code;
    fn create_process(&self, system: Handle, document: &str) -> Reply<NewProcess>;
    fn open_process(&self, system: Handle, pid: u32) -> Reply<Handle>;
    fn close_process(&self, process: Handle) -> Code;
    fn terminate_process(&self, process: Handle) -> Reply<()>;
    fn signal_process(&self, process: Handle, options: &str) -> Reply<()>;
    fn modify_process(&self, process: Handle, settings: &str) -> Reply<()>;
    fn process_properties(&self, process: Handle) -> Reply<String>;
    fn watch_process(&self, process: Handle, board: Arc<Board>) -> Reply<Handle>;
    fn unwatch_process(&self, watch: Handle) -> Code;
    /// The GUID of a layer folder's name.
    fn layer_id(&self, name: &str) -> Reply<[u8; 16]>;
    /// A request to the network service, which lives in the same library.
    fn network(&self, method: &str, path: &str, request: &str) -> Reply<String>;
    /// Suspends a process of this host's; whether there is such a one. No function of the service's: what is isolated as
    /// processes are, is suspended as they are.
    fn suspend_process(&self, process: ProcessIdentity) -> Reply<bool>;
    /// Takes one suspension back; whether there is such a process.
    fn resume_process(&self, process: ProcessIdentity) -> Reply<bool>;
}

/// `ERROR_PROC_NOT_FOUND`: the library of this Windows has no such function.
pub(crate) const NO_FUNCTION: Code = Code::win32(127);

/// A process that was made, and the host's ends of the pipes that were asked for.
#[derive(Default)]
pub(crate) struct NewProcess {
    pub(crate) handle: Handle,
    pub(crate) pid: u32,
    pub(crate) stdin: Option<Box<dyn Write + Send>>,
    pub(crate) stdout: Option<Box<dyn Read + Send>>,
    pub(crate) stderr: Option<Box<dyn Read + Send>>,
    /// Frees whoever blocks on one of them; `None` without pipes.
    pub(crate) cancel: Option<Box<dyn Cancel>>,
}

impl Debug for NewProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewProcess")
            .field("handle", &self.handle)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

/// What a compute system can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Start,
    Shutdown,
    Terminate,
    Pause,
    Resume,
}

impl Operation {
    /// The function's name.
    pub(crate) fn call(self) -> &'static str {
        match self {
            Self::Start => "HcsStartComputeSystem",
            Self::Shutdown => "HcsShutdownComputeSystem",
            Self::Terminate => "HcsTerminateComputeSystem",
            Self::Pause => "HcsPauseComputeSystem",
            Self::Resume => "HcsResumeComputeSystem",
        }
    }

    /// What tells that it is done. A shutdown and a termination are done when the system is gone.
    pub(crate) fn completion(self) -> Kind {
        match self {
            Self::Start => Kind::StartCompleted,
            Self::Shutdown | Self::Terminate => Kind::SystemExited,
            Self::Pause => Kind::PauseCompleted,
            Self::Resume => Kind::ResumeCompleted,
        }
    }
}

/// What a notice is about, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    SystemExited,
    CreateCompleted,
    StartCompleted,
    PauseCompleted,
    ResumeCompleted,
    ModifyCompleted,
    ProcessExited,
    ServiceDisconnect,
}

impl Kind {
    /// Each with the service's number for it (`HcsNotification...` of its header).
    const NUMBERS: [(u32, Self); 8] = [
        (0x1, Self::SystemExited),
        (0x2, Self::CreateCompleted),
        (0x3, Self::StartCompleted),
        (0x4, Self::PauseCompleted),
        (0x5, Self::ResumeCompleted),
        (0xC, Self::ModifyCompleted),
        (0x1_0000, Self::ProcessExited),
        (0x0100_0000, Self::ServiceDisconnect),
    ];

    /// The kind of a number; `None` for one that nothing here waits for.
    pub(crate) fn of(number: u32) -> Option<Self> {
        let mut known = Self::NUMBERS.iter();
        known.find(|(its, _)| *its == number).map(|(_, kind)| *kind)
    }
}
