//! A process made inside a job, suspended, with three handles and nothing else of the host's.
//!
//! # Safety
//! The attribute list is initialised before use and deleted after; what its attributes point to outlives the call that
//! makes the process.
//!
//! References: learn.microsoft.com/windows/win32/api/processthreadsapi: CreateProcessW, UpdateProcThreadAttribute.

use super::conpty::PseudoConsole;
use super::job::Job;
use super::process::ProcessHandle;
use super::{check, owned, raw, wide};
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::Path;
use windows_sys::Win32::Foundation::{HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW,
    CreateProcessW, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST,
    PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, PROCESS_INFORMATION, ResumeThread, STARTF_USESTDHANDLES,
    STARTUPINFOEXW, STARTUPINFOW, UpdateProcThreadAttribute,
};

/// What a process is made from.
#[derive(Debug)]
pub(crate) struct Spawn<'a> {
    /// The program's file.
    pub(crate) program: &'a Path,
    /// Its command line.
    pub(crate) command_line: &'a str,
    /// Its environment as [`crate::environment::Environment::block`] makes it.
    pub(crate) environment: &'a [u16],
    /// Where it starts; `None`: where the host is.
    pub(crate) directory: Option<&'a str>,
    /// The job that it is born in.
    pub(crate) job: &'a Job,
    /// Its three streams, or the terminal that stands for them.
    pub(crate) streams: Streams<'a>,
    /// Whose rights it has; `None`: the host's.
    pub(crate) token: Option<BorrowedHandle<'a>>,
}

/// What a process reads and writes.
#[derive(Debug)]
pub(crate) enum Streams<'a> {
    /// Input, output and errors.
    Handles([OwnedHandle; 3]),
    /// A terminal.
    Terminal(&'a PseudoConsole),
}

/// A process whose first thread has not run yet.
#[derive(Debug)]
pub(crate) struct Held {
    process: ProcessHandle,
    thread: FirstThread,
}

/// The thread that has not run.
#[derive(Debug)]
pub(crate) struct FirstThread(OwnedHandle);

impl Held {
    /// The process.
    pub(crate) fn process(&self) -> &ProcessHandle {
        &self.process
    }

    /// Ends it before it ran.
    pub(crate) fn give_up(self) {
        // It is in a job, which ends it at the latest.
        let _ = self.process.terminate(crate::exit::KILLED);
    }

    /// The process and its thread.
    pub(crate) fn split(self) -> (ProcessHandle, FirstThread) {
        (self.process, self.thread)
    }
}

impl FirstThread {
    /// Lets it go.
    pub(crate) fn release(&self) -> io::Result<()> {
        // SAFETY: the handle is the thread's with every right.
        match unsafe { ResumeThread(raw(self.0.as_handle())) } {
            u32::MAX => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

impl Spawn<'_> {
    /// Makes the process. The handles of its streams are closed here when this returns.
    ///
    /// # Errors
    /// What `CreateProcessW` said.
    pub(crate) fn spawn(self) -> io::Result<Held> {
        let job = raw(self.job.as_handle());
        let mut inherited = [std::ptr::null_mut(); 3];
        let mut startup = STARTUPINFOEXW {
            StartupInfo: STARTUPINFOW {
                cb: super::bytes_of::<STARTUPINFOEXW>(),
                // With a terminal the three are null: otherwise they would be the host's own.
                dwFlags: STARTF_USESTDHANDLES,
                ..STARTUPINFOW::default()
            },
            ..STARTUPINFOEXW::default()
        };
        let mut attributes = Attributes::new(3)?;
        attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, &[job])?;
        // The list must not name a handle twice.
        let mut list: Vec<HANDLE> = Vec::with_capacity(3);
        match &self.streams {
            Streams::Handles(streams) => {
                for (slot, stream) in inherited.iter_mut().zip(streams) {
                    inherit(stream)?;
                    *slot = raw(stream.as_handle());
                    list.push(*slot);
                }
                let [input, output, error] = inherited;
                startup.StartupInfo.hStdInput = input;
                startup.StartupInfo.hStdOutput = output;
                startup.StartupInfo.hStdError = error;
                attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &list)?;
            }
            Streams::Terminal(console) => attributes.set_console(console)?,
        }
        startup.lpAttributeList = attributes.list;
        self.create(&startup, !list.is_empty())
    }

