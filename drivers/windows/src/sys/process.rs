//! A process by its handle: which one it is, its end, its times.
//!
//! # Safety
//! Structures are plain numbers and live while the call lasts.

use super::{check, owned, raw};
use crate::backend::ProcessIdentity;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, FILETIME, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentProcessId, GetExitCodeProcess, GetProcessId, GetProcessTimes,
    INFINITE, OpenProcess, PROCESS_CREATE_THREAD, PROCESS_QUERY_INFORMATION,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SUSPEND_RESUME, PROCESS_SYNCHRONIZE,
    PROCESS_TERMINATE, PROCESS_VM_OPERATION, PROCESS_VM_READ, TerminateProcess,
    WaitForSingleObject,
};

/// What the driver needs of its processes.
const RIGHTS: u32 = PROCESS_SYNCHRONIZE
    | PROCESS_TERMINATE
    | PROCESS_QUERY_INFORMATION
    | PROCESS_SUSPEND_RESUME
    | PROCESS_CREATE_THREAD
    | PROCESS_VM_OPERATION
    | PROCESS_VM_READ;

/// A process that is held by a handle: its pid is nobody else's.
#[derive(Debug)]
pub(crate) struct ProcessHandle(OwnedHandle);

impl ProcessHandle {
    pub(super) fn new(handle: OwnedHandle) -> Self {
        Self(handle)
    }

    /// Opens the process that has this pid now; `None` when there is none.
    pub(crate) fn open(pid: u32) -> io::Result<Option<Self>> {
        Self::open_with(RIGHTS, pid)
    }

    fn open_with(rights: u32, pid: u32) -> io::Result<Option<Self>> {
        // SAFETY: it takes numbers alone.
        match owned(unsafe { OpenProcess(rights, 0, pid) }) {
            Ok(handle) => Ok(Some(Self(handle))),
            // "The pid is not valid": there is no such process (OpenProcess, Remarks).
            Err(error) if super::is(&error, ERROR_INVALID_PARAMETER) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens this very process; `None` when it is gone, or its pid is another's by now.
    pub(crate) fn reopen(identity: ProcessIdentity) -> io::Result<Option<Self>> {
        let found = Self::open(identity.pid)?;
        Ok(found.filter(|found| found.identity() == identity && found.is_alive()))
    }

    /// The same with the rights that a system process gives too: it can be looked at and suspended.
    pub(crate) fn reopen_to_suspend(identity: ProcessIdentity) -> io::Result<Option<Self>> {
        let rights =
            PROCESS_SYNCHRONIZE | PROCESS_SUSPEND_RESUME | PROCESS_QUERY_LIMITED_INFORMATION;
        let found = Self::open_with(rights, identity.pid)?;
        Ok(found.filter(|found| found.identity() == identity && found.is_alive()))
    }

    /// Which one it is: the pid, and when it was made in 100 ns since 1601.
    pub(crate) fn identity(&self) -> ProcessIdentity {
        // SAFETY: the handle is a process's.
        let pid = unsafe { GetProcessId(raw(self.as_handle())) };
        let created = self.times().map_or(0, |times| times[0]);
        ProcessIdentity { pid, created }
    }

    /// Waits for its end; whether it has ended.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<bool> {
        let limit = limit.map_or(INFINITE, |limit| {
            // Rounded up: who waits for a short time must not find none of it gone.
            let millis = limit.as_micros().div_ceil(1000);
            u32::try_from(millis).map_or(INFINITE - 1, |millis| millis.min(INFINITE - 1))
        });
        // SAFETY: the handle is a process's with the right to wait.
        match unsafe { WaitForSingleObject(raw(self.as_handle()), limit) } {
            WAIT_OBJECT_0 => Ok(true),
            WAIT_TIMEOUT => Ok(false),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.wait(Some(Duration::ZERO)), Ok(false))
    }

    /// Its exit code; only after its end, as 259 stands for a running one, too.
    pub(crate) fn exit_code(&self) -> io::Result<u32> {
        let mut code = 0;
        // SAFETY: the handle is a process's.
        check(unsafe { GetExitCodeProcess(raw(self.as_handle()), &raw mut code) })?;
        Ok(code)
    }

    /// Ends it with this exit code. One that has ended is no error.
    pub(crate) fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: the handle is a process's with the right to end it.
        match check(unsafe { TerminateProcess(raw(self.as_handle()), code) }) {
            Err(error) if super::is(&error, ERROR_ACCESS_DENIED) && !self.is_alive() => Ok(()),
            answer => answer,
        }
    }

    /// When it was made, when it ended (100 ns since 1601), its time in the kernel and in user mode (100 ns).
    pub(crate) fn times(&self) -> io::Result<[u64; 4]> {
        let mut times = [FILETIME::default(); 4];
        let [created, ended, kernel, user] = &mut times;
        // SAFETY: the handle is a process's; the four structures are distinct.
        check(unsafe { GetProcessTimes(raw(self.as_handle()), created, ended, kernel, user) })?;
        Ok(times.map(|time| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)))
    }
}

impl AsHandle for ProcessHandle {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// This process.
pub(crate) fn own_identity() -> ProcessIdentity {
    // SAFETY: it takes nothing.
    let own = unsafe { GetCurrentProcess() };
    let mut times = [FILETIME::default(); 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the pseudo handle stands for this process; the four structures are distinct.
    let _ = unsafe { GetProcessTimes(own, created, ended, kernel, user) };
    let [created, ..] = times;
    ProcessIdentity {
        // SAFETY: it takes nothing.
        pid: unsafe { GetCurrentProcessId() },
        created: u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime),
    }
}