    fn create(&self, startup: &STARTUPINFOEXW, inherits: bool) -> io::Result<Held> {
        let program = wide(self.program);
        let mut command_line = wide(self.command_line);
        let directory = self.directory.map(wide);
        let directory = directory.as_ref().map_or(std::ptr::null(), |d| d.as_ptr());
        let mut flags =
            CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
        if matches!(self.streams, Streams::Handles(_)) {
            // A console of its own that nobody sees: Ctrl-C of the host's is not its, and it can be sent one.
            flags |= CREATE_NO_WINDOW;
        }
        let (program, line) = (program.as_ptr(), command_line.as_mut_ptr());
        let environment = self.environment.as_ptr().cast();
        let startup: *const STARTUPINFOW = std::ptr::from_ref(startup).cast();
        let (none, inherits) = (std::ptr::null(), i32::from(inherits));
        let mut made = PROCESS_INFORMATION::default();
        let answer = match self.token {
            // SAFETY: texts are ended by zeros, the line is ours to change, the structure is the extended one as the
            // flags say, and all outlive the call.
            None => unsafe {
                CreateProcessW(
                    program,
                    line,
                    none,
                    none,
                    inherits,
                    flags,
                    environment,
                    directory,
                    startup,
                    &raw mut made,
                )
            },
            // SAFETY: as above; the token is open while the call lasts.
            Some(token) => unsafe {
                CreateProcessAsUserW(
                    raw(token),
                    program,
                    line,
                    none,
                    none,
                    inherits,
                    flags,
                    environment,
                    directory,
                    startup,
                    &raw mut made,
                )
            },
        };
        check(answer)?;
        Ok(Held {
            process: ProcessHandle::new(owned(made.hProcess)?),
            thread: FirstThread(owned(made.hThread)?),
        })
    }
}

/// Makes a handle one that a process may inherit; only the one whose list names it does, or one that another thread makes
/// at this very moment without a list.
fn inherit(handle: &OwnedHandle) -> io::Result<()> {
    let inherit = HANDLE_FLAG_INHERIT;
    // SAFETY: the handle is open and ours.
    check(unsafe { SetHandleInformation(raw(handle.as_handle()), inherit, inherit) })
}

/// A `PROC_THREAD_ATTRIBUTE_LIST`.
struct Attributes {
    list: LPPROC_THREAD_ATTRIBUTE_LIST,
    /// What `list` points into.
    _memory: Vec<usize>,
    /// What the attributes point to: they are not copied.
    values: Vec<Box<[HANDLE]>>,
}

impl Attributes {
    fn new(count: u32) -> io::Result<Self> {
        let mut bytes = 0;
        // SAFETY: a null list is allowed and asks for the size; this call fails by its definition.
        let _ = unsafe {
            InitializeProcThreadAttributeList(std::ptr::null_mut(), count, 0, &raw mut bytes)
        };
        let mut memory = vec![0_usize; bytes.div_ceil(size_of::<usize>())];
        let list: LPPROC_THREAD_ATTRIBUTE_LIST = memory.as_mut_ptr().cast();
        // SAFETY: the memory has the size that was asked for, aligned for pointers.
        check(unsafe { InitializeProcThreadAttributeList(list, count, 0, &raw mut bytes) })?;
        Ok(Self {
            list,
            _memory: memory,
            values: Vec::new(),
        })
    }

    fn set(&mut self, attribute: u32, value: &[HANDLE]) -> io::Result<()> {
        let value: Box<[HANDLE]> = value.into();
        let (pointer, bytes) = (value.as_ptr(), size_of_val(&*value));
        self.values.push(value);
        self.update(attribute, pointer.cast(), bytes)
    }

    /// Of this attribute the value itself, not its place, is the pointer.
    fn set_console(&mut self, console: &PseudoConsole) -> io::Result<()> {
        let handle = console.raw();
        let bytes = size_of_val(&handle);
        self.update(
            PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE,
            handle as *const _,
            bytes,
        )
    }

    fn update(
        &mut self,
        attribute: u32,
        value: *const core::ffi::c_void,
        bytes: usize,
    ) -> io::Result<()> {
        let none = std::ptr::null_mut();
        // SAFETY: the list is initialised with room for each attribute; the value lives as long as the list.
        check(unsafe {
            UpdateProcThreadAttribute(
                self.list,
                0,
                attribute as usize,
                value,
                bytes,
                none,
                std::ptr::null(),
            )
        })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the list was initialised, and nothing uses it any more.
        unsafe { DeleteProcThreadAttributeList(self.list) };
    }
}
